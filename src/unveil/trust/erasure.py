"""What a region is worth alone, whether other fills agree, and whether its border or its inside makes the drop."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unveil.fills import Fill, SoftEdge
from unveil.masked import BoolMap, MaskedView, RegionContext, RegionTest
from unveil.masks import distance_px


@dataclass(frozen=True)
class SingleRegionScores:
    """`necessity`: f(x) − f(x without the region); `sufficiency`: f(the region alone); `baseline`: f(nothing at all)."""

    necessity: float
    sufficiency: float
    baseline: float


@dataclass(frozen=True, eq=False)
class SingleRegionTest(RegionTest[SingleRegionScores]):
    """What the region does when it alone is erased, and when it alone is kept."""

    subject: RegionContext

    def _erasures(self) -> tuple[BoolMap, ...]:
        inside = self.subject.inside
        return np.zeros_like(inside), inside, ~inside, np.ones_like(inside)

    def views(self) -> Iterator[MaskedView]:
        """The original, without the region, the region alone, and nothing."""
        return (self.subject.masked.view(erased) for erased in self._erasures())

    def answer(self) -> SingleRegionScores:
        """The three values."""
        whole, without, alone, empty = (self.subject.score(erased) for erased in self._erasures())
        return SingleRegionScores(whole - without, alone, empty)


@dataclass(frozen=True)
class FillAgreement:
    """The drop under each fill; `least` over largest of these and the run's own, 0 where signs differ or none has
    one."""

    drops: tuple[float, ...]
    least: float


@dataclass(frozen=True, eq=False)
class FillRobustness(RegionTest[FillAgreement]):
    """Does the drop stay the same when other fills replace what is erased? What a fill itself brings in does not."""

    subject: RegionContext
    fills: tuple[Fill, ...]

    def views(self) -> Iterator[MaskedView]:
        """With what was erased before, and with the region erased as well, by every fill."""
        subject = self.subject
        for fill in (subject.masked.fill, *self.fills):
            yield subject.masked.view(subject.erased, fill)
            yield subject.masked.view(subject.erased | subject.inside, fill)

    def answer(self) -> FillAgreement:
        """min |d| / max |d| over drops d of one sign."""
        subject = self.subject
        own, *drops = (
            subject.drop(subject.erased, subject.inside, fill) for fill in (subject.masked.fill, *self.fills)
        )
        sizes = sorted(abs(drop) for drop in (own, *drops))
        same = all(drop > 0 for drop in (own, *drops)) or all(drop < 0 for drop in (own, *drops))
        return FillAgreement(tuple(drops), sizes[0] / sizes[-1] if same and sizes[-1] > subject.tolerance else 0.0)


@dataclass(frozen=True)
class BoundaryShare:
    """`stays`: share of the drop that stays with the rim alone erased; `area`: the rim's share of the region's pixels,
    which is what would stay of evidence that is the same all over the region."""

    stays: float
    area: float


@dataclass(frozen=True, eq=False)
class BoundaryTest(RegionTest[BoundaryShare | None]):
    """Does the drop stay when the region's inside is there and only its rim is erased?

    d(rim) / d(region), each a drop from the same state: with what was erased before, or with all other regions of the
    track erased, where the region has more to say since nothing can stand in for it; of the two the one in which the
    region drops more. The rim is `boundary_width_px` wide. Soft edges are left out of the fill: they would reach inside.
    """

    subject: RegionContext

    @cached_property
    def rim(self) -> BoolMap | None:
        """The region less its inside; None if nothing would be left."""
        inside = self.subject.inside
        rim = inside & (distance_px(~inside) <= boundary_width_px(inside.shape))
        return None if np.array_equal(rim, inside) else rim

    @property
    def fill(self) -> Fill:
        """The run's own, with a hard edge."""
        fill = self.subject.masked.fill
        return fill.fill if isinstance(fill, SoftEdge) else fill

    def views(self) -> Iterator[MaskedView]:
        """Both states, with the region and with its rim erased."""
        if self.rim is not None:
            for state in (self.subject.erased, self.subject.others):
                for removed in (np.zeros_like(state), self.subject.inside, self.rim):
                    yield self.subject.masked.view(state | removed, self.fill)

    def answer(self) -> BoundaryShare | None:
        """The shares; None without an inside or without a drop."""
        if self.rim is None:
            return None
        subject = self.subject
        drops = [(subject.drop(state, subject.inside, self.fill), state) for state in (subject.erased, subject.others)]
        drop, state = max(drops, key=lambda pair: pair[0])
        if drop <= subject.tolerance:
            return None
        area = np.count_nonzero(self.rim) / np.count_nonzero(subject.inside)
        return BoundaryShare(subject.drop(state, self.rim, self.fill) / drop, area)


def boundary_width_px(grid: tuple[int, ...]) -> int:
    """Width of a region's rim: a 128th of the grid's shortest side, at least 1 px."""
    return max(1, round(min(grid) / 128))
