"""Measures of a region: stability, overlap with the first map, rim share and relative drop; and rank correlation."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from unveil.masks import distance_px, iou, label_components

# How far a hard edge reaches into the gradients of a ResNet-50, in grid px: the excess over the first map ends by 5
# px, as measured in docs/architecture.md.
RIM_PX = 6


def stability(
    region: Bool[np.ndarray, "*grid"], even: Bool[np.ndarray, "*grid"], odd: Bool[np.ndarray, "*grid"]
) -> float:
    """IoU of the regions that two independent halves of the noise samples give in this place.

    Only connected components that touch the region count. 1: both halves give the same pixels; 0: one gives none.
    """
    even_part, odd_part = (_touching(half, region) for half in (even, odd))
    return iou(even_part, odd_part) if even_part.any() else 0.0


def revealed(region: Bool[np.ndarray, "*grid"], first_map: Float[np.ndarray, "*grid"], area: int) -> float:
    """Share of a region outside the `area` strongest pixels of the first round's map: |R ∖ top_A(S_1)| / |R|.

    One map with a lower threshold is the alternative to rounds. 0: at equal area, it would have shown the whole region.
    """
    flat = np.argpartition(-first_map.ravel(), min(area, first_map.size) - 1)[:area]
    visible = np.zeros(first_map.size, dtype=bool)
    visible[flat] = True
    return float(1 - np.count_nonzero(region.ravel() & visible) / np.count_nonzero(region))


def _touching(half: Bool[np.ndarray, "*grid"], region: Bool[np.ndarray, "*grid"]) -> Bool[np.ndarray, "*grid"]:
    numbers, count = label_components(half)
    touches = np.zeros(count + 1, dtype=bool)
    touches[numbers[region]] = True
    touches[0] = False
    return touches[numbers]


def rim_share(
    region: Bool[np.ndarray, "*grid"], saliency: Float[np.ndarray, "*grid"], erased: Bool[np.ndarray, "*grid"]
) -> float:
    """Share of a region's saliency within `RIM_PX` of what was erased before: Σ_{R, d ≤ RIM_PX} S / Σ_R S."""
    weights = np.where(region, saliency, 0.0)
    total = float(weights.sum())
    if not erased.any() or total <= 0:
        return 0.0
    return float(weights[distance_px(erased) <= RIM_PX].sum()) / total


def rank_correlation(first: Float[np.ndarray, "*grid"], second: Float[np.ndarray, "*grid"]) -> float | None:
    """Spearman's ρ of two maps: the correlation of their ranks; equal values share their mean rank.

    None where either map is constant.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 6)
    0.5
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (a second of imports)

    ranks = np.stack([rankdata(values.ravel()) for values in (first, second)])
    ranks -= ranks.mean(1, keepdims=True)
    sizes = np.sqrt((ranks**2).sum(1))
    return float((ranks[0] * ranks[1]).sum() / sizes.prod()) if sizes.all() else None


def effective(drops: Sequence[float], targets: Sequence[Hashable], min_share: float) -> list[bool]:
    """For each region of a round, whether its drop is large enough beside the others of its target.

    A region is kept if its drop is at least `min_share` of the largest drop of the same target. If no region of a
    target lowers its score, the first is kept. `min_share` 0 keeps all.

    >>> effective([4.0, 0.2, -1.0], ["a", "a", "b"], 0.1)
    [True, False, True]
    """
    kept = [True] * len(drops)
    for target in dict.fromkeys(targets):
        own = [index for index, other in enumerate(targets) if other == target]
        largest = max(drops[index] for index in own)
        for index in own:
            kept[index] = min_share == 0 or (drops[index] >= min_share * largest if largest > 0 else index == own[0])
    return kept
