"""Asking a classifier about one image with parts erased: in batches, and about no image twice."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.batching import batched
from unveil.classifiers import Classifier
from unveil.fills import Fill, FillContext, erase
from unveil.targets import TargetScore

BoolMap = Bool[np.ndarray, "*grid"]
Answer = TypeVar("Answer")
# Scores closer than this share of their size are equal: sums in other batches differ by so much.
SAME = 1e-5


@dataclass(frozen=True, eq=False)
class MaskedView:
    """The image with these pixels erased by this fill."""

    erased: BoolMap
    fill: Fill

    @property
    def key(self) -> tuple[Fill | None, bytes]:
        """Equal for equal views; where nothing is erased, the fill doesn't matter."""
        return self.fill if self.erased.any() else None, hashlib.sha256(np.packbits(self.erased).data).digest()


class MaskedClassifier:
    """What a classifier says of views of one image. Answers are kept, as logits; `passes` counts the images asked."""

    def __init__(
        self, classifier: Classifier, pixels: Float[Tensor, "c *grid"], fill: Fill, stream: str, batch_size: int = 8
    ) -> None:
        """`fill` is the run's own; `stream` names the noise of fills, and of everything drawn for this image."""
        self.classifier, self.pixels, self.fill, self.stream, self.batch_size = (
            classifier,
            pixels,
            fill,
            stream,
            batch_size,
        )
        self.passes = 0
        self._ground = FillContext(torch.tensor(classifier.preprocessing.mean), stream)
        self._known: dict[tuple[Fill | None, bytes], np.ndarray] = {}

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the model's grid."""
        return tuple(self.pixels.shape[1:])

    def view(self, erased: BoolMap, fill: Fill | None = None) -> MaskedView:
        """The image with these pixels erased, by the run's own fill if no other is named."""
        return MaskedView(erased, fill or self.fill)

    def ask(self, views: Iterable[MaskedView]) -> None:
        """Ask about every view that isn't known yet; images exist a batch at a time."""
        new = {view.key: view for view in views if view.key not in self._known}
        for keys in batched(new, self.batch_size):
            images = torch.stack([self.erase(new[key]) for key in keys])
            for key, said in zip(keys, self.classifier.predict(images, self.batch_size), strict=True):
                self._known[key] = said.logits
            self.passes += len(keys)

    def score(self, view: MaskedView, target_score: TargetScore) -> float:
        """The target's value for a view, asked if need be."""
        if view.key not in self._known:
            self.ask([view])
        return float(target_score.of(self._known[view.key]))

    def erase(self, view: MaskedView) -> Float[Tensor, "c *grid"]:
        """The view's pixels."""
        return erase(self.pixels, torch.from_numpy(view.erased).to(self.pixels.device), view.fill, self._ground)


class RegionTest(ABC, Generic[Answer]):
    """One question about a region: the views it has to know, so that all can be asked together, and its answer."""

    @abstractmethod
    def views(self) -> Iterator[MaskedView]:
        """Everything to be asked."""

    @abstractmethod
    def answer(self) -> Answer:
        """What the scores of the views come to."""


@dataclass(frozen=True, eq=False)
class RegionContext:
    """A region on the grid, in its place: `erased` before it was found, `others` with all other regions of its track.

    `taken`: where nothing can be compared with it: erased before, or found in the same round.
    """

    masked: MaskedClassifier
    target_score: TargetScore
    inside: BoolMap
    erased: BoolMap
    taken: BoolMap
    others: BoolMap

    def score(self, erased: BoolMap, fill: Fill | None = None) -> float:
        """The target's value with these pixels erased."""
        return self.masked.score(self.masked.view(erased, fill), self.target_score)

    def drop(self, erased: BoolMap, removed: BoolMap, fill: Fill | None = None) -> float:
        """f(x without `erased`) − f(x without `erased` and `removed`)."""
        return self.score(erased, fill) - self.score(erased | removed, fill)

    @property
    def tolerance(self) -> float:
        """Differences of scores up to this are none."""
        return SAME * max(1.0, abs(self.score(self.erased)))
