"""The one way to predict an image with parts erased: in batches, cached, and counted.

The loop, the stops and the trust cards all predict masked views of one image. They share one `MaskedClassifier`, so
that no view is predicted twice, whoever needs it.
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.batching import batched
from unveil.classifiers import Classifier
from unveil.classifiers.engine.precision import probe_pixels
from unveil.fills import Fill, FillContext, erase
from unveil.predictions import Prediction
from unveil.targets import TargetScore

BoolMap = Bool[np.ndarray, "*grid"]
ViewKey = tuple[Fill | None, bytes]


@dataclass(frozen=True, eq=False)
class MaskedView:
    """One image with the pixels in `erased` replaced by `fill`; `erased` is on the model's grid, True where erased."""

    erased: BoolMap
    fill: Fill

    @property
    def key(self) -> ViewKey:
        """Equal for equal views. Where nothing is erased, the fill doesn't matter."""
        digest = hashlib.sha256(np.packbits(self.erased).data).digest()
        return self.fill if self.erased.any() else None, digest


class MaskedClassifier:
    """Predicts masked views of one image, each at most once.

    The logits of every view are kept, not its pixels: 1000 labels and 500 views take 4 MB. At most one batch of images
    is held in memory.
    """

    def __init__(
        self,
        classifier: Classifier,
        pixels: Float[Tensor, "c *grid"],
        fill: Fill,
        stream: str,
        batch_size: int = 8,
        comparing: Classifier | None = None,
    ) -> None:
        """`fill` is used where a view names no other; `stream` names the noise that fills draw. `comparing` is the form
        of the classifier for views that are only compared; None for the classifier itself."""
        self.classifier, self.pixels, self.fill, self.stream = classifier, pixels, fill, stream
        self.batch_size = batch_size
        self._comparing = comparing
        self._on_batch: Callable[[], None] = _nothing
        self._passes = 0
        self._fill_context = FillContext(torch.tensor(classifier.preprocessing.mean), stream)
        self._logits: dict[ViewKey, Float[np.ndarray, k]] = {}

    @cached_property
    def compared(self) -> "MaskedClassifier":
        """The same image for views that are only compared with each other: those of the label check and of the tests
        with other places, fills and boundaries. It predicts in bf16 where that is fast and exact enough, and has a
        cache of its own, because scores of two precisions can't be compared; its images count here as well."""
        if self._comparing is None or self._comparing is self.classifier:
            return self
        return self._child(self._comparing, self.pixels)

    @cached_property
    def texture(self) -> "MaskedClassifier":
        """A synthetic texture in place of the image, with as much contrast and nothing to recognize
        (`probe_pixels`); its images count here as well."""
        pixels = probe_pixels(self.classifier.preprocessing, 0).to(self.pixels)
        return self._child(self.classifier, pixels)

    def fork(self, on_batch: Callable[[], None] | None = None) -> "MaskedClassifier":
        """A copy that begins with the same cached logits; what either of the two predicts afterwards, the other doesn't
        know.

        `on_batch` is called before each batch that the copy predicts, and may raise to leave; None calls nothing.
        """
        forked = copy.copy(self)
        forked._logits, forked._on_batch = dict(self._logits), _nothing if on_batch is None else on_batch
        for name in ("compared", "texture"):
            if (other := vars(self).get(name)) is not None:
                vars(forked)[name] = forked if other is self else other.fork(on_batch)
        return forked

    def _child(self, classifier: Classifier, pixels: Float[Tensor, "c *grid"]) -> "MaskedClassifier":
        child = MaskedClassifier(classifier, pixels, self.fill, self.stream, self.batch_size)
        child._on_batch = self._on_batch
        return child

    @property
    def passes(self) -> int:
        """The number of images that the classifier was given."""
        others = (vars(self).get(name) for name in ("compared", "texture"))
        return self._passes + sum(other.passes for other in others if other is not None and other is not self)

    def count(self, images: int) -> None:
        """Add images that the classifier was given by someone else."""
        self._passes += images

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the model's grid."""
        return tuple(self.pixels.shape[1:])

    def view(self, erased: BoolMap, fill: Fill | None = None) -> MaskedView:
        """The image with these pixels erased, by the default fill if none is given."""
        return MaskedView(erased, self.fill if fill is None else fill)

    def predict(self, views: Sequence[MaskedView]) -> list[Prediction]:
        """Predictions for these views, in their order; views that are not cached yet are evaluated first."""
        self.evaluate(views)
        output = self.classifier.output
        return [Prediction(self._logits[view.key], output) for view in views]

    def evaluate(self, views: Iterable[MaskedView]) -> None:
        """Predict all uncached views and keep their logits."""
        new: dict[ViewKey, MaskedView] = {}
        for view in views:
            if (key := view.key) not in self._logits:
                new.setdefault(key, view)
        for keys in batched(new, self.batch_size):
            self._on_batch()
            images = torch.stack([self.render(new[key]) for key in keys])
            for key, prediction in zip(keys, self.classifier.predict(images, self.batch_size), strict=True):
                self._logits[key] = prediction.logits
            self._passes += len(keys)

    def score(self, view: MaskedView, target_score: TargetScore) -> float:
        """The target score of a view."""
        key = view.key
        if key not in self._logits:
            self.evaluate([view])
        return float(target_score.of(self._logits[key]))

    def render(self, view: MaskedView) -> Float[Tensor, "c *grid"]:
        """The pixels of a view, in [0, 1]."""
        erased = torch.from_numpy(view.erased).to(self.pixels.device)
        return erase(self.pixels, erased, view.fill, self._fill_context)


def _nothing() -> None:
    pass
