"""The localization table of ChestX-ray8 (Wang et al. 2017, table 4): accuracy and false positives by IoU and IoBB."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.detections import iou_and_iobb
from unveil.evaluation.metrics.labels import Estimate, Item, by_label
from unveil.masks import Box

CRITERIA = ("iou", "iobb")
THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
MEASURES = ("accuracy", "afp")


@dataclass(frozen=True, eq=False)
class Localized(Item):
    """What one label of one image adds: how many `boxes` are annotated and `detected`, and for every criterion and
    threshold how many of the annotated were `found` and of the detected are `false`."""

    boxes: int
    detected: int
    found: Int[np.ndarray, "criteria thresholds"]
    false: Int[np.ndarray, "criteria thresholds"]


def localized(detected: Sequence[Box], truth: Sequence[LabeledBox], label: str, group: Hashable) -> Localized:
    """Count the boxes detected for a label in one image against those annotated, both in pixels of the image.

    A detected box is right by a criterion at T if its IoU (or its IoBB) with an annotated box is above T, else it is
    false; an annotated box is found if a detected one is right about it. `detected` are the boxes of a heat map
    (`boxes_of_map`) or of a run's regions. An image without the label has no `truth`: all that is detected is false.
    """
    both = np.stack(iou_and_iobb(detected, truth))
    right = both[:, None] > np.array(THRESHOLDS)[:, None, None]
    found, false = right.any(axis=2).sum(axis=2), (~right.any(axis=3)).sum(axis=2)
    return Localized(label, group, len(truth), len(detected), found.astype(int), false.astype(int))


def summarize_localized(found: Sequence[Localized], seed: int = 0) -> dict:
    """The table: for every label, criterion and T the `accuracy` (boxes found / boxes annotated) and the `afp` (false
    boxes / images), with intervals `…_95` by drawing groups with replacement; `pooled`, and the `mean` over labels.

    Images are those that were counted for the label. Whether images without it are among them decides about the AFP:
    see the documentation.
    """
    shape = (len(CRITERIA), len(THRESHOLDS), len(MEASURES))
    over, under = np.zeros((2, len(found), *shape))
    for number, one in enumerate(found):
        over[number] = np.stack([one.found, one.false], axis=2)
        under[number] = one.boxes, 1
    table = by_label(found, over, under, seed)
    return {
        "labels": [
            {"label": label, **_counts([one for one in found if one.label == label]), **_rows(estimate)}
            for label, estimate in table.labels.items()
        ],
        "pooled": {**_counts(found), **_rows(table.pooled)},
        "mean": {"labels": len(table.labels), **_rows(table.mean)},
    }


def _counts(found: Sequence[Localized]) -> dict[str, int]:
    return {
        "images": len(found),
        "boxes": sum(one.boxes for one in found),
        "detected": sum(one.detected for one in found),
    }


def _rows(estimate: Estimate) -> dict[str, list[dict]]:
    return {
        criterion: [
            {
                "threshold": threshold,
                **Estimate(estimate.value[at, row], estimate.interval[:, at, row]).as_dict(MEASURES),
            }
            for row, threshold in enumerate(THRESHOLDS)
        ]
        for at, criterion in enumerate(CRITERIA)
    }
