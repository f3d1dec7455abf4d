"""Boxes of a data set that regions hit, by which round, and how many the same regions would hit by luck."""

from collections.abc import Iterable, Mapping, Sequence
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
    """For every criterion and number of rounds: whether a box was hit by then, the share of all shifts of the regions
    that would have hit it, and perhaps the share of other images whose regions would have (see `others`)."""

    hit: ByRound
    chance: ChanceByRound
    others: ChanceByRound | None = None


@dataclass(frozen=True, eq=False)
class BoxHits:
    """One annotated box. `by_any`: by regions of whatever label; `by_own`: by those of the box's label alone, None if
    the run never asked about it. `seen`: share of the box that the model sees. `central`: whether the middle of what
    the model sees lies in it, where things that are photographed tend to be."""

    label: str
    seen: float
    central: bool
    by_any: Hits
    by_own: Hits | None


def box_hits(
    run: Run, boxes: Iterable[LabeledBox], targets: Mapping[str, Sequence[str]], rounds: int
) -> tuple[BoxHits, ...]:
    """Hits of every box (in pixels of the run's source); `targets` are the classifier's names for a box's label.

    All areas are numbers of source pixels; a box b has the pixels whose centers it covers, inside the image. After
    the rounds 1 … r:

    - `pointing`: the peak of one of their regions lies in b. The peak is the region's pixel with the largest saliency
      (Zhang et al. 2016, without a tolerance).
    - `covered_T`: |b ∩ E_r| ≥ T % of |b|, with E_r all of their regions together.
    - `iobb_50`: |b ∩ R| ≥ 50 % of |R| for one of their regions R (Wang et al. 2017: intersection over the detected).

    A run that ended early has hit in later rounds what it had hit by its last.

    Chance is exact: all regions are shifted together, by every number of rows and columns, and come in again on the
    other side of what the model sees. So areas, shapes and overlaps stay, every place is as likely as any other, and
    the chance is the share of shifts that hit. A box without any pixel inside the image is left out.
    """
    boxes = tuple(boxes)
    if not boxes:
        return ()
    frame = _Frame.of(run.source.geometry.visible())
    parts = [_Part.of(run, one, region, frame) for one in run.rounds for region in one.regions]
    asked = {item.target for one in run.rounds for item in one.maps}
    shape = run.source.geometry.source_shape
    found = []
    for box in boxes:
        inside = box.inside(shape)
        area = int(np.count_nonzero(inside))
        if not area:
            continue
        window = frame.window(inside)
        own = asked.intersection(targets.get(box.label, ()))
        by_any = _hits(parts, window, area, rounds, frame)
        mine = [part for part in parts if part.target in own]
        by_own = None if not own else by_any if len(mine) == len(parts) else _hits(mine, window, area, rounds, frame)
        found.append(BoxHits(box.label, window.area / area, frame.is_central(window), by_any, by_own))
    return tuple(found)


class _Window(NamedTuple):
    """A box as rows and columns of the frame; all 0 if the model sees nothing of it."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> int:
        return self.height * self.width


@dataclass(frozen=True)
class _Frame:
    """The rectangle of the source that the model sees."""

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
        seen = self.cut(inside)
        rows, columns = _extent(seen, 0), _extent(seen, 1)
        return _Window(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)


@dataclass(frozen=True, eq=False)
class _Part:
    """A region in the frame, and its peak."""

    round: int
    target: str
    inside: Grid
    peak: Grid

    @classmethod
    def of(cls, run: Run, one: Round, region: Region, frame: _Frame) -> "_Part":
        saliency = next(item.saliency for item in one.maps if item.target == region.target)
        peak = np.zeros(region.mask.shape, bool)
        if (place := peak_of(region, saliency, run.source.geometry)) is not None:
            peak[place] = True
        return cls(one.index, region.target, frame.cut(region.mask.to_array()), frame.cut(peak))


def peak_of(region: Region, saliency: Float[np.ndarray, "h w"], geometry: Geometry) -> tuple[int, int] | None:
    """The source pixel of a region where it is most salient: the one nearest to the center of the largest value's grid
    pixel, of equal ones the first. None if the region falls between the source's pixels."""
    inside = np.argwhere(region.mask.to_array())
    if not len(inside):
        return None
    place = int(np.argmax(np.where(region.model_mask.to_array(), saliency, -np.inf)))
    center = geometry.to_source(np.array([divmod(place, saliency.shape[1])]) + 0.5)
    y, x = inside[int(np.argmin(((inside + 0.5 - center) ** 2).sum(1)))]
    return int(y), int(x)


def _hits(parts: Sequence[_Part], window: _Window, area: int, rounds: int, frame: _Frame) -> Hits:
    """Every criterion at every shift at once: what really happened is one of the shifts."""
    hit = np.zeros((len(CRITERIA), rounds), bool)
    chance = np.zeros((len(CRITERIA), rounds))
    if not window.area:
        return Hits(hit, chance)
    reached = np.zeros((len(CRITERIA), *frame.shape), bool)
    for index in range(rounds):
        new = [part for part in parts if part.round == index + 1]
        if new:
            so_far = [part for part in parts if part.round <= index + 1]
            _reach(reached, so_far, new, window, area)
        hit[:, index] = reached[:, window.top, window.left]
        chance[:, index] = np.count_nonzero(reached, axis=(1, 2)) / reached[0].size
    return Hits(hit, chance)


def _reach(
    reached: Bool[np.ndarray, "criteria h w"],
    so_far: Sequence[_Part],
    new: Sequence[_Part],
    window: _Window,
    area: int,
) -> None:
    """Add what the regions of a round reach. In whole numbers, so that a share that is exactly met counts."""
    shape = reached.shape[1:]
    peaks = shifted_overlaps(union((part.peak for part in new), shape), window.height, window.width)
    covered = shifted_overlaps(union((part.inside for part in so_far), shape), window.height, window.width)
    reached[0] |= peaks >= 1
    for number, percent in enumerate(COVERED, start=1):
        reached[number] = covered >= least(percent, area)
    for part in new:
        if size := int(np.count_nonzero(part.inside)):
            overlap = shifted_overlaps(part.inside, window.height, window.width)
            reached[-1] |= overlap >= least(ON_BOX, size)


def shifted_overlaps(inside: Grid, height: int, width: int) -> Int[np.ndarray, "h w"]:
    """Pixels inside a window of `height` x `width` whose first corner is at (y, x), for every y and x; the grid goes
    on at its other side. Moving the window over the set is moving the set under the window."""
    rows, columns = inside.shape
    longer = np.concatenate([inside, inside[:, : width - 1]], axis=1)
    sums = np.cumsum(longer, axis=1, dtype=np.int32)
    wide = sums[:, width - 1 :].copy()
    wide[:, 1:] -= sums[:, : columns - 1]
    # Row after row: numpy's cumsum is ten times slower across the rows than along them.
    found = np.empty_like(wide)
    found[0] = wide[:height].sum(axis=0)
    for row in range(1, rows):
        np.add(found[row - 1], wide[(row + height - 1) % rows], out=found[row])
        found[row] -= wide[row - 1]
    return found


def least(percent: int, of: int) -> int:
    """The smallest whole number that is at least so many percent: areas are compared without rounding."""
    return -(-percent * of // 100)


def _extent(inside: Grid, axis: int) -> slice:
    places = np.flatnonzero(inside.any(axis=1 - axis))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)
