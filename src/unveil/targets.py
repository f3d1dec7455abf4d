"""Targets: the scalar that is asked about. A target resolves, in every round, to weighted sums of logits."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.errors import TargetError
from unveil.predictions import Prediction


@dataclass(frozen=True)
class TargetScore:
    """One resolved target: `score = Σ weight_i · logit_i`, unitless.

    `label` is the index of the class where the scalar is one class' logit, so that it has a probability; else None.
    """

    name: str
    weights: tuple[tuple[int, float], ...]

    @property
    def label(self) -> int | None:
        """Index of the class, if the scalar is a class' own logit."""
        return self.weights[0][0] if len(self.weights) == 1 and self.weights[0][1] == 1.0 else None

    def of(self, logits: Float[np.ndarray, "*n labels"]) -> Float[np.ndarray, "*n"]:
        """The target's value for every row of logits."""
        parts = (weight * logits[..., index] for index, weight in self.weights)
        return np.asarray(sum(parts, np.zeros(logits.shape[:-1])))


class Target(ABC):
    """A question to the classifier. `resolve` says which scalars it means in this round."""

    @abstractmethod
    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Scalars asked about now, given the first round's prediction, this round's, and the labels' names."""


@dataclass(frozen=True)
class Class(Target):
    """One class, by name or by index: `Class("Edema")`, `Class(207)`."""

    label: str | int

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """The class' logit, whatever is predicted."""
        return (_of_class(find_label(self.label, labels), labels),)


@dataclass(frozen=True)
class Top(Target):
    """The `count` likeliest labels of the first round, kept through all rounds."""

    count: int = 1

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Logits of the labels that led before anything was erased."""
        if not 1 <= self.count <= len(labels):
            raise TargetError(f"Top(1) to Top({len(labels)})", f"Top({self.count})", "ask for fewer labels")
        return tuple(_of_class(index, labels) for index in first.leading(self.count))


@dataclass(frozen=True)
class Predicted(Target):
    """Whatever is predicted in this round: the first label (softmax), or all with `probability >= threshold` (sigmoid).

    This is how a label that becomes visible only after something else is erased gets regions of its own.
    """

    threshold: float = 0.5

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Logits of the labels predicted now; empty if a sigmoid classifier predicts none."""
        return tuple(_of_class(index, labels) for index in now.predicted(self.threshold))


@dataclass(frozen=True)
class Margin(Target):
    """What speaks for one class and against another: `logit_a − logit_b`."""

    a: str | int
    b: str | int

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """The difference of the two logits."""
        a, b = find_label(self.a, labels), find_label(self.b, labels)
        if a == b:
            raise TargetError("two different classes for a margin", f"{labels[a]!r} twice", "name another class")
        return (TargetScore(f"{labels[a]} − {labels[b]}", ((a, 1.0), (b, -1.0))),)


def find_label(label: str | int, labels: Sequence[str]) -> int:
    """The index of a label given by name (exact, else ignoring case and underscores) or by index."""
    if isinstance(label, int):
        if 0 <= label < len(labels):
            return label
        raise TargetError(f"a class index from 0 to {len(labels) - 1}", str(label), "see the classifier's labels")
    if label in labels:
        return labels.index(label)
    folded = [_fold(name) for name in labels]
    if folded.count(_fold(label)) == 1:
        return folded.index(_fold(label))
    if label.isdecimal():
        return find_label(int(label), labels)
    close = difflib.get_close_matches(_fold(label), folded, n=3, cutoff=0.5)
    hint = ", ".join(repr(labels[folded.index(name)]) for name in close) or f"{labels[0]!r}, {labels[-1]!r}"
    raise TargetError(f"one of the classifier's {len(labels)} labels", repr(label), f"try {hint}, or an index")


def parse_target(text: str) -> Target:
    """A target from its text: `predicted`, `predicted:0.3`, `top:3`, `class:NAME`, `margin:A,B`, or a bare name.

    >>> parse_target("top:3")
    Top(count=3)
    """
    kind, _, rest = text.partition(":")
    try:
        match kind.strip().lower():
            case "predicted":
                return Predicted(float(rest)) if rest else Predicted()
            case "top":
                return Top(int(rest)) if rest else Top()
            case "class" if rest:
                return Class(rest.strip())
            case "margin" if rest.count(",") == 1:
                a, b = rest.split(",")
                return Margin(a.strip(), b.strip())
    except ValueError as error:
        raise TargetError("predicted[:P], top[:K], class:NAME or margin:A,B", repr(text), str(error)) from error
    if not text.strip():
        raise TargetError("predicted[:P], top[:K], class:NAME or margin:A,B", "nothing", "name a target")
    return Class(text.strip())


def _of_class(index: int, labels: Sequence[str]) -> TargetScore:
    return TargetScore(labels[index], ((index, 1.0),))


def _fold(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
