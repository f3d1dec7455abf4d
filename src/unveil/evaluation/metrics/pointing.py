"""The pointing game and energy pointing: does a map's peak lie on the truth, and how much of the map does?"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import AttributionError
from unveil.evaluation.metrics.heat import peak_of_map, same_grid, shows_evidence
from unveil.evaluation.metrics.labels import Item, means
from unveil.masks import distance_px

TORCHRAY_TOLERANCE_PX = 15  # of the published tables of the pointing game


@dataclass(frozen=True)
class Pointed(Item):
    """What one map adds. `hit`: the peak lies on the truth. `energy`: the share of the map that does. Both are None
    where the truth is empty; `energy` also where the map shows nothing."""

    hit: bool | None
    energy: float | None


def pointed(
    saliency: Float[np.ndarray, "h w"],
    truth: Bool[np.ndarray, "y x"],
    label: str,
    group: Hashable,
    tolerance_px: float = 0,
) -> Pointed:
    """Both games for one map; `truth` is True on all objects of the label, on the map's grid."""
    hit = hits_truth(saliency, truth, tolerance_px)
    return Pointed(label, group, hit, None if hit is None else energy_inside(saliency, truth))


def hits_truth(
    saliency: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "y x"], tolerance_px: float = 0
) -> bool | None:
    """Whether the map's peak lies on the truth (Zhang et al. 2016); None for an empty truth.

    The peak is the pixel with the largest value, of equal ones the first in reading order. With a tolerance it need
    only be nearer than so many px (center to center, strictly) to a pixel of the truth, as in TorchRay with 15 px. A
    map without evidence points nowhere, and misses.
    """
    same_grid(saliency, truth)
    if not truth.any():
        return None
    place = peak_of_map(saliency)
    if place is None:
        return False
    return bool(truth[place] or distance_px(truth)[place] < tolerance_px)


def energy_inside(saliency: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "y x"]) -> float | None:
    """Σ of S over the truth / Σ of S (Wang et al. 2020, Score-CAM); None for an empty truth or a map of zeros.

    S ≥ 0, NaN where the model doesn't see: such pixels count nothing. A map that is the same everywhere has the share
    of the truth's area. Raises `AttributionError` for a signed map.
    """
    same_grid(saliency, truth)
    shows_evidence(saliency)
    seen = np.nan_to_num(saliency.astype(np.float64))
    if seen.min() < 0:
        got = f"values down to {seen.min():.3g}"
        raise AttributionError("a saliency, which isn't negative anywhere", got, "take a magnitude first")
    total = float(seen.sum())
    return float(seen[truth].sum()) / total if total and truth.any() else None


def summarize_pointing(found: Sequence[Pointed], seed: int = 0) -> dict:
    """`pointing` (hits / maps with a truth) and `energy` (mean share), by label, pooled, and as the mean over labels.

    The tables of TorchRay are means over labels, those of Score-CAM pooled.
    """
    return means(found, [(one.hit, one.energy) for one in found], ("pointing", "energy"), seed)
