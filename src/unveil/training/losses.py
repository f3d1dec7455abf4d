"""The loss of a training, and what is measured on images that weren't trained on."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unveil.predictions import Output

MOST_WEIGHT = 20.0  # of a rare label


@dataclass(frozen=True, eq=False)
class Loss:
    """Cross entropy of one label (softmax), or binary cross entropy of each label (sigmoid).

    - Softmax: the weight of an image with label i is n / (m · n_i) for n images, m labels that occur, and n_i images
      of label i.
    - Sigmoid: the positive term of label i has the weight (n − n_i) / n_i.

    Weights are limited to 1/20 … 20.

    Attributes:
        output: What the logits mean.
        weights: The weights of the labels; None if all are 1.
    """

    output: Output
    weights: Float[Tensor, "k"] | None

    @classmethod
    def for_targets(cls, targets: Float[np.ndarray, "n k"], output: Output, *, balanced: bool) -> "Loss":
        """The loss for images with these targets."""
        if not balanced:
            return cls(output, None)
        counts = targets.sum(0).astype(float)
        if output is Output.SOFTMAX:
            weights = len(targets) / (np.count_nonzero(counts) * counts.clip(min=1))
        else:
            weights = (len(targets) - counts) / counts.clip(min=1)
        return cls(output, torch.from_numpy(weights.clip(1 / MOST_WEIGHT, MOST_WEIGHT)).float())

    def __call__(self, logits: Float[Tensor, "n k"], targets: Float[Tensor, "n k"]) -> Tensor:
        """The mean over the images of a batch."""
        weights = None if self.weights is None else self.weights.to(logits)
        if self.output is Output.SOFTMAX:
            return functional.cross_entropy(logits, targets.argmax(1), weights)
        return functional.binary_cross_entropy_with_logits(logits, targets.to(logits), pos_weight=weights)


def is_right(scores: Float[np.ndarray, "n k"], targets: Float[np.ndarray, "n k"], output: Output) -> np.ndarray:
    """Whether each image's label is predicted (softmax), or its labels are predicted exactly (sigmoid).

    `scores`: probabilities. Shape (n,), boolean.

    >>> is_right(np.array([[0.9, 0.2], [0.9, 0.6]]), np.array([[1.0, 0.0], [1.0, 0.0]]), Output.SIGMOID).tolist()
    [True, False]
    """
    if output is Output.SOFTMAX:
        return scores.argmax(1) == targets.argmax(1)
    return ((scores >= 0.5) == (targets > 0.5)).all(1)
