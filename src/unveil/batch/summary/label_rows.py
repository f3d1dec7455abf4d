"""What an archive says of each label, as one row."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from unveil.batch.places import PLACES_SIDE
from unveil.batch.summary.columns import VERDICTS, ArchiveColumns, ImageLabels
from unveil.batch.summary.coverage import LabelCoverage, place_shares
from unveil.records import Verdict

SUPPORTED = VERDICTS.index(str(Verdict.SUPPORTED))


@dataclass(frozen=True, eq=False)
class LabelSummary:
    """What an archive says of one label.

    Attributes:
        label: The label.
        predicted: The number of images that it is predicted for, as a whole.
        images: The number of images with a region of the label.
        regions: The number of its regions.
        unsupported_first: Of the images whose first region of the label has a trust card, the share in which it is weak
            or an artifact; None without any.
        later: The number of images for which it is predicted only after regions were erased.
        mean_drop: The mean drop of its regions in logits; None without any.
        where: The share of the images with a region whose regions cover each place, on a grid over the image.
        placed: The number of these images; volumes have no places.
    """

    label: str
    predicted: int
    images: int
    regions: int
    unsupported_first: float | None
    later: int
    mean_drop: float | None
    where: Float[np.ndarray, "32 32"]
    placed: int


def summarize_labels(columns: ArchiveColumns, coverage: LabelCoverage) -> tuple[LabelSummary, ...]:
    """One row for each label that was predicted or has a region, those with the most images first.

    Args:
        columns: The archive.
        coverage: See `cover`.
    """
    count, regions = len(columns.labels), columns.regions
    first = first_regions(columns)
    tested = first[regions.verdict[first] >= 0]
    numbers = np.bincount(regions.label, minlength=count)
    images = np.bincount(regions.label[first], minlength=count)
    tested_count = np.bincount(regions.label[tested], minlength=count)
    unsupported = tested[regions.verdict[tested] != SUPPORTED]
    unsupported_count = np.bincount(regions.label[unsupported], minlength=count)
    drops = np.bincount(regions.label, weights=regions.drop, minlength=count)
    predicted, later = _images_per_label(columns.predicted, count), _images_per_label(columns.later, count)
    parts = dict(coverage.by_label())
    nowhere = np.zeros((PLACES_SIDE, PLACES_SIDE))
    rows = [
        LabelSummary(
            label=columns.labels[number],
            predicted=int(predicted[number]),
            images=int(images[number]),
            regions=int(numbers[number]),
            unsupported_first=float(unsupported_count[number] / tested_count[number]) if tested_count[number] else None,
            later=int(later[number]),
            mean_drop=float(drops[number] / numbers[number]) if numbers[number] else None,
            where=place_shares(parts[number]) if number in parts else nowhere,
            placed=len(parts[number]) if number in parts else 0,
        )
        for number in np.flatnonzero(numbers + predicted + later).tolist()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.images, -row.predicted, row.label)))


def first_regions(columns: ArchiveColumns) -> Int[np.ndarray, "n"]:
    """The first region of each label in each image, as rows of `columns.regions`."""
    regions = columns.regions
    # The sort is stable: of equal pairs, the first in the table is the first region.
    order = np.lexsort((regions.round, regions.label, regions.image))
    image, label = regions.image[order], regions.label[order]
    if not len(order):
        return order
    new = (np.diff(image, prepend=image[0] - 1) != 0) | (np.diff(label, prepend=label[0] - 1) != 0)
    return order[new]


def _images_per_label(pairs: ImageLabels, count: int) -> Int[np.ndarray, "labels"]:
    if not len(pairs.image):
        return np.zeros(count, int)
    unique = np.unique(np.stack([pairs.label, pairs.image]), axis=1)
    return np.bincount(unique[0], minlength=count)
