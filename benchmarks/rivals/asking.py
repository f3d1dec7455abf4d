"""Predictions for parts of one image, the number of passes they take, and the form of every rival's answer."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.classifiers import Classifier
from unveil.predictions import Output

# Sets of features or of pixels, a row each: True is kept. And the score of every row.
Score = Callable[[Bool[np.ndarray, "n features"]], Float[np.ndarray, "n"]]


class Counted(Classifier):
    """A classifier as it is, that counts: every image that passes forward is one, and every image that a gradient was
    taken of is one backward."""

    def __init__(self, inner: Classifier) -> None:
        self._inner = inner
        self.name, self.fingerprint, self.labels = inner.name, inner.fingerprint, inner.labels
        self.preprocessing, self.output = inner.preprocessing, inner.output
        self.device, self.precision = inner.device, inner.precision
        self.forward_passes = self.backward_passes = 0

    def logits(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """The inner classifier's logits."""
        logits = self._inner.logits(pixels)
        self.forward_passes += len(pixels)
        if logits.requires_grad:
            logits.register_hook(self._count_backward)
        return logits

    def _count_backward(self, gradient: Float[Tensor, "n k"]) -> None:
        self.backward_passes += len(gradient)


class MaskedImage:
    """One label of one image: its probability where pixels are kept and all others show the mean color of the
    classifier's training data (0 after its normalization), which is what all three rivals' authors do.

    `pixels`: shape (c, h, w), in [0, 1].
    """

    def __init__(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], label_index: int, batch_size: int = 32
    ) -> None:
        self.classifier, self.pixels, self.label_index = classifier, pixels.to(classifier.device), label_index
        self.mean = torch.tensor(classifier.preprocessing.mean)[:, None, None].to(self.pixels)
        self.batch_size = batch_size

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.pixels.shape[1], self.pixels.shape[2])

    def probabilities(self, kept: Bool[np.ndarray, "n h w"]) -> Float[np.ndarray, "n"]:
        """Probability of the label for every set of kept pixels, float64. Chosen, never multiplied."""
        values = []
        for start in range(0, len(kept), self.batch_size):
            rows = torch.from_numpy(kept[start : start + self.batch_size]).to(self.pixels.device)
            shown = torch.where(rows[:, None], self.pixels, self.mean)
            predictions = self.classifier.predict(shown, self.batch_size)
            values.extend(float(one.probabilities[self.label_index]) for one in predictions)
        return np.array(values)

    @property
    def whole(self) -> float:
        """Probability of the label for the whole image."""
        return float(self.probabilities(np.ones((1, *self.shape), bool))[0])

    def blend(self, cover: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n c h w"]:
        """mean + cover·(x − mean): differentiable in how much of every pixel is kept."""
        return self.mean + cover * (self.pixels - self.mean)

    def log_odds(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """log p/(1 − p) of the label, differentiable. Its gradient is that of p divided by p(1 − p): it orders pixels
        in the same way, and doesn't vanish where p is nearly 1."""
        logits = self.classifier.logits(pixels)
        own = logits[:, self.label_index]
        if self.classifier.output is Output.SIGMOID:
            return own
        others = [index for index in range(logits.shape[1]) if index != self.label_index]
        return own - logits[:, others].logsumexp(1)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a rival found for one label: boolean maps, the strongest first; and what it cost. `seconds` of the
    processor, not of the clock: other work on the machine doesn't count."""

    explanations: list[Bool[np.ndarray, "h w"]]
    forward_passes: int
    backward_passes: int
    seconds: float


class Rival(ABC):
    """A way to find several explanations of one label."""

    name: ClassVar[str]

    @abstractmethod
    def find(self, pixels: Float[Tensor, "c h w"], classifier: Classifier, label_index: int) -> Answer:
        """Explanations for a label that the classifier predicts; `pixels` in [0, 1]."""


def answer(
    search: Callable[[MaskedImage], list[Bool[np.ndarray, "h w"]]],
    pixels: Float[Tensor, "c h w"],
    classifier: Classifier,
    label_index: int,
) -> Answer:
    """Run a search in this process, and count."""
    counted = Counted(classifier)
    started = time.process_time()
    explanations = search(MaskedImage(counted, pixels, label_index))
    seconds = time.process_time() - started
    return Answer(explanations, counted.forward_passes, counted.backward_passes, seconds)
