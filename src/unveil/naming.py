"""Names regions: what the classifier predicts when only the box of a region is kept in the original image.

The loop asks about a label because the *masked* image is called so, and what erasing leaves behind can itself be called
something. Here the region is shown alone, in the original, so that nothing erased plays a part but the fill, and the
fill's own share is subtracted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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

    Each region costs one image per margin and fill, and the first call one more per fill for the image without
    anything. `masked` is the classifier and image of the run, `check` the settings, and `insides` the regions on the
    model's grid.
    """
    fills = tuple(dict.fromkeys((masked.fill, *check.fills)))
    boxes = [list(_kept_boxes(inside, check.margins)) for inside in insides]
    nothing = np.ones(masked.grid, dtype=bool)
    views = [masked.view(~kept, fill) for kepts in boxes for kept in kepts for fill in fills]
    masked.evaluate([*views, *(masked.view(nothing, fill) for fill in fills)] if views else [])
    blank = _mean_probabilities(masked, [masked.view(nothing, fill) for fill in fills]) if views else np.zeros(0)
    return [
        _named(
            masked,
            check,
            _mean_probabilities(masked, [masked.view(~kept, fill) for kept in kepts for fill in fills]) - blank,
        )
        for kepts in boxes
    ]


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
