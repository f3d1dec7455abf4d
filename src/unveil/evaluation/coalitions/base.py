"""What coalition methods share: the logits of an image of which only some pixels are kept, and a number of passes."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from unveil.classifiers import Classifier
from unveil.fills import Mean
from unveil.masked import MaskedClassifier
from unveil.seeding import seeded_generator

BATCH = 8
RGB = 3


class CoalitionGame:
    """The logits of some labels when only some pixels of an image are kept and all others have the mean color."""

    def __init__(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str
    ) -> None:
        """`pixels`: the image on the model's grid, in [0, 1]. `labels`: their indices. `stream`: the name of the random
        numbers that methods draw."""
        self.pixels, self.labels, self.stream = pixels, tuple(labels), stream
        self._masked = MaskedClassifier(classifier, pixels, Mean(), stream, BATCH)

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self._masked.grid
        return height, width

    @property
    def passes(self) -> int:
        """The number of images that the classifier was given; equal sets of pixels are given once."""
        return self._masked.passes

    @property
    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        """The image in 8 bits, for methods that cut it into segments; gray if it doesn't have three channels."""
        channels = self.pixels if len(self.pixels) == RGB else self.pixels.mean(0, keepdim=True).expand(RGB, -1, -1)
        scaled = channels.permute(1, 2, 0).cpu().numpy().clip(0, 1) * 255
        return scaled.round().astype(np.uint8)

    def values(self, kept: Bool[np.ndarray, "n h w"]) -> Float[np.ndarray, "n labels"]:
        """The logits of the labels for each set of pixels."""
        predictions = self._masked.predict([self._masked.view(~one) for one in kept])
        return np.array([prediction.logits[list(self.labels)] for prediction in predictions])


class CoalitionMethod(ABC):
    """A method that explains labels by predictions of images of which only some pixels are kept."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def settings(self) -> dict:
        """Everything that the maps depend on besides the image, the classifier and the number of passes."""

    @abstractmethod
    def maps(self, game: CoalitionGame, passes: int) -> Float[np.ndarray, "labels h w"]:
        """One signed map per label, in logits, from at least `passes` different images or all that the method has.

        All labels are explained together: a prediction counts for each of them. Raises `MissingLibraryError`.
        """


@contextmanager
def fixed_random(stream: str) -> Iterator[None]:
    """Seed the global random numbers of numpy and torch with the name of a stream, and leave them as they were."""
    before = np.random.get_state()
    seed = seeded_generator(stream, 0).initial_seed()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of libraries about their own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
