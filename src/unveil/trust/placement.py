"""The placement test: compares a region's drop with those of its shape at random places in the same image."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from unveil.masked import BoolMap, MaskedView
from unveil.seeding import seeded_generator
from unveil.trust.base import RegionContext, RegionTest

MAX_TRIES = 200  # random positions tried for one placement


@dataclass(frozen=True)
class PlacementResult:
    """`p_value` = (1 + number of placements whose drop is at least the region's) / (1 + `placements`).

    None where the shape fits nowhere else.
    """

    p_value: float | None
    placements: int


@dataclass(frozen=True, eq=False)
class PlacementTest(RegionTest[PlacementResult]):
    """Tests whether the drop of the `region` is larger than that of its shape at random places in the same image.

    There are at most `placements` places, in the same state of erasure. It is one-sided. Drops that differ only by
    rounding count as equal, so they count against the region.
    """

    region: RegionContext
    placements: int

    @cached_property
    def places(self) -> tuple[BoolMap, ...]:
        """The placements, as masks on the model's grid."""
        region = self.region
        return random_placements(region.inside, region.taken, f"{region.masked.stream}/null", self.placements)

    def views(self) -> Iterator[MaskedView]:
        """The image as the region was found, without the region, and without each placement."""
        region = self.region
        for removed in (np.zeros_like(region.inside), region.inside, *self.places):
            yield region.masked.view(region.erased | removed)

    def result(self) -> PlacementResult:
        """The p-value."""
        region, count = self.region, len(self.places)
        observed = region.drop(region.erased, region.inside) - region.tolerance
        at_least = sum(region.drop(region.erased, place) >= observed for place in self.places)
        return PlacementResult((1 + at_least) / (1 + count) if count else None, count)


def random_placements(inside: BoolMap, taken: BoolMap, stream: str, count: int) -> tuple[BoolMap, ...]:
    """Masks of a region's shape at random places, at most `count` of them.

    The shape is shifted, rotated by right angles and mirrored; it lies completely within the grid and outside of
    `taken`, which includes the region. There are never more than would fit side by side, |free pixels| / |region|: more
    would overlap so much that they repeat each other, and the p-value would promise more than the image can tell. A
    placement that isn't found in `MAX_TRIES` tries is left out. Placement k depends on the stream, the shape and k
    alone.
    """
    points = np.argwhere(inside)
    points -= points.min(0)
    room = int(np.count_nonzero(~taken)) // len(points)
    places = (_place(points, taken, seeded_generator(stream, number)) for number in range(min(count, room)))
    return tuple(place for place in places if place is not None)


def _place(points: Int[np.ndarray, "px axes"], taken: BoolMap, rng: torch.Generator) -> BoolMap | None:
    for _ in range(MAX_TRIES):
        rotated = _rotate(points, rng)
        room = np.array(taken.shape) - rotated.max(0)
        if (room < 1).any():
            continue
        shift = [int(torch.randint(int(side), (), generator=rng)) for side in room]
        where = tuple((rotated + shift).T)
        if not taken[where].any():
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
