"""Cheap numbers that say how a region came about: how settled it is, what revealed it, and whether it is a rim; and how
alike two maps rank their pixels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from unveil.masks import distance_px, iou, label_components

# How far a hard edge reaches into the gradients of a ResNet-50, in grid px: the excess over the first map ends by 5
# px, as measured in docs/architecture.md.
RIM_PX = 6


def stability(
    region: Bool[np.ndarray, "*grid"], even: Bool[np.ndarray, "*grid"], odd: Bool[np.ndarray, "*grid"]
) -> float:
    """IoU of what two independent halves of the noise found in this place.

    Of each half, the connected parts that touch the region count. 1: both halves found the same; 0: one found nothing.
    """
    here = [_touching(half, region) for half in (even, odd)]
    return iou(*here) if here[0].any() else 0.0


def revealed(region: Bool[np.ndarray, "*grid"], first_map: Float[np.ndarray, "*grid"], area: int) -> float:
    """Share of a region outside the `area` strongest pixels of the first round's map: |R ∖ top_A(S_1)| / |R|.

    The honest rival of iterating is one map with a lower threshold at equal area. 0: that would have shown the whole
    region.
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


def rank_correlation(one: Float[np.ndarray, "*grid"], other: Float[np.ndarray, "*grid"]) -> float | None:
    """Spearman's ρ: the correlation of the ranks, equal values sharing their mean rank. None where either is
    constant."""
    from scipy.stats import rankdata  # noqa: PLC0415 (a second of imports)

    ranks = np.stack([rankdata(values.ravel()) for values in (one, other)])
    ranks -= ranks.mean(1, keepdims=True)
    sizes = np.sqrt((ranks**2).sum(1))
    return float((ranks[0] * ranks[1]).sum() / sizes.prod()) if sizes.all() else None


def effective(drops: Sequence[float], targets: Sequence[str], least: float) -> list[bool]:
    """Which regions take at least this share of what the most effective one takes from the same target; where none
    takes anything, the first. All of them for a share of 0."""
    kept = [True] * len(drops)
    for target in dict.fromkeys(targets):
        own = [index for index, other in enumerate(targets) if other == target]
        most = max(drops[index] for index in own)
        for index in own:
            kept[index] = least == 0 or (drops[index] >= least * most if most > 0 else index == own[0])
    return kept
