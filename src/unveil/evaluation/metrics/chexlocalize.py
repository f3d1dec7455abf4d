"""mIoU and hit rate of heat maps against segmentations, as in CheXlocalize (Saporta et al. 2022)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from unveil.bootstrap import Estimate
from unveil.evaluation.metrics.heat import check_same_grid, stretch_map
from unveil.evaluation.metrics.labels import LabelMeasurement, LabelTable, estimate_means
from unveil.evaluation.metrics.pointing import hits_truth
from unveil.masks import iou
from unveil.regions import Otsu

# Tuned in the paper on Grad-CAM maps of the validation set; other labels are cut by Otsu's method.
PUBLISHED_THRESHOLDS = {
    "Enlarged Cardiomediastinum": 0.2,
    "Cardiomegaly": 0.2,
    "Lung Lesion": 0.7,
    "Airspace Opacity": 0.4,
    "Edema": 0.4,
    "Consolidation": 0.4,
    "Atelectasis": 0.4,
    "Pneumothorax": 0.6,
    "Pleural Effusion": 0.6,
    "Support Devices": 0.4,
}


@dataclass(frozen=True)
class SegmentationScores(LabelMeasurement):
    """IoU and hit of the map of one `label` in one image, whose `group` is the unit that intervals draw.

    `iou` is None where the image doesn't count, `hit` where nothing is annotated.
    """

    iou: float | None
    hit: bool | None


class SegmentationMeans(NamedTuple):
    """Means over images: `miou` is the mean IoU, `hit_rate` the share of hits."""

    miou: Estimate
    hit_rate: Estimate


def segment_map(saliency: Float[np.ndarray, "h w"], threshold: float | None = None) -> Bool[np.ndarray, "h w"]:
    """The pixels of the map, stretched to [0, 1], that are larger than `threshold`.

    Without a threshold the map is cut by Otsu's method at 8 bits (the map · 255, rounded down), as OpenCV does. Empty
    for a map without evidence.
    """
    heat = stretch_map(saliency)
    if heat is None:
        return np.zeros(saliency.shape, bool)
    if threshold is not None:
        return heat > threshold
    levels = np.floor(255 * heat)
    return levels >= Otsu().level(levels.ravel())


def score_segmentation(
    saliency: Float[np.ndarray, "h w"],
    truth: Bool[np.ndarray, "y x"],
    label: str,
    group: Hashable,
    *,
    threshold: float | None = None,
    predicted: bool = True,
    true_positive_only: bool = True,
) -> SegmentationScores:
    """IoU and hit of one label's map against its segmentation, both on the image's pixels.

    With `predicted` False (the probability is below the label's cut-off) the map's segmentation is empty. With
    `true_positive_only`, the published default, an image counts only if both segmentations have a pixel. Without it
    every image counts in which either has one, so missed and false segmentations count as 0; the mean is then lower.
    """
    check_same_grid(saliency, truth)
    segmentation = segment_map(saliency, threshold) if predicted else np.zeros(truth.shape, bool)
    annotated, segmented = bool(truth.any()), bool(segmentation.any())
    counts = annotated and segmented if true_positive_only else annotated or segmented
    return SegmentationScores(label, group, iou(segmentation, truth) if counts else None, hits_truth(saliency, truth))


def summarize_segmentation(scores: Sequence[SegmentationScores], seed: int = 0) -> LabelTable[SegmentationMeans]:
    """`miou` and `hit_rate` by label, pooled, and as the mean over labels, with intervals over 1000 draws of groups."""
    return estimate_means(scores, [(score.iou, score.hit) for score in scores], SegmentationMeans, seed)
