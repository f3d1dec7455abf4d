"""MaxBoxAcc and MaxBoxAccV2 (Choe et al. 2020): boxes of a map at its best threshold, the same for all images."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unveil.datasets import LabeledBox
from unveil.evaluation.bootstrap import bounds, by_group, divided, draws, percentiles
from unveil.evaluation.metrics.detections import iou_and_iobb, part_boxes
from unveil.evaluation.metrics.heat import stretched
from unveil.masks import label_components

OVERLAPS = (0.3, 0.5, 0.7)
STEPS = 256
KINDS = ("largest", "any")


@dataclass(frozen=True, eq=False)
class BoxAccurate:
    """What one image adds: for every overlap δ and threshold τ whether the box of the largest part, or that of any
    part, has an IoU of at least δ with an annotated one."""

    group: Hashable
    right: Bool[np.ndarray, "kinds overlaps steps"]


def box_accurate(
    saliency: Float[np.ndarray, "h w"], truth: Sequence[LabeledBox], group: Hashable, steps: int = STEPS
) -> BoxAccurate:
    """Cut the map, stretched to [0, 1], at τ = 0, 1/steps, …: the boxes of the connected parts of {S ≥ τ}.

    256 steps tell apart all that a map of 8 bits can. Boxes are in pixels of the map's grid. A map without evidence is
    wrong at every threshold.
    """
    right = np.zeros((len(KINDS), len(OVERLAPS), steps), bool)
    heat = stretched(saliency)
    if heat is None or not truth:
        return BoxAccurate(group, right)
    limits = np.array(OVERLAPS)
    area_before = -1
    for step in range(steps):
        inside = heat >= step / steps
        area = int(np.count_nonzero(inside))
        if area == area_before:  # the sets are nested, so that it is the same one
            right[:, :, step] = right[:, :, step - 1]
            continue
        area_before = area
        numbers, _ = label_components(inside)
        best = iou_and_iobb(part_boxes(numbers), truth)[0].max(axis=1)
        largest = int(np.argmax(np.bincount(numbers.ravel())[1:]))  # of equal ones the first
        right[:, :, step] = best[largest] >= limits, best.max() >= limits
    return BoxAccurate(group, right)


def summarize_box_accuracy(found: Sequence[BoxAccurate], seed: int = 0) -> dict:
    """`max_box_acc`: images right by their largest part's box at δ = .5, at the τ where most are. `max_box_acc_v2`: the
    mean over δ = .3, .5, .7 of the same by any part's box, each at its own best τ. None without images.

    The best τ is chosen on the images given, by definition, and anew in every draw of the bootstrap. `thresholds` are
    the best τ, of equal ones the smallest.
    """
    if not found:
        return {"images": 0, "max_box_acc": None, "max_box_acc_v2": None}
    sums = by_group(np.stack([one.right for one in found]).astype(float), [one.group for one in found])
    counts = by_group(np.ones(len(found)), [one.group for one in found])
    drawn, of = draws(sums, seed), draws(counts, seed)
    whole = sums.sum(axis=0) / len(found)
    best, best_drawn = (
        whole.max(axis=2),
        divided(drawn.max(axis=3), np.broadcast_to(of[:, None, None], drawn.shape[:3])),
    )
    half = OVERLAPS.index(0.5)
    steps = whole.shape[2]
    return {
        "images": len(found),
        "max_box_acc": float(best[0, half]),
        "max_box_acc_95": bounds(percentiles(best_drawn[:, 0, half])),
        "max_box_acc_v2": float(best[1].mean()),
        "max_box_acc_v2_95": bounds(percentiles(best_drawn[:, 1].mean(axis=1))),
        "by_overlap": [
            {
                "overlap": overlap,
                **{kind: float(best[at, row]) for at, kind in enumerate(KINDS)},
                "thresholds": [int(whole[at, row].argmax()) / steps for at in range(len(KINDS))],
            }
            for row, overlap in enumerate(OVERLAPS)
        ],
    }
