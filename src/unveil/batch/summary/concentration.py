"""Places where the regions of a label lie in many images alike: what markers, texts and other shortcuts look like."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.stats import hypergeom

from unveil.batch.summary.columns import ArchiveColumns
from unveil.batch.summary.coverage import (
    CELLS,
    CELLS_SIDE,
    LabelCoverage,
    coarse_cells,
    count_cells,
    first_of_each_group,
)
from unveil.batch.summary.tails import shift_tail
from unveil.batch.summary.truth import truth_of
from unveil.batch.summary.wording import place_words
from unveil.multiple_testing import holm

MIN_IMAGES = 20  # of a label, before anything is said about its places
MIN_RATIO = 3.0  # of the share of images that cover a place to the mean over all places
MIN_OWN_RATIO = 2.0  # of that share to the one of other labels at the same place
ALPHA = 0.01
MARGIN = 2  # cells from an edge
EXAMPLES = 5
NEIGHBORS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class ConcentratedPlace:
    """A place that the regions of a label cover in many images.

    Attributes:
        label: The label.
        where: The place in plain words, such as "upper left corner".
        box: The place as top, left, bottom and right, in shares of the image.
        images: The number of images (one per group) with regions of the label.
        count: The number of these that have a region at the peak of the place.
        mean_share: The share of images that have a region in a place, averaged over all places.
        p_value: How likely any place of any label is covered so often if regions were anywhere, after Holm's
            correction.
        others_share: The share of images with regions of another label that have one at the peak; None without any.
        others_p_value: How likely so large a difference to the other labels is by chance, for all places together.
        is_at_margin: Whether the peak lies within an eighth of the image from an edge.
        is_own: Whether the place is one of this label: at least twice as frequent as with the others, with p <= .01.
        share_if_true: The share among images that truly have the label; None where none does or nothing is known.
        share_if_false: The share among images that don't have it.
        examples: Names of images with a region there.
        example_items: The indices of these images in the archive.
    """

    label: str
    where: str
    box: tuple[float, float, float, float]
    images: int
    count: int
    mean_share: float
    p_value: float
    others_share: float | None
    others_p_value: float | None
    is_at_margin: bool
    is_own: bool
    share_if_true: float | None
    share_if_false: float | None
    examples: tuple[str, ...]
    example_items: tuple[int, ...]

    @property
    def share(self) -> float:
        """The share of images that have a region at the peak of the place."""
        return self.count / self.images


@dataclass(frozen=True)
class _LabelCounts:
    label: int
    coverage: LabelCoverage
    covered: Int[np.ndarray, "256"]
    sizes: Int[np.ndarray, "257"]

    @property
    def mean_share(self) -> float:
        return float(self.sizes @ np.arange(CELLS + 1)) / (CELLS * len(self.coverage))

    @property
    def is_high(self) -> Bool[np.ndarray, "256"]:
        """The cells that are covered far more often than the mean."""
        return self.covered >= MIN_RATIO * self.mean_share * len(self.coverage)

    def p_values(self) -> Float[np.ndarray, "256"]:
        """For each cell; 1 where it isn't covered far more often than the mean, as nothing is said about it."""
        high = self.is_high
        tails = {count: shift_tail(self.sizes, int(count)) for count in np.unique(self.covered[high])}
        return np.array([tails[count] if is_high else 1.0 for count, is_high in zip(self.covered, high, strict=True)])


