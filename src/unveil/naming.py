"""Names regions: what the classifier predicts when only the box of a region is kept in the original image.

The loop asks about a label because the *masked* image is called so, and what erasing leaves behind can itself be called
something. Here the region is shown alone, in the original, so that nothing erased plays a part but the fill. What is
predicted without the region is subtracted: from the fill, and from a texture in which there is nothing to recognize.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from unveil.fills import Fill
from unveil.masked import BoolMap, MaskedClassifier, MaskedView
from unveil.masks import Mask
from unveil.predictions import Output
from unveil.recipes import LabelCheck
from unveil.records import ShownLabel
from unveil.targets import class_score

MOST_SHOWN = 20  # labels of a region that are kept in the record, for classifiers with sigmoid outputs


@dataclass(frozen=True, eq=False)
class BoxPrediction:
    """What a region's box shows.

    Attributes:
        gains: q_l − b_l for each label: see `LabelCheck`.
        shown: The labels that the region shows, those with the largest gain first.
    """

    gains: Float[np.ndarray, "labels"]
    shown: tuple[ShownLabel, ...]


def name_regions(masked: MaskedClassifier, check: LabelCheck, insides: Sequence[BoolMap]) -> list[BoxPrediction]:
    """Predict the box of each region alone, and name the labels that it shows.

    Each region costs one image per fill with the first margin, and as many for every further margin where that doesn't
    decide (see `LabelCheck`); the first call costs two more per fill, for the image without anything and for a texture.
    `masked` is the classifier and image of the run, `check` the settings, and `insides` the regions on the model's
    grid.
    """
    if not insides:
        return []
    boxes = _Boxes(masked, check)
    first, *further = check.margins
    masked.texture.evaluate(boxes.texture_views)
    masked.evaluate([*boxes.blank_views, *(view for inside in insides for view in boxes.views(inside, (first,)))])
    clear = [_is_clear(masked, check, boxes.gains(inside, (first,))) for inside in insides]
    unclear = (inside for inside, one in zip(insides, clear, strict=True) if not one)
    masked.evaluate(view for inside in unclear for view in boxes.views(inside, further))
    return [
        _named(masked, check, boxes.gains(inside, (first,) if one else check.margins))
        for inside, one in zip(insides, clear, strict=True)
    ]


def _is_clear(masked: MaskedClassifier, check: LabelCheck, gains: Float[np.ndarray, "labels"]) -> bool:
    """Whether the first margin is enough: the gains of all labels that can be shown are far from the threshold."""
    considered = gains.max() if masked.classifier.output is Output.SOFTMAX else gains
    return bool(np.all((considered < check.threshold / 2) | (considered > 1 - check.threshold)))


@dataclass(frozen=True, eq=False)
class _Boxes:
    """The views of boxes alone, and what they gain over an image without anything and over a texture."""

    masked: MaskedClassifier
    check: LabelCheck

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The run's own fill, and those of the check."""
        return tuple(dict.fromkeys((self.masked.fill, *self.check.fills)))

    @property
    def blank_views(self) -> list[MaskedView]:
        """The image without anything, with each fill."""
        nothing = np.ones(self.masked.grid, dtype=bool)
        return [self.masked.view(nothing, fill) for fill in self.fills]

    @property
    def texture_views(self) -> list[MaskedView]:
        """The middle half of a texture alone, with each fill."""
        outside = np.ones(self.masked.grid, dtype=bool)
        outside[tuple(slice(side // 4, side - side // 4) for side in self.masked.grid)] = False
        return [self.masked.texture.view(outside, fill) for fill in self.fills]

    def views(self, inside: BoolMap, margins_px: Sequence[int]) -> list[MaskedView]:
        """The box of a region alone, with each margin and fill."""
        return [self.masked.view(~kept, fill) for kept in _kept_boxes(inside, margins_px) for fill in self.fills]

    def gains(self, inside: BoolMap, margins_px: Sequence[int]) -> Float[np.ndarray, "labels"]:
        """q − b for each label, see `LabelCheck`."""
        return _mean_probabilities(self.masked, self.views(inside, margins_px)) - self.baseline

    @cached_property
    def baseline(self) -> Float[np.ndarray, "labels"]:
        """b for each label: the same for all regions."""
        blank = _mean_probabilities(self.masked, self.blank_views)
        return np.maximum(blank, _mean_probabilities(self.masked.texture, self.texture_views))


def _kept_boxes(inside: BoolMap, margins_px: Sequence[int]) -> Iterator[BoolMap]:
    """The upright box around a region with each margin, cut at the edges of the grid."""
    box = Mask.from_array(inside).box
    if box is None:
        return
    for margin in margins_px:
        kept = np.zeros_like(inside)
        kept[tuple(slice(max(0, a - margin), b + margin) for a, b in zip(box.start, box.stop, strict=True))] = True
        yield kept


def _mean_probabilities(masked: MaskedClassifier, views: Sequence[MaskedView]) -> Float[np.ndarray, "labels"]:
    return np.mean([prediction.probabilities for prediction in masked.predict(views)], axis=0)


def _named(masked: MaskedClassifier, check: LabelCheck, gains: Float[np.ndarray, "labels"]) -> BoxPrediction:
    order = np.argsort(-gains, kind="stable")[: 1 if masked.classifier.output is Output.SOFTMAX else MOST_SHOWN]
    labels = masked.classifier.labels
    shown = (
        ShownLabel(int(index), class_score(int(index), labels).name, float(gains[index]))
        for index in order
        if gains[index] >= check.threshold
    )
    return BoxPrediction(gains, tuple(shown))
