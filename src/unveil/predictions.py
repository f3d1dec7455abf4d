"""The output of a classifier for one image: logits and probabilities of all labels; the output for a probe image."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from jaxtyping import Float

PROBE_LOGITS = 16


class Output(StrEnum):
    """The meaning of the logits: exactly one label applies (softmax), or each label independently (sigmoid)."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, eq=False)
class Prediction:
    """The logits of all labels for one image, and the quantities derived from them.

    Attributes:
        logits: Shape (labels,), float64, unitless.
        output: How logits become probabilities.

    >>> prediction = Prediction(np.array([2.0, 0.0]), Output.SOFTMAX)
    >>> prediction.probabilities.round(2).tolist(), prediction.predicted()
    ([0.88, 0.12], (0,))
    """

    logits: Float[np.ndarray, "labels"] = field(repr=False)
    output: Output

    def __eq__(self, other: object) -> bool:
        """True for the same meaning and the same logits, bit for bit."""
        if not isinstance(other, Prediction):
            return NotImplemented
        same = self.logits.dtype == other.logits.dtype and self.logits.tobytes() == other.logits.tobytes()
        return same and self.output is other.output

    __hash__ = None  # type: ignore[assignment]

    @property
    def probabilities(self) -> Float[np.ndarray, "labels"]:
        """The softmax `e^z_i / Σ_j e^z_j`, or the sigmoid `1 / (1 + e^−z_i)`, in [0, 1]."""
        if self.output is Output.SIGMOID:
            return np.exp(-np.logaddexp(0.0, -self.logits))
        shifted = np.exp(self.logits - self.logits.max())
        return shifted / shifted.sum()

    def predicted(self, threshold: float = 0.5) -> tuple[int, ...]:
        """The indices of the predicted labels, most probable first.

        Softmax: the label with the largest logit. Sigmoid: all labels with a probability of at least `threshold`.
        """
        if self.output is Output.SOFTMAX:
            return self.leading(1)
        probabilities = self.probabilities
        return tuple(index for index in self.leading(len(self.logits)) if probabilities[index] >= threshold)

    def without(self, indices: Collection[int]) -> "Prediction":
        """The same prediction with these labels as if they had never been learned: logits of −∞, probabilities of 0.

        >>> Prediction(np.array([2.0, 0.0, 1.0]), Output.SOFTMAX).without([0]).predicted()
        (2,)
        """
        logits = self.logits.copy()
        logits[list(indices)] = -np.inf
        return Prediction(logits, self.output)

    def leading(self, count: int) -> tuple[int, ...]:
        """The indices of the `count` labels with the largest logits; ties keep the order of the labels."""
        return tuple(int(index) for index in np.argsort(-self.logits, kind="stable")[:count])


@dataclass(frozen=True)
class ProbeOutput:
    """The output of a classifier for one fixed synthetic image, by which a changed network is recognized.

    Attributes:
        logits: The first logits, at most 16, unitless.
        norm: The Euclidean norm of all logits.

    >>> kept, now = (ProbeOutput.from_logits(np.array([3.0, last])) for last in (4.0, 4.1))
    >>> kept.norm, kept.matches(kept), kept.matches(now)
    (5.0, True, False)
    """

    logits: tuple[float, ...]
    norm: float

    @classmethod
    def from_logits(cls, logits: Float[np.ndarray, "labels"]) -> "ProbeOutput":
        """Keep the first logits and the norm of all."""
        return cls(tuple(float(value) for value in logits[:PROBE_LOGITS]), float(np.linalg.norm(logits)))

    def matches(self, other: "ProbeOutput", tolerance: float = 1e-3) -> bool:
        """True if both are the same but for rounding.

        Logits may differ by `tolerance` times the largest absolute logit kept here, and norms by `tolerance` times the
        larger one, because other machines round in another way.
        """
        if len(self.logits) != len(other.logits):
            return False
        scale = max((abs(value) for value in (*self.logits, *other.logits)), default=0.0)
        near = all(
            abs(first - second) <= tolerance * scale for first, second in zip(self.logits, other.logits, strict=True)
        )
        return near and abs(self.norm - other.norm) <= tolerance * max(self.norm, other.norm)

    def __str__(self) -> str:
        """The first three logits, for messages."""
        return " ".join(f"{value:.4g}" for value in self.logits[:3]) + (" …" if len(self.logits) > 3 else "")