def find_places(columns: ArchiveColumns, coverage: LabelCoverage) -> tuple[ConcentratedPlace, ...]:
    """The concentrated places of all labels with at least 20 images: a label's own ones first,
    of these those at a margin of the image, and then by their share.

    A cell of a 16 x 16 grid is part of such a place if the share of images that cover it is at least three times the
    mean over all cells, and p <= .01: under the null hypothesis, the regions of each image are shifted around the edges
    of the image, at random and independently of other images. P values are corrected for all cells and labels (Holm).

    Args:
        columns: The archive.
        coverage: See `cover`.
    """
    coverage = first_of_each_group(coverage, columns.images.groups)
    counted = [_LabelCounts(label, part, *count_cells(part)) for label, part in coverage.by_label()]
    tested = [one for one in counted if len(one.coverage) >= MIN_IMAGES]
    if not tested:
        return ()
    p_values = np.array(holm(np.concatenate([one.p_values() for one in tested]).tolist()), float).reshape(-1, CELLS)
    covered = np.sum([one.covered for one in counted], axis=0)
    places = [
        _place(columns, one, cells, corrected, covered - one.covered, len(coverage) - len(one.coverage))
        for one, corrected in zip(tested, p_values, strict=True)
        for cells in _components((corrected <= ALPHA) & one.is_high)
    ]
    return tuple(
        sorted(places, key=lambda place: (not place.is_own, not place.is_at_margin, -place.share, place.label))
    )


def _components(found: Bool[np.ndarray, "256"]) -> Iterator[Bool[np.ndarray, "16 16"]]:
    grid = found.reshape(CELLS_SIDE, CELLS_SIDE)
    labels, count = ndimage.label(grid, structure=NEIGHBORS)  # pyright: ignore[reportGeneralTypeIssues]
    for number in range(1, count + 1):
        yield labels == number


def _place(
    columns: ArchiveColumns,
    counts: _LabelCounts,
    cells: Bool[np.ndarray, "16 16"],
    p_values: Float[np.ndarray, "256"],
    others: Int[np.ndarray, "256"],
    other_images: int,
) -> ConcentratedPlace:
    peak = int(np.argmax(np.where(cells.ravel(), counts.covered, -1)))
    peak_y, peak_x = divmod(peak, CELLS_SIDE)
    count, images = int(counts.covered[peak]), len(counts.coverage)
    others_share = others_p = None
    if other_images:
        others_share = int(others[peak]) / other_images
        both, covering = images + other_images, count + int(others[peak])
        # The peak is the highest of all cells, so the test counts for all of them.
        others_p = min(1.0, CELLS * float(hypergeom.sf(count - 1, both, covering, images)))
    is_own = others_share is not None and count / images >= MIN_OWN_RATIO * others_share and (others_p or 0.0) <= ALPHA
    box = _box(cells)
    there = coarse_cells(counts.coverage.bits)[:, peak]
    rows = counts.coverage.image
    if_true, if_false = _shares_by_truth(truth_of(columns, counts.label), rows, there)
    return ConcentratedPlace(
        label=columns.labels[counts.label],
        where=place_words(box),
        box=box,
        images=images,
        count=count,
        mean_share=counts.mean_share,
        p_value=float(p_values[peak]),
        others_share=others_share,
        others_p_value=others_p,
        is_at_margin=bool(min(peak_y, peak_x, CELLS_SIDE - 1 - peak_y, CELLS_SIDE - 1 - peak_x) < MARGIN),
        is_own=is_own,
        share_if_true=if_true,
        share_if_false=if_false,
        examples=tuple(map(str, columns.images.samples[rows[there][:EXAMPLES]])),
        example_items=tuple(columns.images.index[rows[there][:EXAMPLES]].tolist()),
    )


def _box(cells: Bool[np.ndarray, "16 16"]) -> tuple[float, float, float, float]:
    rows, lines = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    sides = (rows[0], lines[0], rows[-1] + 1, lines[-1] + 1)
    top, left, bottom, right = (int(side) / CELLS_SIDE for side in sides)
    return top, left, bottom, right


def _shares_by_truth(
    has_label: Bool[np.ndarray, "images"] | None, rows: Int[np.ndarray, "n"], there: Bool[np.ndarray, "n"]
) -> tuple[float | None, float | None]:
    """The share of `there` among images that truly have the label, and among the others."""
    if has_label is None:
        return None, None
    truly = has_label[rows]
    shares = [float(there[part].mean()) if part.any() else None for part in (truly, ~truly)]
    return shares[0], shares[1]
