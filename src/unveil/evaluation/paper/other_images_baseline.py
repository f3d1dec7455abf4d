"""Baseline for location bias: how often regions found in other images hit this image's boxes.

Regions and boxes both tend to lie in certain places: the middle of photographs, the lungs of radiographs. The regions
of other images don't depend on this image, so their hits show how much location alone explains.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float, Int

from unveil.datasets import LabeledBox
from unveil.evaluation.paper.box_hits import COVERED, CRITERIA, ON_BOX, explained_classes, minimum_count
from unveil.images import Geometry
from unveil.masks import Mask
from unveil.records import Run

MAX_OTHERS = 20


@dataclass(frozen=True)
class RegionPlacement:
    """A region: its `round`, `class_index`, `mask` on the model's grid, and most salient pixel, the `peak`.

    `class_index` is None for a target of several classes.
    """

    round: int
    class_index: int | None
    mask: Mask
    peak: tuple[int, int]


@dataclass(frozen=True)
class ImageLayout:
    """The places of the boxes and regions of one image.

    Attributes:
        geometry: The geometry between the source and the model's grid.
        boxes: The annotated boxes in pixels of the source.
        explained: The indices of the classes that the run explained.
        regions: The regions.
    """

    geometry: Geometry
    boxes: tuple[LabeledBox, ...]
    explained: frozenset[int]
    regions: tuple[RegionPlacement, ...]


@dataclass(frozen=True, eq=False)
class OtherImagesBaseline:
    """The share of other images whose regions hit a box, for every criterion and number of rounds.

    `by_any` is by regions of any class, `by_own` by regions of the matching classes; None if no image is comparable.
    """

    by_any: Float[np.ndarray, "criteria rounds"] | None
    by_own: Float[np.ndarray, "criteria rounds"] | None


def layout_of(run: Run, boxes: Sequence[LabeledBox]) -> ImageLayout:
    """The layout of a run; `boxes` in pixels of its source, each with a pixel in the image."""
    regions = []
    for done in run.rounds:
        maps = {item.target_score: item.saliency for item in done.maps}
        for region in done.regions:
            inside = region.model_mask.to_array()
            peak = int(np.argmax(np.where(inside, maps[region.target_score], -np.inf)))
            y, x = divmod(peak, inside.shape[1])
            class_index = region.target_score.class_index
            regions.append(RegionPlacement(done.index, class_index, region.model_mask, (y, x)))
    return ImageLayout(run.source.geometry, tuple(boxes), explained_classes(run), tuple(regions))


def hits_of_others(
    images: Sequence[ImageLayout],
    groups: Sequence[Hashable],
    targets: Mapping[str, Collection[int]],
    rounds: int,
    seed: int = 0,
) -> list[tuple[OtherImagesBaseline, ...]]:
    """How often the regions of other images would hit each box, by the criteria of `box_hits`.

    The others are up to `MAX_OTHERS` images of other groups with a model grid of the same shape, drawn by the seed;
    their regions are laid onto the same pixels of the model's grid. `by_own` uses other images whose runs explained a
    class that matches the box's label, and their regions of these classes. `targets`: for each label of the data set,
    the indices of the matching classes.
    """
    order = np.random.default_rng(seed).permutation(len(images)).tolist()
    turn = {place: number for number, place in enumerate(order)}
    explaining: dict[int, list[int]] = {}
    for place, image in enumerate(images):
        for class_index in image.explained:
            explaining.setdefault(class_index, []).append(place)

    def drawn(place: int, candidates: Iterable[int]) -> list[ImageLayout]:
        """The first in turn after this image that have another group and the same grid."""
        shape, group = images[place].geometry.model_shape, groups[place]
        fits = (other for other in candidates if groups[other] != group and images[other].geometry.model_shape == shape)
        return [images[other] for other in islice(fits, MAX_OTHERS)]

    baselines: list[tuple[OtherImagesBaseline, ...]] = []
    for place, image in enumerate(images):
        others = drawn(place, (order[(turn[place] + step) % len(order)] for step in range(1, len(order))))
        of_boxes = []
        for box in image.boxes:
            own = frozenset(targets.get(box.label, ()))
            candidates = {other for class_index in own for other in explaining.get(class_index, ())}
            in_turn = sorted(candidates, key=lambda other: (turn[other] - turn[place]) % len(order))
            with_label = drawn(place, in_turn)
            of_boxes.append(_baseline(_GridShares.of(image.geometry, box), others, with_label, own, rounds))
        baselines.append(tuple(of_boxes))
    return baselines


def _baseline(
    shares: "_GridShares",
    others: Sequence[ImageLayout],
    with_label: Sequence[ImageLayout],
    own: frozenset[int],
    rounds: int,
) -> OtherImagesBaseline:
    own_regions = [[region for region in other.regions if region.class_index in own] for other in with_label]
    return OtherImagesBaseline(
        by_any=_mean([_hit(shares, other.regions, rounds) for other in others]),
        by_own=_mean([_hit(shares, regions, rounds) for regions in own_regions]),
    )


def _mean(hits: Sequence[Bool[np.ndarray, "criteria rounds"]]) -> Float[np.ndarray, "criteria rounds"] | None:
    return np.mean(hits, axis=0) if hits else None


@dataclass(frozen=True, eq=False)
class _GridShares:
    """Number of source rows and columns per row and column of the grid, for the whole image and for a box.

    A grid pixel covers rows x columns of the source, so areas are `rows @ inside @ columns`, without transforming any
    region to the source.
    """

    geometry: Geometry
    inside: Bool[np.ndarray, "h w"]
    rows: Int[np.ndarray, "y"]
    columns: Int[np.ndarray, "x"]
    box_rows: Int[np.ndarray, "y"]
    box_columns: Int[np.ndarray, "x"]

    @classmethod
    def of(cls, geometry: Geometry, box: LabeledBox) -> "_GridShares":
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
    """The row (or column) of the grid under the center of each row (or column) of the source."""
    centers = np.zeros((geometry.source_shape[axis], 2))
    centers[:, axis] = np.arange(len(centers)) + 0.5
    # The offset puts a center on the border of two grid pixels on the same side, whatever its last digit.
    return np.floor(geometry.to_model(centers)[:, axis] + 1e-9).astype(int)


def _count(places: Int[np.ndarray, "n"], side: int) -> Int[np.ndarray, "side"]:
    return np.bincount(places[(places >= 0) & (places < side)], minlength=side)


def _hit(shares: _GridShares, regions: Sequence[RegionPlacement], rounds: int) -> Bool[np.ndarray, "criteria rounds"]:
    hit = np.zeros((len(CRITERIA), rounds), bool)
    covered_so_far = np.zeros(shares.geometry.model_shape, bool)
    area = int(np.count_nonzero(shares.inside))
    for index in range(rounds):
        if index:
            hit[:, index] = hit[:, index - 1]
        for region in (region for region in regions if region.round == index + 1):
            inside = region.mask.to_array()
            covered_so_far |= inside
            size = int(shares.rows @ inside @ shares.columns)
            hit[0, index] |= shares.holds(region.peak)
            hit[-1, index] |= size > 0 and int(shares.box_rows @ inside @ shares.box_columns) >= minimum_count(
                ON_BOX, size
            )
        covered = int(shares.box_rows @ covered_so_far @ shares.box_columns)
        hit[1:-1, index] = [covered >= minimum_count(percent, area) for percent in COVERED]
    return hit
