"""The placement test: compares a region's drop with those of its shape at random places in the same image."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from unveil.batching import batched
from unveil.masked import BoolMap, MaskedView
from unveil.seeding import seeded_generator
from unveil.trust.base import RegionContext, RegionTest

MAX_TRIES = 200  # random positions tried for one placement
ENOUGH = 5  # placements that lower the score as much as the region, after which drawing ends
MAX_TAKEN = 0.3  # of a placement's pixels may be erased, or in regions of the same round


@dataclass(frozen=True)
class PlacementResult:
    """How many of the `placements` drawn lower the score as much as the region (`exceeding`), and the `p_value`.

    With n draws, e of them exceeding: p = (1 + e) / (1 + n), or, where drawing ended at the `ENOUGH`-th exceeding
    placement, p = e / n (Besag & Clifford 1991). None where the shape fits nowhere else.
    """

    p_value: float | None
    placements: int
    exceeding: int = 0


@dataclass(frozen=True, eq=False)
class PlacementTest(RegionTest[PlacementResult]):
    """Tests whether the drop of the `region` is larger than that of its shape at random places in the same image.

    At most `placements` places are drawn, in the same state of erasure, one batch after another, until `ENOUGH` of them
    lower the score as much as the region: then its p-value can't become small. The test is one-sided. Drops that differ
    only by rounding count as equal, so they count against the region.
    """

    region: RegionContext
    placements: int

    @cached_property
    def places(self) -> tuple[BoolMap, ...]:
        """The placements, as masks on the model's grid."""
        region = self.region
        return random_placements(region.inside, region.taken, f"{region.masked.stream}/null", self.placements)

    def views(self) -> Iterator[MaskedView]:
        """The image as the region was found, without the region, and without each of the first placements."""
        region = self.region
        for removed in (np.zeros_like(region.inside), region.inside, *self.places[:ENOUGH]):
            yield region.masked.view(region.erased | removed)

    def result(self) -> PlacementResult:
        """The p-value; predicts further placements as long as they are needed."""
        region, drawn, exceeding = self.region, 0, 0
        observed = region.drop(region.erased, region.inside) - region.tolerance
        for places in batched(self.places, region.masked.batch_size):
            region.masked.evaluate(region.masked.view(region.erased | place) for place in places)
            for place in places:
                drawn += 1
                exceeding += region.drop(region.erased, place) >= observed
                if exceeding == ENOUGH:
                    return PlacementResult(exceeding / drawn, drawn, exceeding)
        return PlacementResult((1 + exceeding) / (1 + drawn) if drawn else None, drawn, exceeding)


def random_placements(inside: BoolMap, taken: BoolMap, stream: str, count: int) -> tuple[BoolMap, ...]:
    """Masks of a region's shape at random places, at most `count` of them.

    The shape is rotated by right angles, mirrored, and shifted around the torus, on which opposite edges of the grid
    meet. Places lie outside of what is `taken`, which includes the region, and may overlap each other, since they are
    drawn independently, as the p-value requires. Where no such place is found in `MAX_TRIES` tries, because the region
    is large, up to `MAX_TAKEN` of a place may be taken; with part of the region's own evidence, such a place counts
    against the region. A place that isn't found then either is left out. Placement k depends on the stream, the shape
    and k alone.
    """
    points = np.argwhere(inside)
    points -= points.min(0)
    fits = _place(points, taken, 0.0, seeded_generator(stream, 0)) is not None
    allowed = 0.0 if fits else MAX_TAKEN
    places = (_place(points, taken, allowed, seeded_generator(stream, number)) for number in range(count))
    return tuple(place for place in places if place is not None)


def _place(points: Int[np.ndarray, "px axes"], taken: BoolMap, allowed: float, rng: torch.Generator) -> BoolMap | None:
    sides = np.array(taken.shape)
    for _ in range(MAX_TRIES):
        rotated = _rotate(points, rng)
        if (rotated.max(0) >= sides).any():
            continue
        shift = [int(torch.randint(int(side), (), generator=rng)) for side in sides]
        where = tuple(((rotated + shift) % sides).T)
        if np.count_nonzero(taken[where]) <= allowed * len(points):
            place = np.zeros_like(taken)
            place[where] = True
            return place
    return None


def _rotate(points: Int[np.ndarray, "px axes"], rng: torch.Generator) -> Int[np.ndarray, "px axes"]:
    """The axes in a random order, some of them reversed: all rotations by right angles and mirrorings."""
    axes = points.shape[1]
    rotated = points[:, torch.randperm(axes, generator=rng).numpy()]
    reverse = torch.randint(2, (axes,), generator=rng).numpy().astype(bool)
    return np.where(reverse, rotated.max(0) - rotated, rotated)
