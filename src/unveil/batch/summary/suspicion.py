"""Images by how suspicious their regions are."""

from dataclasses import dataclass

import numpy as np

from unveil.batch.summary.columns import VERDICTS, ArchiveColumns, ImageLabels

MOST_SUSPICIOUS = 100


@dataclass(frozen=True)
class SuspiciousImage:
    """An image, and why a person should look at it.

    Attributes:
        sample: The name of the image.
        suspicion: The mean of `region_suspicion` over its regions, in (0, 3].
        predicted: The labels that are predicted for it.
        later: The labels that are predicted only after regions were erased.
        supported: The number of supported regions.
        weak: The number of weak regions.
        artifact: The number of artifacts.
        untested: The number of regions without a trust card.
    """

    sample: str
    suspicion: float
    predicted: tuple[str, ...]
    later: tuple[str, ...]
    supported: int
    weak: int
    artifact: int
    untested: int


def rank_images(columns: ArchiveColumns, most: int = MOST_SUSPICIOUS) -> tuple[SuspiciousImage, ...]:
    """The most suspicious images first, at most so many; images without regions are left out.

    Args:
        columns: The archive.
        most: The number of images.
    """
    count, regions = len(columns.images), columns.regions
    numbers = np.bincount(regions.image, minlength=count)
    sums = np.bincount(regions.image, weights=regions.suspicion, minlength=count)
    means = np.where(numbers > 0, sums / np.maximum(numbers, 1), -1.0)
    rows = np.argsort(-means, kind="stable")[:most]
    rows = rows[numbers[rows] > 0]
    predicted, later = _names(columns, columns.predicted, rows), _names(columns, columns.later, rows)
    by_verdict = {
        name: np.bincount(regions.image[regions.verdict == number], minlength=count)
        for number, name in enumerate(VERDICTS)
    }
    untested = np.bincount(regions.image[regions.verdict < 0], minlength=count)
    return tuple(
        SuspiciousImage(
            sample=str(columns.images.samples[row]),
            suspicion=float(means[row]),
            predicted=predicted[int(row)],
            later=later[int(row)],
            untested=int(untested[row]),
            **{name: int(by_verdict[name][row]) for name in VERDICTS},
        )
        for row in rows
    )


def _names(columns: ArchiveColumns, pairs: ImageLabels, rows: np.ndarray) -> dict[int, tuple[str, ...]]:
    """The labels of some images, in the order of the pairs, each once."""
    names: dict[int, dict[str, None]] = {int(row): {} for row in rows}
    for place in np.flatnonzero(np.isin(pairs.image, rows)):
        names[int(pairs.image[place])][columns.labels[int(pairs.label[place])]] = None
    return {row: tuple(labels) for row, labels in names.items()}
