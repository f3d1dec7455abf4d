"""What a classifier answered: the whole prediction vector, as logits and as probabilities."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from jaxtyping import Float


class Output(StrEnum):
    """What a classifier's logits mean: one label of many (softmax), or each label for itself (sigmoid)."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, eq=False)
class Prediction:
    """Logits of all labels for one image, and what they mean.

    `logits`: shape (labels,), float64, unitless. Everything else is derived from them.
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
        """Softmax `e^z_i / Σ e^z_j`, or sigmoid `1 / (1 + e^−z_i)`, in [0, 1]."""
        if self.output is Output.SIGMOID:
            return np.exp(-np.logaddexp(0.0, -self.logits))
        shifted = np.exp(self.logits - self.logits.max())
        return shifted / shifted.sum()

    def predicted(self, threshold: float = 0.5) -> tuple[int, ...]:
        """Indices of the predicted labels, the likeliest first.

        Softmax: the one largest. Sigmoid: all with a probability of at least `threshold`.
        """
        order = self.leading(len(self.logits))
        if self.output is Output.SOFTMAX:
            return order[:1]
        probabilities = self.probabilities
        return tuple(index for index in order if probabilities[index] >= threshold)

    def leading(self, count: int) -> tuple[int, ...]:
        """Indices of the `count` labels with the largest logits; equal logits keep the order of the labels."""
        return tuple(int(index) for index in np.argsort(-self.logits, kind="stable")[:count])
