"""The localization table of ChestX-ray8 (Wang et al. 2017, table 4): accuracy and false positives by IoU and IoBB."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from unveil.bootstrap import Estimate
from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.detections import iou_and_iobb
from unveil.evaluation.metrics.labels import EstimateArray, LabelMeasurement, estimate_by_label, row_as_dict
from unveil.masks import Box

CRITERIA = ("iou", "iobb")
THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
MEASURES = ("accuracy", "afp")


@dataclass(frozen=True, eq=False)
class Localization(LabelMeasurement):
    """Counts for one `label` of one image, whose `group` is the unit that intervals draw.

    Attributes:
        boxes: The number of annotated boxes.
        detected: The number of detected boxes.
        found: The number of annotated boxes that were found, for every criterion and threshold.
        false: The number of detected boxes that are false, for every criterion and threshold.
    """

    boxes: int
    detected: int
    found: Int[np.ndarray, "criteria thresholds"]
    false: Int[np.ndarray, "criteria thresholds"]


class ThresholdScores(NamedTuple):
    """One cell of the table: `accuracy` (boxes found / boxes annotated) and `afp` (false boxes / images) above a
    threshold T of IoU or IoBB."""

    threshold: float
    accuracy: Estimate
    afp: Estimate


class LocalizationCounts(NamedTuple):
    """How many images were counted, and how many boxes are annotated and detected in them."""

    images: int
    boxes: int
    detected: int


@dataclass(frozen=True)
class LocalizationRow:
    """One row of the table: one label, all labels pooled, or the mean over the labels.

    Attributes:
        counts: The numbers of images and boxes; None for the mean over the labels.
        iou: Scores by threshold of IoU.
        iobb: Scores by threshold of IoBB.
    """

    counts: LocalizationCounts | None
    iou: tuple[ThresholdScores, ...]
    iobb: tuple[ThresholdScores, ...]

    def by(self, criterion: str) -> tuple[ThresholdScores, ...]:
        """The cells of one of the `CRITERIA`."""
        return {"iou": self.iou, "iobb": self.iobb}[criterion]

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        cells = {name: [row_as_dict(cell) for cell in self.by(name)] for name in CRITERIA}
        return {**(self.counts._asdict() if self.counts else {}), **cells}


@dataclass(frozen=True)
class LocalizationTable:
    """The localization table of ChestX-ray8.

    Attributes:
        labels: One row per label.
        pooled: The row of all labels pooled.
        mean: The mean over the labels.
    """

    labels: dict[str, LocalizationRow]
    pooled: LocalizationRow
    mean: LocalizationRow

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "labels": [{"label": label, **row.as_dict()} for label, row in self.labels.items()],
            "pooled": self.pooled.as_dict(),
            "mean": {"labels": len(self.labels), **self.mean.as_dict()},
        }


def count_localization(
    detected: Sequence[Box], truth: Sequence[LabeledBox], label: str, group: Hashable
) -> Localization:
    """Count the boxes detected for a label in one image against those annotated, both in pixels of the image.

    A detected box is right by a criterion at T if its IoU (or its IoBB) with an annotated box is above T, else it is
    false; an annotated box is found if a detected box is right about it. `detected` are the boxes of a heat map
    (`boxes_of_map`) or of a run's regions. In an image without the label `truth` is empty, and every detected box is
    false.
    """
    both = np.stack(iou_and_iobb(detected, truth))
    right = both[:, None] > np.array(THRESHOLDS)[:, None, None]
    found, false = right.any(axis=2).sum(axis=2), (~right.any(axis=3)).sum(axis=2)
    return Localization(label, group, len(truth), len(detected), found.astype(int), false.astype(int))


def summarize_localization(counts: Sequence[Localization], seed: int = 0) -> LocalizationTable:
    """The table, with intervals by drawing groups with replacement.

    Images are those that were counted for the label. The AFP depends on whether images without the label are among
    them: see the documentation.
    """
    shape = (len(CRITERIA), len(THRESHOLDS), len(MEASURES))
    over, under = np.zeros((2, len(counts), *shape))
    for number, count in enumerate(counts):
        over[number] = np.stack([count.found, count.false], axis=2)
        under[number] = count.boxes, 1
    estimates = estimate_by_label(counts, over, under, seed)
    return LocalizationTable(
        labels={
            label: _row(estimate, [count for count in counts if count.label == label])
            for label, estimate in estimates.labels.items()
        },
        pooled=_row(estimates.pooled, counts),
        mean=_row(estimates.mean, None),
    )


def _row(estimate: EstimateArray, counts: Sequence[Localization] | None) -> LocalizationRow:
    iou, iobb = (
        tuple(
            ThresholdScores(threshold, estimate[at, place, 0], estimate[at, place, 1])
            for place, threshold in enumerate(THRESHOLDS)
        )
        for at in range(len(CRITERIA))
    )
    return LocalizationRow(None if counts is None else _count(counts), iou, iobb)


def _count(counts: Sequence[Localization]) -> LocalizationCounts:
    return LocalizationCounts(
        len(counts), sum(count.boxes for count in counts), sum(count.detected for count in counts)
    )
