"""The pointing game and energy pointing: whether a map's peak lies on the truth, and how much of the map does."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from unveil.bootstrap import Estimate
from unveil.errors import AttributionError
from unveil.evaluation.metrics.heat import check_same_grid, has_evidence, peak_of_map
from unveil.evaluation.metrics.labels import LabelMeasurement, LabelTable, estimate_means
from unveil.masks import distance_px

TORCHRAY_TOLERANCE_PX = 15  # of the published tables of the pointing game


@dataclass(frozen=True)
class PointingResult(LabelMeasurement):
    """Pointing of the map of one `label` in one image, whose `group` is the unit that intervals draw.

    `hit`: whether the peak lies on the truth. `energy`: the share of the map that does. Both are None where the truth
    is empty; `energy` also for a map of zeros.
    """

    hit: bool | None
    energy: float | None


class PointingMeans(NamedTuple):
    """Means over images: `pointing` is hits / maps with a truth, `energy` the mean share."""

    pointing: Estimate
    energy: Estimate


def score_pointing(
    saliency: Float[np.ndarray, "h w"],
    truth: Bool[np.ndarray, "y x"],
    label: str,
    group: Hashable,
    tolerance_px: float = 0,
) -> PointingResult:
    """Both metrics for one map; `truth` is True on all objects of the label, on the map's grid."""
    hit = hits_truth(saliency, truth, tolerance_px)
    return PointingResult(label, group, hit, None if hit is None else energy_inside(saliency, truth))


def hits_truth(
    saliency: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "y x"], tolerance_px: float = 0
) -> bool | None:
    """Whether the map's peak lies on the truth (Zhang et al. 2016); None for an empty truth.

    The peak is the pixel with the largest value, the first in reading order among equal ones. With a tolerance the peak
    may lie beside the truth, less than `tolerance_px` (center to center, strictly) from one of its pixels; TorchRay
    uses 15 px. A map without evidence has no peak, and misses.
    """
    check_same_grid(saliency, truth)
    if not truth.any():
        return None
    peak = peak_of_map(saliency)
    if peak is None:
        return False
    return bool(truth[peak] or distance_px(truth)[peak] < tolerance_px)


def energy_inside(saliency: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "y x"]) -> float | None:
    """Σ of S over the truth / Σ of S (Wang et al. 2020, Score-CAM); None for an empty truth or a map of zeros.

    S ≥ 0, NaN outside the model's field of view: such pixels count as 0. For a constant map the result is the share of
    the area that the truth covers. Raises `AttributionError` for a signed map.
    """
    check_same_grid(saliency, truth)
    has_evidence(saliency)
    values = np.nan_to_num(saliency.astype(np.float64))
    if values.min() < 0:
        got = f"values down to {values.min():.3g}"
        raise AttributionError("a saliency map without negative values", got, "take a magnitude first")
    total = float(values.sum())
    return float(values[truth].sum()) / total if total and truth.any() else None


def summarize_pointing(results: Sequence[PointingResult], seed: int = 0) -> LabelTable[PointingMeans]:
    """Means by label, pooled, and over labels: TorchRay's tables are means over labels, Score-CAM's are pooled."""
    return estimate_means(results, [(result.hit, result.energy) for result in results], PointingMeans, seed)
