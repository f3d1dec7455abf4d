"""Tests that erase or keep a region: alone, with other fills, and its boundary only."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unveil.fills import Fill, SoftEdge
from unveil.masked import BoolMap, MaskedView
from unveil.masks import distance_px
from unveil.trust.base import RegionContext, RegionTest


@dataclass(frozen=True)
class SingleRegionScores:
    """`necessity`: f(x) − f(x ∖ R); `sufficiency`: f(R alone); `baseline`: f with everything erased."""

    necessity: float
    sufficiency: float
    baseline: float


@dataclass(frozen=True, eq=False)
class SingleRegionTest(RegionTest[SingleRegionScores]):
    """The score when the `region` alone is erased from the original image, and when it alone is kept."""

    region: RegionContext

    def _erasures(self) -> tuple[BoolMap, ...]:
        inside = self.region.inside
        return np.zeros_like(inside), inside, ~inside, np.ones_like(inside)

    def views(self) -> Iterator[MaskedView]:
        """The original, the image without the region, the region alone, and everything erased."""
        return (self.region.masked.view(erased) for erased in self._erasures())

    def result(self) -> SingleRegionScores:
        """Necessity, sufficiency and baseline."""
        original, without, alone, baseline = (self.region.score(erased) for erased in self._erasures())
        return SingleRegionScores(original - without, alone, baseline)


@dataclass(frozen=True)
class FillAgreement:
    """`drops`: the region's drop with each of the other fills.

    `ratio`: smallest over largest absolute drop among all fills, including the run's own; 0 if signs differ or all
    drops vanish.
    """

    drops: tuple[float, ...]
    ratio: float


@dataclass(frozen=True, eq=False)
class FillRobustness(RegionTest[FillAgreement]):
    """Tests whether the drop of the `region` is similar with other `fills`; a drop caused by one fill itself isn't."""

    region: RegionContext
    fills: tuple[Fill, ...]

    def views(self) -> Iterator[MaskedView]:
        """For each fill, the image as the region was found, and with the region erased as well."""
        region = self.region
        for fill in (region.masked.fill, *self.fills):
            yield region.masked.view(region.erased, fill)
            yield region.masked.view(region.erased | region.inside, fill)

    def result(self) -> FillAgreement:
        """min |d| / max |d| over the drops d of all fills, if they have one sign."""
        region = self.region
        drops = [region.drop(region.erased, region.inside, fill) for fill in (region.masked.fill, *self.fills)]
        sizes = sorted(abs(drop) for drop in drops)
        same_sign = all(drop > 0 for drop in drops) or all(drop < 0 for drop in drops)
        ratio = sizes[0] / sizes[-1] if same_sign and sizes[-1] > region.tolerance else 0.0
        return FillAgreement(tuple(drops[1:]), ratio)


@dataclass(frozen=True)
class BoundaryShare:
    """`drop_share`: share of the drop that remains with the boundary alone erased.

    `area_share`: the boundary's share of the region's pixels. Evidence that is the same everywhere in the region gives
    `drop_share` = `area_share`.
    """

    drop_share: float
    area_share: float


@dataclass(frozen=True, eq=False)
class BoundaryTest(RegionTest[BoundaryShare | None]):
    """Tests whether the drop of the `region` remains when only its boundary is erased and its inside is kept.

    `drop_share` = d(boundary) / d(region), both drops from the same state. There are two states: everything erased that
    was erased when the region was found; and all other regions of the track erased, so that none of them can replace
    the evidence in this one. The state in which the region's drop is larger counts. The boundary is `boundary_width_px`
    wide. The fill's hard edge is used: a soft edge would reach inside.
    """

    region: RegionContext

    @cached_property
    def boundary(self) -> BoolMap | None:
        """The region's pixels next to its edge; None if that is the whole region."""
        inside = self.region.inside
        boundary = inside & (distance_px(~inside) <= boundary_width_px(inside.shape))
        return None if np.array_equal(boundary, inside) else boundary

    @property
    def fill(self) -> Fill:
        """The run's own fill, with a hard edge."""
        fill = self.region.masked.fill
        return fill.fill if isinstance(fill, SoftEdge) else fill

    def views(self) -> Iterator[MaskedView]:
        """Both states, each as it is, without the region, and without its boundary."""
        if self.boundary is not None:
            for state in (self.region.erased, self.region.others):
                for removed in (np.zeros_like(state), self.region.inside, self.boundary):
                    yield self.region.masked.view(state | removed, self.fill)

    def result(self) -> BoundaryShare | None:
        """The shares; None for a region that is all boundary, or without a drop."""
        if self.boundary is None:
            return None
        region = self.region
        drops = [(region.drop(state, region.inside, self.fill), state) for state in (region.erased, region.others)]
        drop, state = max(drops, key=lambda pair: pair[0])
        if drop <= region.tolerance:
            return None
        area_share = np.count_nonzero(self.boundary) / np.count_nonzero(region.inside)
        return BoundaryShare(region.drop(state, self.boundary, self.fill) / drop, area_share)


def boundary_width_px(grid: tuple[int, ...]) -> int:
    """Width of a region's boundary: a 128th of the grid's shortest side, at least 1 px."""
    return max(1, round(min(grid) / 128))
