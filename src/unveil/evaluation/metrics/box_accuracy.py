"""MaxBoxAcc and MaxBoxAccV2 (Choe et al. 2020): boxes of a map at its best threshold, the same for all images."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unveil.bootstrap import Estimate, bounds, by_group, divided, draws, percentiles
from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.detections import iou_and_iobb, part_boxes
from unveil.evaluation.metrics.heat import stretch_map
from unveil.masks import label_components

OVERLAPS = (0.3, 0.5, 0.7)
STEPS = 256
KINDS = ("largest", "any")


@dataclass(frozen=True, eq=False)
class BoxAccuracy:
    """The result for one image.

    Attributes:
        group: The unit that intervals draw.
        right: Whether the box of the largest part (first row), or of any part (second row), has an IoU of at least δ
            with an annotated box, for every overlap δ and threshold τ.
    """

    group: Hashable
    right: Bool[np.ndarray, "kinds overlaps steps"]


@dataclass(frozen=True)
class OverlapAccuracy:
    """The share of images that are right at one overlap δ.

    Attributes:
        overlap: The overlap δ.
        largest: The share by the largest part's box, at its best threshold.
        any: The share by any part's box, at its best threshold.
        thresholds: These two thresholds, the smallest among equally good ones.
    """

    overlap: float
    largest: float
    any: float
    thresholds: tuple[float, float]


@dataclass(frozen=True)
class BoxAccuracyTable:
    """MaxBoxAcc and MaxBoxAccV2 of several images (Choe et al. 2020).

    Attributes:
        images: The number of images.
        max_box_acc: The share by the largest part's box at δ = 0.5.
        max_box_acc_v2: The mean over δ of the share by any part's box.
        by_overlap: The shares by overlap.
    """

    images: int
    max_box_acc: Estimate
    max_box_acc_v2: Estimate
    by_overlap: tuple[OverlapAccuracy, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "images": self.images,
            **self.max_box_acc.as_dict("max_box_acc"),
            **self.max_box_acc_v2.as_dict("max_box_acc_v2"),
            "by_overlap": [
                {
                    "overlap": row.overlap,
                    "largest": row.largest,
                    "any": row.any,
                    "thresholds": list(row.thresholds),
                }
                for row in self.by_overlap
            ],
        }


def score_boxes(
    saliency: Float[np.ndarray, "h w"], truth: Sequence[LabeledBox], group: Hashable, steps: int = STEPS
) -> BoxAccuracy:
    """Cut the map, stretched to [0, 1], at τ = 0, 1/steps, …: the boxes are those of the connected parts of {S ≥ τ}.

    256 steps distinguish all values of a map of 8 bits. Boxes are in pixels of the map's grid. A map without evidence
    is wrong at every threshold.
    """
    right = np.zeros((len(KINDS), len(OVERLAPS), steps), bool)
    heat = stretch_map(saliency)
    if heat is None or not truth:
        return BoxAccuracy(group, right)
    limits = np.array(OVERLAPS)
    area_before = -1
    for step in range(steps):
        inside = heat >= step / steps
        area = int(np.count_nonzero(inside))
        if area == area_before:  # the sets are nested, so an equal area means the same set
            right[:, :, step] = right[:, :, step - 1]
            continue
        area_before = area
        numbers, _ = label_components(inside)
        best = iou_and_iobb(part_boxes(numbers), truth)[0].max(axis=1)
        largest = int(np.argmax(np.bincount(numbers.ravel())[1:]))  # the first among equally large ones
        right[:, :, step] = best[largest] >= limits, best.max() >= limits
    return BoxAccuracy(group, right)


def summarize_box_accuracy(results: Sequence[BoxAccuracy], seed: int = 0) -> BoxAccuracyTable:
    """`max_box_acc`: share of images right by their largest part's box at δ = 0.5, at the τ where most are right.
    `max_box_acc_v2`: mean over δ = 0.3, 0.5, 0.7 of the same share by any part's box, each at its own best τ.

    By definition the best τ is chosen on the images given; each bootstrap draw chooses it anew. None without images.
    """
    if not results:
        return BoxAccuracyTable(0, Estimate(None), Estimate(None))
    groups = [result.group for result in results]
    sums = by_group(np.stack([result.right for result in results]).astype(float), groups)
    counts = by_group(np.ones(len(results)), groups)
    drawn, counts_drawn = draws(sums, seed), draws(counts, seed)
    shares = sums.sum(axis=0) / len(results)
    best, best_drawn = (
        shares.max(axis=2),
        divided(drawn.max(axis=3), np.broadcast_to(counts_drawn[:, None, None], drawn.shape[:3])),
    )
    half = OVERLAPS.index(0.5)
    steps = shares.shape[2]
    return BoxAccuracyTable(
        images=len(results),
        max_box_acc=Estimate(float(best[0, half]), bounds(percentiles(best_drawn[:, 0, half]))),
        max_box_acc_v2=Estimate(float(best[1].mean()), bounds(percentiles(best_drawn[:, 1].mean(axis=1)))),
        by_overlap=tuple(
            OverlapAccuracy(
                overlap,
                float(best[0, row]),
                float(best[1, row]),
                (int(shares[0, row].argmax()) / steps, int(shares[1, row].argmax()) / steps),
            )
            for row, overlap in enumerate(OVERLAPS)
        ),
    )
