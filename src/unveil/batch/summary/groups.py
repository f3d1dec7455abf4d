"""Groups of images whose first regions of a label look alike: in similar places, with the same verdict."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.cluster.hierarchy import average, fcluster
from scipy.spatial.distance import pdist

from unveil.batch.places import PLACES_SIDE, covered_cells
from unveil.batch.summary.columns import NO_VERDICT, VERDICTS, ArchiveColumns
from unveil.batch.summary.label_rows import first_regions

MOST_SAMPLED = 2000
SIDE = 8  # cells along each side of the maps that are compared
OTHER_VERDICT = 0.6  # is added to the distance
LARGEST_DISTANCE = 0.5
MIN_SHARE, MIN_SIZE, MOST_GROUPS, EXAMPLES = 0.02, 3, 8, 3


@dataclass(frozen=True, eq=False)
class AlikeGroup:
    """Images whose first regions of a label look alike.

    Attributes:
        label: The label.
        verdict: The verdict of these regions; None for regions without a trust card.
        size: The number of images.
        share: Their share of all images and labels that were compared.
        where: The share of them whose first region covers each place of the image.
        examples: Names of images, the most typical first.
    """

    label: str
    verdict: str | None
    size: int
    share: float
    where: Float[np.ndarray, "32 32"]
    examples: tuple[str, ...]


def find_groups(columns: ArchiveColumns, seed: int = 0) -> tuple[AlikeGroup, ...]:
    """The largest groups of images whose first regions of a label look alike, at most eight.

    Args:
        columns: The archive.
        seed: For the sample of 2000 first regions that are compared where there are more.

    Clusters of average linkage within each label. The distance of two regions is 1 minus the cosine of their maps,
    blurred and on an 8 x 8 grid, plus .6 if their verdicts differ; clusters that are joined are at most .5 apart on
    average. So a group has one verdict.
    """
    first = first_regions(columns)
    first = first[columns.regions.places[first].any(axis=1)]
    if len(first) > MOST_SAMPLED:
        chosen = np.random.default_rng(seed).choice(len(first), MOST_SAMPLED, replace=False)
        first = first[np.sort(chosen)]
    labels = columns.regions.label[first]
    least = max(MIN_SIZE, MIN_SHARE * len(first))
    groups = [
        _group(columns, rows, len(first))
        for label in np.unique(labels)
        for rows in _clusters(columns, first[labels == label])
        if len(rows) >= least
    ]
    return tuple(sorted(groups, key=lambda group: (-group.size, group.label))[:MOST_GROUPS])


def _clusters(columns: ArchiveColumns, rows: Int[np.ndarray, "n"]) -> list[Int[np.ndarray, "m"]]:
    if len(rows) < MIN_SIZE:
        return []
    maps = blurred_maps(covered_cells(columns.regions.places[rows]))
    verdicts = columns.regions.verdict[rows]
    distances = pdist(maps, "cosine").clip(0) + OTHER_VERDICT * pdist(verdicts[:, None], "hamming")
    numbers = fcluster(average(distances), LARGEST_DISTANCE, "distance")
    return [rows[numbers == number] for number in np.unique(numbers)]


def blurred_maps(cells: np.ndarray) -> Float[np.ndarray, "n 64"]:
    """Cells of 32 x 32 places, blurred over 3 x 3 cells of an 8 x 8 grid; never all 0 where any place is covered."""
    step = PLACES_SIDE // SIDE
    coarse = cells.reshape(len(cells), SIDE, step, SIDE, step).mean(axis=(2, 4))
    return ndimage.uniform_filter(coarse, 3, axes=(1, 2), mode="constant").reshape(len(cells), SIDE * SIDE)


def _group(columns: ArchiveColumns, rows: Int[np.ndarray, "m"], total: int) -> AlikeGroup:
    cells = covered_cells(columns.regions.places[rows])
    maps = blurred_maps(cells)
    maps = maps / np.linalg.norm(maps, axis=1, keepdims=True)
    # Rounded, so that of equally typical ones the first are named.
    typical = np.argsort(-(maps @ maps.mean(axis=0)).round(9), kind="stable")[:EXAMPLES]
    verdict = int(columns.regions.verdict[rows[0]])
    return AlikeGroup(
        label=columns.labels[int(columns.regions.label[rows[0]])],
        verdict=None if verdict == NO_VERDICT else VERDICTS[verdict],
        size=len(rows),
        share=len(rows) / total,
        where=cells.mean(axis=0),
        examples=tuple(str(columns.images.samples[row]) for row in columns.regions.image[rows[typical]]),
    )
