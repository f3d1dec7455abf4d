"""Which places the regions of each label cover in each image: the union of its regions, kept as bits."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from unveil.batch.places import PLACES_SIDE, covered_cells
from unveil.batch.summary.columns import NO_GROUP, RegionColumns

CELLS_SIDE = 16  # cells along each side of the grid on which concentrated places are looked for
CELLS = CELLS_SIDE * CELLS_SIDE
BATCH = 8192  # unions that are unpacked at once: 8 MB


@dataclass(frozen=True)
class LabelCoverage:
    """One entry per image and label with at least one region whose place is known, sorted by label and image.

    Attributes:
        image: The row of the image.
        label: The number of the label.
        bits: The places that the regions of this label cover in this image, see `place_bits`.
    """

    image: Int[np.ndarray, "n"]
    label: Int[np.ndarray, "n"]
    bits: UInt8[np.ndarray, "n 128"]

    def __len__(self) -> int:
        """The number of images with a label."""
        return len(self.image)

    def take(self, rows: Int[np.ndarray, "m"] | Bool[np.ndarray, "n"]) -> "LabelCoverage":
        """Some of the entries, in order."""
        return LabelCoverage(self.image[rows], self.label[rows], self.bits[rows])

    def by_label(self) -> Iterator[tuple[int, "LabelCoverage"]]:
        """The entries of each label that occurs."""
        for start, stop in pairwise([*np.flatnonzero(np.diff(self.label, prepend=-1)), len(self)]):
            yield int(self.label[start]), self.take(np.arange(start, stop))


def cover(regions: RegionColumns) -> LabelCoverage:
    """The union of the `regions` of each image and label; regions without a place are left out."""
    known = np.flatnonzero(regions.places.any(axis=1))
    # Sorted by label, then by image.
    order = known[np.lexsort((regions.image[known], regions.label[known]))]
    image, label = regions.image[order], regions.label[order]
    if not len(order):
        return LabelCoverage(image, label, regions.places[order])
    new = (np.diff(image, prepend=image[0] - 1) != 0) | (np.diff(label, prepend=label[0] - 1) != 0)
    starts = np.flatnonzero(new)
    bits = np.bitwise_or.reduceat(regions.places[order], starts, axis=0)
    return LabelCoverage(image[starts], label[starts], bits)


def first_of_each_group(coverage: LabelCoverage, groups: Int[np.ndarray, "images"]) -> LabelCoverage:
    """For each label, one image per group (such as a patient): the first one. Images without a group are all kept.

    Images of one group aren't independent of each other: a pacemaker is in the same place in all of a patient's.
    """
    group = groups[coverage.image]
    known = np.flatnonzero(group != NO_GROUP)
    pairs = np.stack([coverage.label[known], group[known]], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    return coverage.take(np.sort(np.concatenate([np.flatnonzero(group == NO_GROUP), known[first]])))


def place_shares(coverage: LabelCoverage) -> Float[np.ndarray, "32 32"]:
    """In which share of the entries each place is covered."""
    total = np.zeros((PLACES_SIDE, PLACES_SIDE))
    for start in range(0, len(coverage), BATCH):
        total += covered_cells(coverage.bits[start : start + BATCH]).sum(axis=0)
    return total / max(len(coverage), 1)


def coarse_cells(bits: UInt8[np.ndarray, "n 128"]) -> Bool[np.ndarray, "n 256"]:
    """The cells of a 16 x 16 grid, True where any of its four places is covered."""
    rows = bits.reshape(len(bits), CELLS_SIDE, 2, 4)
    rows = rows[:, :, 0] | rows[:, :, 1]
    # A bit and the next one; of these, every other is a cell.
    either: UInt8[np.ndarray, "n 16 4"] = np.bitwise_or(rows, rows >> 1)  # pyright: ignore[reportAssignmentType]
    cells = np.unpackbits(either, axis=-1, bitorder="little")[..., ::2]
    return cells.reshape(len(bits), CELLS).view(bool)


def count_cells(coverage: LabelCoverage) -> tuple[Int[np.ndarray, "256"], Int[np.ndarray, "257"]]:
    """How many entries cover each cell of the 16 x 16 grid, and how many entries cover 0, 1, ... 256 cells."""
    covered, sizes = np.zeros(CELLS, int), np.zeros(CELLS + 1, int)
    for start in range(0, len(coverage), BATCH):
        cells = coarse_cells(coverage.bits[start : start + BATCH])
        covered += cells.sum(axis=0)
        sizes += np.bincount(cells.sum(axis=1), minlength=CELLS + 1)
    return covered, sizes
