"""The null: the region's shape put elsewhere. What erasing it does there is what erasing does anyhow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from unveil.masked import BoolMap, MaskedView, RegionContext, RegionTest
from unveil.seeding import seeded_generator

TRIES = 200  # places tried for one draw before it's left out


@dataclass(frozen=True)
class PlacementResult:
    """`p` = (1 + #{null drops ≥ the region's}) / (1 + `placements`); None without a draw."""

    p_value: float | None
    placements: int


@dataclass(frozen=True, eq=False)
class PlacementTest(RegionTest[PlacementResult]):
    """Is the region's drop more than the drop of its shape in other places, in the same state of erasure?

    One-sided; drops that differ by no more than rounding are equal, and count against the region.
    """

    subject: RegionContext
    placements: int

    @cached_property
    def places(self) -> tuple[BoolMap, ...]:
        """Where the shape is put."""
        return random_placements(
            self.subject.inside, self.subject.taken, f"{self.subject.masked.stream}/null", self.placements
        )

    def views(self) -> Iterator[MaskedView]:
        """With the region erased, and with each of the places."""
        subject = self.subject
        for removed in (np.zeros_like(subject.inside), subject.inside, *self.places):
            yield subject.masked.view(subject.erased | removed)

    def answer(self) -> PlacementResult:
        """The p-value."""
        subject, count = self.subject, len(self.places)
        observed = subject.drop(subject.erased, subject.inside) - subject.tolerance
        beyond = sum(subject.drop(subject.erased, place) >= observed for place in self.places)
        return PlacementResult((1 + beyond) / (1 + count) if count else None, count)


def random_placements(inside: BoolMap, taken: BoolMap, stream: str, placements: int) -> tuple[BoolMap, ...]:
    """The shape of a region in places drawn at random: shifted, turned by right angles, mirrored, wholly in the grid
    and outside of `taken`, which includes the region.

    At most as many as would fit side by side, |free| / |region|: more would overlap so much that they say the same
    again, and p would promise more than the image can tell. A draw that finds no place in `TRIES` tries is left out.
    Draw k depends on the key, the shape and k alone.
    """
    points = np.argwhere(inside)
    points -= points.min(0)
    room = int(np.count_nonzero(~taken)) // len(points)
    found = (_place(points, taken, seeded_generator(stream, number)) for number in range(min(placements, room)))
    return tuple(place for place in found if place is not None)


def _place(points: Int[np.ndarray, "px axes"], taken: BoolMap, rng: torch.Generator) -> BoolMap | None:
    for _ in range(TRIES):
        turned = _turned(points, rng)
        room = np.array(taken.shape) - turned.max(0)
        if (room < 1).any():
            continue
        shift = [int(torch.randint(int(side), (), generator=rng)) for side in room]
        where = tuple((turned + shift).T)
        if not taken[where].any():
            place = np.zeros_like(taken)
            place[where] = True
            return place
    return None


def _turned(points: Int[np.ndarray, "px axes"], rng: torch.Generator) -> Int[np.ndarray, "px axes"]:
    """The axes in another order, some of them backwards: all turns by right angles and mirrorings."""
    axes = points.shape[1]
    turned = points[:, torch.randperm(axes, generator=rng).numpy()]
    backwards = torch.randint(2, (axes,), generator=rng).numpy().astype(bool)
    return np.where(backwards, turned.max(0) - turned, turned)


def holm(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """p-values corrected so that the chance of any false one stays below the level (Holm 1979): the i-th smallest
    times m − i + 1, never smaller than one before it. None stays None and isn't counted.

    >>> holm([0.01, 0.04, None])
    (0.02, 0.04, None)
    """
    order = _ascending(values)
    corrected, largest = list(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(order) - rank) * (values[index] or 0.0))
        corrected[index] = min(1.0, largest)
    return tuple(corrected)


def benjamini_hochberg(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """p-values corrected so that of those below the level the share of false ones is expected to stay below it
    (Benjamini & Hochberg 1995): the i-th smallest times m / i, never larger than one after it. None stays None.

    >>> benjamini_hochberg([0.01, 0.04, None])
    (0.02, 0.04, None)
    """
    order = _ascending(values)
    corrected, smallest = list(values), 1.0
    for rank, index in reversed(list(enumerate(order, 1))):
        smallest = min(smallest, len(order) / rank * (values[index] or 0.0))
        corrected[index] = smallest
    return tuple(corrected)


def _ascending(values: Sequence[float | None]) -> list[int]:
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    return [index for _, index in sorted(known)]
