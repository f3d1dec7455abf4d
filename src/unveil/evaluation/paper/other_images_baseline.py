"""A fairer comparison than luck: the boxes of one image, and the regions that were found in others.

Regions lie where things tend to lie, in the middle of photographs and in the lungs of radiographs, and boxes do so
too. What the regions of other images hit needs no look at this one.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float, Int

from unveil.datasets import LabeledBox
from unveil.evaluation.paper.box_hits import COVERED, CRITERIA, ON_BOX, least
from unveil.images import Geometry
from unveil.masks import Mask
from unveil.records import Run

MOST_OTHERS = 20


@dataclass(frozen=True)
class Placed:
    """A region on the model's grid, and its most salient pixel there."""

    round: int
    target: str
    mask: Mask
    peak: tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """What is needed of an image: where its boxes are, and where its regions."""

    geometry: Geometry
    boxes: tuple[LabeledBox, ...]
    asked: frozenset[str]
    regions: tuple[Placed, ...]


@dataclass(frozen=True, eq=False)
class ByOthers:
    """For every criterion and number of rounds, the share of other images whose regions hit a box; None where there is
    no other image to ask."""

    by_any: Float[np.ndarray, "criteria rounds"] | None
    by_own: Float[np.ndarray, "criteria rounds"] | None


def layout_of(run: Run, boxes: Sequence[LabeledBox]) -> Layout:
    """The layout of a run; `boxes` in pixels of its source, each with a pixel in the image."""
    regions = []
    for one in run.rounds:
        maps = {item.target: item.saliency for item in one.maps}
        for region in one.regions:
            inside = region.model_mask.to_array()
            place = int(np.argmax(np.where(inside, maps[region.target], -np.inf)))
            y, x = divmod(place, inside.shape[1])
            regions.append(Placed(one.index, region.target, region.model_mask, (y, x)))
    asked = frozenset(item.target for one in run.rounds for item in one.maps)
    return Layout(run.source.geometry, tuple(boxes), asked, tuple(regions))


def hits_of_others(
    images: Sequence[Layout],
    groups: Sequence[Hashable],
    targets: Mapping[str, Sequence[str]],
    rounds: int,
    seed: int = 0,
) -> list[tuple[ByOthers, ...]]:
    """How often the regions of other images would hit each box, by the criteria of `hits.box_hits`.

    The others are up to `MOST_OTHERS` images of other groups on a grid of the same shape, drawn by the seed; their
    regions are laid onto the same pixels of the model's grid. `by_own`: others that asked about the box's label, and
    their regions of that label.
    """
    order = np.random.default_rng(seed).permutation(len(images)).tolist()
    turn = {place: number for number, place in enumerate(order)}
    asking: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        for target in image.asked:
            asking.setdefault(target, []).append(place)

    def drawn(place: int, among: Iterable[int]) -> list[Layout]:
        """The first in turn after this image, of those that have another group and the same grid."""
        shape, group = images[place].geometry.model_shape, groups[place]
        fits = (one for one in among if groups[one] != group and images[one].geometry.model_shape == shape)
        return [images[one] for one in islice(fits, MOST_OTHERS)]

    found: list[tuple[ByOthers, ...]] = []
    for place, image in enumerate(images):
        anyone = drawn(place, (order[(turn[place] + step) % len(order)] for step in range(1, len(order))))
        boxes = []
        for box in image.boxes:
            own = frozenset(targets.get(box.label, ()))
            those = {one for target in own for one in asking.get(target, ())}
            alike = drawn(place, sorted(those, key=lambda one: (turn[one] - turn[place]) % len(order)))
            boxes.append(_by_others(_Sides.of(image.geometry, box), anyone, alike, own, rounds))
        found.append(tuple(boxes))
    return found


def _by_others(
    sides: "_Sides", anyone: Sequence[Layout], alike: Sequence[Layout], own: frozenset[str], rounds: int
) -> ByOthers:
    mine = [[one for one in other.regions if one.target in own] for other in alike]
    return ByOthers(
        by_any=_mean([_hit(sides, other.regions, rounds) for other in anyone]),
        by_own=_mean([_hit(sides, regions, rounds) for regions in mine]),
    )


def _mean(hits: Sequence[Bool[np.ndarray, "criteria rounds"]]) -> Float[np.ndarray, "criteria rounds"] | None:
    return np.mean(hits, axis=0) if hits else None


@dataclass(frozen=True, eq=False)
class _Sides:
    """How many rows and columns of the source fall onto each of the grid, of the whole image and of a box.

    A grid pixel covers rows x columns of the source, so that areas are `rows @ inside @ columns` without bringing any
    region to the source.
    """

    geometry: Geometry
    inside: Bool[np.ndarray, "h w"]
    rows: Int[np.ndarray, "y"]
    columns: Int[np.ndarray, "x"]
    box_rows: Int[np.ndarray, "y"]
    box_columns: Int[np.ndarray, "x"]

    @classmethod
    def of(cls, geometry: Geometry, box: LabeledBox) -> "_Sides":
        inside = box.inside(geometry.source_shape)
        places = [_grid_places(geometry, axis) for axis in (0, 1)]
        counts = [_count(places[axis], geometry.model_shape[axis]) for axis in (0, 1)]
        in_box = [_count(places[axis][inside.any(axis=1 - axis)], geometry.model_shape[axis]) for axis in (0, 1)]
        return cls(geometry, inside, *counts, *in_box)

    def holds(self, peak: tuple[int, int]) -> bool:
        """True if the source pixel under the center of a grid pixel is in the box."""
        y, x = np.floor(self.geometry.to_source(np.array([peak]) + 0.5)[0]).astype(int)
        rows, columns = self.inside.shape
        return bool(0 <= y < rows and 0 <= x < columns and self.inside[y, x])


def _grid_places(geometry: Geometry, axis: int) -> Int[np.ndarray, "n"]:
    """The row (or column) of the grid under the center of each of the source."""
    centers = np.zeros((geometry.source_shape[axis], 2))
    centers[:, axis] = np.arange(len(centers)) + 0.5
    # A center on the border of two grid pixels falls on the same side whatever the rounding of the last digit.
    return np.floor(geometry.to_model(centers)[:, axis] + 1e-9).astype(int)


def _count(places: Int[np.ndarray, "n"], side: int) -> Int[np.ndarray, "side"]:
    return np.bincount(places[(places >= 0) & (places < side)], minlength=side)


def _hit(sides: _Sides, regions: Sequence[Placed], rounds: int) -> Bool[np.ndarray, "criteria rounds"]:
    hit = np.zeros((len(CRITERIA), rounds), bool)
    together = np.zeros(sides.geometry.model_shape, bool)
    area = int(np.count_nonzero(sides.inside))
    for index in range(rounds):
        if index:
            hit[:, index] = hit[:, index - 1]
        for one in (one for one in regions if one.round == index + 1):
            inside = one.mask.to_array()
            together |= inside
            size = int(sides.rows @ inside @ sides.columns)
            hit[0, index] |= sides.holds(one.peak)
            hit[-1, index] |= size > 0 and int(sides.box_rows @ inside @ sides.box_columns) >= least(ON_BOX, size)
        covered = int(sides.box_rows @ together @ sides.box_columns)
        hit[1:-1, index] = [covered >= least(percent, area) for percent in COVERED]
    return hit
