"""What all tests of a region have in common: the region in its place, the views to predict, and the result."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from unveil.fills import Fill
from unveil.masked import BoolMap, MaskedClassifier, MaskedView
from unveil.records import Region, Round
from unveil.targets import TargetScore

Result = TypeVar("Result")


class RegionTest(ABC, Generic[Result]):
    """A test of a region: the views whose scores it needs, so that all can be predicted together, and its result."""

    @abstractmethod
    def views(self) -> Iterator[MaskedView]:
        """All views that `result` needs."""

    @abstractmethod
    def result(self) -> Result:
        """The result, from the scores of the views."""


@dataclass(frozen=True, eq=False)
class RegionContext:
    """A region on the model's grid, in its place within the run.

    Attributes:
        masked: The classifier and image of the run.
        target_score: The target of the region.
        inside: The region.
        erased: What was erased before it was found.
        taken: Pixels that a placement of the region's shape should avoid: erased before, or found in the same round.
        others: All other regions of its track.
    """

    masked: MaskedClassifier
    target_score: TargetScore
    inside: BoolMap
    erased: BoolMap
    taken: BoolMap
    others: BoolMap

    @classmethod
    def of(cls, masked: MaskedClassifier, round_: Round, region: Region, erased_at_end: BoolMap) -> "RegionContext":
        """The context of a region that this round found; `erased_at_end`: everything its track erased in the end."""
        inside = region.model_mask.to_array()
        return cls(
            masked,
            region.target_score,
            inside,
            erased=round_.erased.to_array(),
            taken=round_.erased_after.to_array(),
            others=erased_at_end & ~inside,
        )

    def compared(self) -> "RegionContext":
        """The same region for tests that only compare scores: see `MaskedClassifier.compared`."""
        return replace(self, masked=self.masked.compared)

    def score(self, erased: BoolMap, fill: Fill | None = None) -> float:
        """The target score with these pixels erased."""
        return self.masked.score(self.masked.view(erased, fill), self.target_score)

    def drop(self, erased: BoolMap, removed: BoolMap, fill: Fill | None = None) -> float:
        """f(x ∖ `erased`) − f(x ∖ `erased` ∖ `removed`): what erasing `removed` as well does to the score."""
        return self.score(erased, fill) - self.score(erased | removed, fill)

    @property
    def tolerance(self) -> float:
        """Scores that differ by no more than this are equal up to rounding."""
        return self.masked.classifier.rounding * max(1.0, abs(self.score(self.erased)))
