"""Targets: which output of the classifier a run explains.

A target resolves, in every round, to one or more target scores: weighted sums of logits.
"""

import difflib
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import numpy as np
from jaxtyping import Float

from unveil.errors import TargetError
from unveil.predictions import Prediction

MAX_TARGETS = 1000


@dataclass(frozen=True)
class TargetScore:
    """One resolved target: a weighted sum of logits, `score = Σ weight_i · logit_i`, in logits.

    Attributes:
        name: The name for reading. Labels may repeat (two ImageNet classes are called "crane"), indices don't.
        weights: Pairs (class index, weight), which identify the target.
    """

    name: str
    weights: tuple[tuple[int, float], ...]

    @property
    def class_index(self) -> int | None:
        """The index of the class if the score is the logit of one class, which has a probability; else None."""
        return self.weights[0][0] if len(self.weights) == 1 and self.weights[0][1] == 1.0 else None

    def of(self, logits: Float[np.ndarray, "*n labels"]) -> Float[np.ndarray, "*n"]:
        """Compute the score for each row of `logits`.

        >>> TargetScore("a − b", ((0, 1.0), (1, -1.0))).of(np.array([[3.0, 1.0], [0.0, 5.0]]))
        array([ 2., -5.])
        """
        parts = (weight * logits[..., index] for index, weight in self.weights)
        return np.asarray(sum(parts, np.zeros(logits.shape[:-1])))


class Target(ABC):
    """Base class of targets, which a run explains; `resolve` returns the target scores of a round.

    Attributes:
        follows_predictions: Whether the targets of a round are those predicted in it, and not fixed beforehand.
    """

    follows_predictions: ClassVar[bool] = False

    @abstractmethod
    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Return the target scores of this round.

        `first` is the prediction before anything was erased, `now` the prediction at the start of this round, and
        `labels` are those of the classifier. Raises `TargetError` for a class that the classifier doesn't have.
        """


@dataclass(frozen=True)
class Class(Target):
    """The logit of one class, whether it is predicted or not.

    Attributes:
        label: The class' name, or its index from 0 on.

    Raises `TargetError` for an index below 0.

    >>> Class("Edema"), Class(207)
    (Class(label='Edema'), Class(label=207))
    """

    label: str | int

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", _label_of_class(self.label))

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Return the score of the class. Raises `TargetError` for a class that isn't among `labels`."""
        return (class_score(find_label(self.label, labels), labels),)


@dataclass(frozen=True)
class Top(Target):
    """The most probable labels of the first round, which stay the same in all rounds.

    Attributes:
        count: The number of labels, 1 to 1000.

    Raises `TargetError` for another count.
    """

    count: int = 1

    def __post_init__(self) -> None:
        count = plain_label(self.count)
        if isinstance(count, str):
            raise TargetError("a number of labels", f"the text {count!r}", f'use parse_target("top:{count}")')
        object.__setattr__(self, "count", count)
        if not 1 <= self.count <= MAX_TARGETS:
            raise TargetError(f"Top(1) to Top({MAX_TARGETS})", f"Top({self.count})", "choose a count in this range")

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Return the scores of the labels with the largest logits in `first`.

        Raises `TargetError` for a count above the number of labels.
        """
        if self.count > len(labels):
            raise TargetError(f"Top(1) to Top({len(labels)})", f"Top({self.count})", "choose a count in this range")
        return tuple(class_score(index, labels) for index in first.leading(self.count))


@dataclass(frozen=True)
class Predicted(Target):
    """The labels predicted in this round: the most probable one (softmax), or all above a threshold (sigmoid).

    So a label that is predicted only after something else is erased gets regions of its own.

    Attributes:
        threshold: The smallest probability of a predicted label of a sigmoid classifier, in (0, 1].

    Raises `TargetError` for a threshold out of range.
    """

    follows_predictions: ClassVar[bool] = True
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.threshold, bool | np.bool_ | str) or not isinstance(self.threshold, SupportsFloat):
            raise TargetError("a number as threshold", repr(self.threshold), "0.5 is usual")
        object.__setattr__(self, "threshold", float(self.threshold))
        if not 0 < self.threshold <= 1:
            raise TargetError("a threshold above 0, and at most 1", str(self.threshold), "0.5 is usual")

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Return the scores of the labels predicted in `now`; empty if a sigmoid classifier predicts none."""
        return tuple(class_score(index, labels) for index in now.predicted(self.threshold))


