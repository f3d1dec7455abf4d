"""Which boxes of a data set the regions of a run hit by which round, and the chance that shifted regions hit them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from unveil.datasets import LabeledBox
from unveil.images import Geometry
from unveil.masks import union
from unveil.records import Region, Round, Run

COVERED = (10, 25, 50)  # % of the box that must be erased
ON_BOX = 50  # % of one region that must lie in the box
CRITERIA = ("pointing", *(f"covered_{percent}" for percent in COVERED), f"iobb_{ON_BOX}")

Grid = Bool[np.ndarray, "h w"]
ByRound = Bool[np.ndarray, "criteria rounds"]
ChanceByRound = Float[np.ndarray, "criteria rounds"]


@dataclass(frozen=True, eq=False)
class Hits:
    """Hits of one box by criterion and number of rounds.

    `hit`: whether the box was hit by then. `chance`: the share of all shifts of the regions that hit it. `others`: the
    share of other images whose regions hit it (see `other_images_baseline`); None where it isn't known.
    """

    hit: ByRound
    chance: ChanceByRound
    others: ChanceByRound | None = None


@dataclass(frozen=True, eq=False)
class BoxHits:
    """Hits of one annotated box.

    Attributes:
        label: The label of the box.
        visible_share: The share of the box inside the model's field of view.
        central: Whether the center of that field lies in the box, where photographed objects tend to be.
        by_any: Hits by regions of any class.
        by_own: Hits by regions of the classes that match the box's label; None if the run explained none of them.
    """

    label: str
    visible_share: float
    central: bool
    by_any: Hits
    by_own: Hits | None


def box_hits(
    run: Run, boxes: Iterable[LabeledBox], targets: Mapping[str, Collection[int]], rounds: int
) -> tuple[BoxHits, ...]:
    """Hits of every box (in pixels of the run's source).

    `targets` maps a box's label to the indices of the classifier's classes that name the same thing. All areas are
    numbers of source pixels; a box b has the pixels whose centers it covers, inside the image. After the rounds 1 … r:

    - `pointing`: the peak of one of their regions lies in b. The peak is the region's pixel with the largest saliency
      (Zhang et al. 2016, without a tolerance).
    - `covered_T`: |b ∩ E_r| ≥ T % of |b|, with E_r the union of their regions.
    - `iobb_50`: |b ∩ R| ≥ 50 % of |R| for one of their regions R (Wang et al. 2017: intersection over the detected).

    A run that ended early keeps its hits in later rounds.

    Chance is exact: all regions are shifted together by every number of rows and columns, wrapping around at the border
    of the model's field of view. Areas, shapes and overlaps stay the same, every place is equally likely, and the
    chance is the share of shifts that hit. Boxes without a pixel inside the image are left out.
    """
    boxes = tuple(boxes)
    if not boxes:
        return ()
    frame = _Frame.of(run.source.geometry.visible())
    parts = [_Part.of(run, done, region, frame) for done in run.rounds for region in done.regions]
    explained = explained_classes(run)
    shape = run.source.geometry.source_shape
    hits = []
    for box in boxes:
        inside = box.inside(shape)
        area = int(np.count_nonzero(inside))
        if not area:
            continue
        window = frame.window(inside)
        own = explained.intersection(targets.get(box.label, ()))
        by_any = _hits(parts, window, area, rounds, frame)
        own_parts = [part for part in parts if part.class_index in own]
        if not own:
            by_own = None
        else:
            by_own = by_any if len(own_parts) == len(parts) else _hits(own_parts, window, area, rounds, frame)
        hits.append(BoxHits(box.label, window.area / area, frame.is_central(window), by_any, by_own))
    return tuple(hits)


def explained_classes(run: Run) -> frozenset[int]:
    """Indices of the classes that have a map in any round."""
    indices = (item.target_score.class_index for done in run.rounds for item in done.maps)
    return frozenset(index for index in indices if index is not None)


class _Window(NamedTuple):
    """A box as rows and columns of the frame; all 0 if it lies outside the model's field of view."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> int:
        return self.height * self.width


@dataclass(frozen=True)
class _Frame:
    """The model's field of view: a rectangle of the source."""

    rows: slice
    columns: slice

    @classmethod
    def of(cls, visible: Grid) -> "_Frame":
        return cls(_extent(visible, 0), _extent(visible, 1))

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, inside: Grid) -> Bool[np.ndarray, "rows columns"]:
        return inside[self.rows, self.columns]

    def is_central(self, window: _Window) -> bool:
        y, x = (side // 2 for side in self.shape)
        return window.top <= y < window.top + window.height and window.left <= x < window.left + window.width

    def window(self, inside: Grid) -> _Window:
        visible = self.cut(inside)
        rows, columns = _extent(visible, 0), _extent(visible, 1)
        return _Window(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)


@dataclass(frozen=True, eq=False)
class _Part:
    """A region in the frame, its class (None for a target of several classes), and its peak."""

    round: int
    class_index: int | None
    inside: Grid
    peak: Grid

    @classmethod
    def of(cls, run: Run, done: Round, region: Region, frame: _Frame) -> "_Part":
        saliency = next(item.saliency for item in done.maps if item.target_score == region.target_score)
        peak = np.zeros(region.mask.shape, bool)
        if (place := find_peak(region, saliency, run.source.geometry)) is not None:
            peak[place] = True
        return cls(done.index, region.target_score.class_index, frame.cut(region.mask.to_array()), frame.cut(peak))


def find_peak(region: Region, saliency: Float[np.ndarray, "h w"], geometry: Geometry) -> tuple[int, int] | None:
    """The source pixel of a region where it is most salient: the one nearest to the center of the grid pixel with the
    largest value, the first among equally near ones. None if the region falls between the source's pixels."""
    inside = np.argwhere(region.mask.to_array())
    if not len(inside):
        return None
    place = int(np.argmax(np.where(region.model_mask.to_array(), saliency, -np.inf)))
    center = geometry.to_source(np.array([divmod(place, saliency.shape[1])]) + 0.5)
    y, x = inside[int(np.argmin(((inside + 0.5 - center) ** 2).sum(1)))]
    return int(y), int(x)


def _hits(parts: Sequence[_Part], window: _Window, area: int, rounds: int, frame: _Frame) -> Hits:
    """Every criterion at every shift at once; the shift by 0 is the real one."""
    hit = np.zeros((len(CRITERIA), rounds), bool)
    chance = np.zeros((len(CRITERIA), rounds))
    if not window.area:
        return Hits(hit, chance)
    hit_at = np.zeros((len(CRITERIA), *frame.shape), bool)
    for index in range(rounds):
        new = [part for part in parts if part.round == index + 1]
        if new:
            so_far = [part for part in parts if part.round <= index + 1]
            _add_hits(hit_at, so_far, new, window, area)
        hit[:, index] = hit_at[:, window.top, window.left]
        chance[:, index] = np.count_nonzero(hit_at, axis=(1, 2)) / hit_at[0].size
    return Hits(hit, chance)


def _add_hits(
    hit_at: Bool[np.ndarray, "criteria h w"],
    so_far: Sequence[_Part],
    new: Sequence[_Part],
    window: _Window,
    area: int,
) -> None:
    """Add the shifts at which the regions of a round hit. In whole numbers, so a share that is met exactly counts."""
    shape = hit_at.shape[1:]
    peaks = shifted_overlaps(union((part.peak for part in new), shape), window.height, window.width)
    covered = shifted_overlaps(union((part.inside for part in so_far), shape), window.height, window.width)
    hit_at[0] |= peaks >= 1
    for number, percent in enumerate(COVERED, start=1):
        hit_at[number] = covered >= minimum_count(percent, area)
    for part in new:
        if size := int(np.count_nonzero(part.inside)):
            overlap = shifted_overlaps(part.inside, window.height, window.width)
            hit_at[-1] |= overlap >= minimum_count(ON_BOX, size)


def shifted_overlaps(inside: Grid, height: int, width: int) -> Int[np.ndarray, "h w"]:
    """Number of pixels inside a window of `height` x `width` whose first corner is at (y, x), for every y and x, with
    wrap-around. Moving the window over the set is the same as moving the set under the window."""
    rows, columns = inside.shape
    longer = np.concatenate([inside, inside[:, : width - 1]], axis=1)
    sums = np.cumsum(longer, axis=1, dtype=np.int32)
    wide = sums[:, width - 1 :].copy()
    wide[:, 1:] -= sums[:, : columns - 1]
    # Row by row: numpy's cumsum is ten times slower across rows than along them.
    counts = np.empty_like(wide)
    counts[0] = wide[:height].sum(axis=0)
    for row in range(1, rows):
        np.add(counts[row - 1], wide[(row + height - 1) % rows], out=counts[row])
        counts[row] -= wide[row - 1]
    return counts


def minimum_count(percent: int, of: int) -> int:
    """The smallest whole number that is at least `percent` % of `of`, so that areas are compared without rounding."""
    return -(-percent * of // 100)


def _extent(inside: Grid, axis: int) -> slice:
    places = np.flatnonzero(inside.any(axis=1 - axis))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)
