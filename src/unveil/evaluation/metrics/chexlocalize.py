"""mIoU and hit rate of heat maps against segmentations, as CheXlocalize (Saporta et al. 2022)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unveil.evaluation.metrics.heat import same_grid, stretched
from unveil.evaluation.metrics.labels import Item, means
from unveil.evaluation.metrics.pointing import hits_truth
from unveil.masks import iou
from unveil.regions import Otsu

# Tuned there on Grad-CAM maps of the validation set; other labels are cut by Otsu's method.
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
class Segmented(Item):
    """What one label of one image adds. `iou` is None where the image doesn't count, `hit` where nothing is
    annotated."""

    iou: float | None
    hit: bool | None


def segmentation(saliency: Float[np.ndarray, "h w"], threshold: float | None = None) -> Bool[np.ndarray, "h w"]:
    """The map stretched to [0, 1] and cut: larger than `threshold`, or without one by Otsu's method at 8 bits (the map
    · 255, rounded down), as OpenCV does it. Nothing for a map without evidence."""
    heat = stretched(saliency)
    if heat is None:
        return np.zeros(saliency.shape, bool)
    if threshold is not None:
        return heat > threshold
    levels = np.floor(255 * heat)
    return levels >= Otsu().level(levels.ravel())


def segmented(
    saliency: Float[np.ndarray, "h w"],
    truth: Bool[np.ndarray, "y x"],
    label: str,
    group: Hashable,
    *,
    threshold: float | None = None,
    predicted: bool = True,
    true_positive_only: bool = True,
) -> Segmented:
    """IoU and hit of one label's map against its segmentation, both on the image's pixels.

    `predicted` False (the probability is below the label's cut-off): the segmentation is empty. `true_positive_only`,
    the published default: only images where both segmentations have a pixel count. Without it all images do where
    either has one, so that what was missed and what was invented counts as 0; the mean is lower then.
    """
    same_grid(saliency, truth)
    found = segmentation(saliency, threshold) if predicted else np.zeros(truth.shape, bool)
    there, claimed = bool(truth.any()), bool(found.any())
    counts = there and claimed if true_positive_only else there or claimed
    return Segmented(label, group, iou(found, truth) if counts else None, hits_truth(saliency, truth))


def summarize_segmented(found: Sequence[Segmented], seed: int = 0) -> dict:
    """`miou` and `hit_rate` by label, pooled, and as the mean over labels; 1000 draws of groups for each interval."""
    return means(found, [(one.iou, one.hit) for one in found], ("miou", "hit_rate"), seed)