@dataclass(frozen=True)
class Margin(Target):
    """The evidence for one class over another: `logit_a − logit_b`.

    Attributes:
        a: The name or index of the first class.
        b: The name or index of the second class.

    Raises `TargetError` for an index below 0, and for the same class twice.

    >>> Margin("husky", "wolf")
    Margin(a='husky', b='wolf')
    """

    a: str | int
    b: str | int

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            object.__setattr__(self, name, _label_of_class(getattr(self, name)))
        if self.a == self.b:
            raise TargetError("two different classes for a margin", f"{self.a!r} twice", "name another class")

    def resolve(self, first: Prediction, now: Prediction, labels: Sequence[str]) -> tuple[TargetScore, ...]:
        """Return the difference of the two logits.

        Raises `TargetError` for a class that isn't among `labels`, and if both classes are the same.
        """
        a, b = find_label(self.a, labels), find_label(self.b, labels)
        if a == b:
            raise TargetError("two different classes for a margin", f"{labels[a]!r} twice", "name another class")
        name = f"{class_score(a, labels).name} − {class_score(b, labels).name}"
        return (TargetScore(name, ((a, 1.0), (b, -1.0))),)


def find_label(label: str | int, labels: Sequence[str]) -> int:
    """Find the index of a class given by index or by label (exact, else ignoring case and underscores).

    Raises `TargetError` for an unknown label, for an index out of range, and for a label that several classes have.
    """
    if isinstance(label, int):
        if 0 <= label < len(labels):
            return label
        raise TargetError(f"a class index from 0 to {len(labels) - 1}", str(label), "see the classifier's labels")
    if label in labels:
        return _only_index(label, [index for index, name in enumerate(labels) if name == label])
    folded = [_fold(name) for name in labels]
    if (key := _fold(label)) in folded:
        return _only_index(label, [index for index, name in enumerate(folded) if name == key])
    if label.isdecimal():
        return find_label(int(label), labels)
    if (numbered := re.fullmatch(r"(.*) \(class (\d+)\)", label)) and 0 <= int(numbered[2]) < len(labels):
        index = int(numbered[2])
        if _fold(labels[index]) == _fold(numbered[1]):
            return index
    close = difflib.get_close_matches(key, folded, n=3, cutoff=0.5)
    hint = ", ".join(repr(labels[folded.index(name)]) for name in close) or f"{labels[0]!r}, {labels[-1]!r}"
    raise TargetError(f"one of the classifier's {len(labels)} labels", repr(label), f"try {hint}, or an index")


def _only_index(label: str, indices: list[int]) -> int:
    if len(indices) > 1:
        names = " or ".join(map(str, indices))
        raise TargetError(
            "a label that only one class has",
            f"{label!r}, which {len(indices)} classes have",
            f"give the index: {names}",
        )
    return indices[0]


def as_target(target: Any) -> Target:
    """A target from a `Target`, a text of `parse_target`, or the index of a class of any integer type.

    Raises `TargetError` for anything else.

    >>> as_target(0), as_target(np.int64(3)), as_target("top:3")
    (Class(label=0), Class(label=3), Top(count=3))
    """
    if isinstance(target, Target):
        return target
    return parse_target(target) if isinstance(target, str) else Class(plain_label(target))


def plain_label(label: Any) -> str | int:
    """A label, or the index of a class as a plain integer: of Python, numpy, or a tensor or array with one integer.

    Raises `TargetError` for anything else.
    """
    if isinstance(label, str):
        return label
    # True is an index to Python, and an array of one float might be meant as a threshold.
    dtype = str(getattr(label, "dtype", type(label).__name__))
    if "int" in dtype and getattr(label, "ndim", 0) == 0:
        with suppress(TypeError, ValueError):
            return operator.index(label)
    raise TargetError("a target: a label, an index, or a Target", f"{label!r:.80}", 'give Class("name") or an index')


def _label_of_class(label: Any) -> str | int:
    plain = plain_label(label)
    if isinstance(plain, int) and plain < 0:
        raise TargetError("a class index from 0 on", str(plain), "count from 0, or give the class's label")
    return plain


def parse_target(text: str) -> Target:
    """Parse a target: `predicted`, `predicted:0.3`, `top:3`, `class:NAME`, `margin:A,B`, or a label alone.

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


def class_score(index: int, labels: Sequence[str]) -> TargetScore:
    """Make the score of one class, named by its label; by label and index where several classes have the same label.

    >>> class_score(1, ("crane", "crane")).name
    'crane (class 1)'
    """
    name = labels[index]
    return TargetScore(name if labels.count(name) == 1 else f"{name} (class {index})", ((index, 1.0),))


def _fold(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
