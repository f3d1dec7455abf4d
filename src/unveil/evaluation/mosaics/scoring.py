"""Scores of named regions against mosaics: labels found, invented and marked, rounds, and verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from unveil.bootstrap import Estimate, bounds, intervals, ratio
from unveil.evaluation.mosaics.pool import Mosaic
from unveil.masks import Mask
from unveil.records import Verdict

OWN_SHARE = 0.5  # of a region's area, in places that show its label
WITHOUT_VERDICT = "none"


@dataclass(frozen=True)
class NamedRegion:
    """A region with the label that a method gives it.

    Attributes:
        label: The index of the label.
        mask: The region on the model's grid.
        round: The round, from 1 on; 1 for methods without rounds.
        verdict: The verdict on it; None for methods without verdicts.
    """

    label: int
    mask: Mask
    round: int = 1
    verdict: Verdict | None = None


@dataclass(frozen=True)
class ScoredRegion:
    """A named region compared with a mosaic.

    Attributes:
        label: The index of the label.
        round: The round, from 1 on.
        verdict: The verdict's name; None for methods without verdicts.
        area_px: The area on the model's grid.
        own_share: The share of the area in places that show the label; 0 for a label that isn't present.
    """

    label: int
    round: int
    verdict: str | None
    area_px: int
    own_share: float

    @property
    def is_marked(self) -> bool:
        """Whether the method itself says that the region is an artifact of erasing."""
        return self.verdict == Verdict.ARTIFACT.value

    @property
    def is_own(self) -> bool:
        """Whether the label is present and at least half of the region lies where it is shown."""
        return self.own_share >= OWN_SHARE


@dataclass(frozen=True)
class MosaicScore:
    """The result of one method on one mosaic.

    Attributes:
        number: The number of the mosaic.
        photographs: The ids of its photographs, in the order of the pieces.
        present: The labels that are present.
        regions: All regions.
        seconds: The duration in s.
        passes: The number of images that networks were given, forward and backward.
        fillers: Labels of photographs that only fill their places. A method that names one of them neither finds nor
            invents it: the photograph is there, but the network doesn't predict its label from it.
    """

    number: int
    photographs: tuple[str, ...]
    present: tuple[int, ...]
    regions: tuple[ScoredRegion, ...]
    seconds: float
    passes: int
    fillers: tuple[int, ...] = ()

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "MosaicScore":
        """From the JSON of `as_dict`."""
        regions = tuple(ScoredRegion(**region) for region in table["regions"])
        lists = {name: tuple(table.get(name, ())) for name in ("photographs", "present", "fillers")}
        return cls(table["number"], regions=regions, seconds=table["seconds"], passes=table["passes"], **lists)

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return asdict(self)

    @property
    def areas_px(self) -> dict[int, int]:
        """The area of the regions of each label that is named and not marked, in the order of the regions."""
        areas: dict[int, int] = {}
        for region in self.regions:
            if not region.is_marked:
                areas[region.label] = areas.get(region.label, 0) + region.area_px
        return areas

    @property
    def mean_area_px(self) -> int:
        """The mean of `areas_px`, rounded; 0 if no label is named."""
        areas = self.areas_px.values()
        return round(sum(areas) / len(areas)) if areas else 0

    @property
    def found(self) -> dict[int, int]:
        """For each present label that is named, not marked, and has a region of its own: the first round with one."""
        rounds: dict[int, int] = {}
        for region in self.regions:
            if region.label in self.present and region.is_own and not region.is_marked:
                rounds[region.label] = min(region.round, rounds.get(region.label, region.round))
        return rounds

    @property
    def invented(self) -> tuple[int, ...]:
        """Labels that are named and not marked, and are neither present nor fillers."""
        return tuple(label for label in self.areas_px if label not in self.present + self.fillers)

    @property
    def marked(self) -> tuple[int, ...]:
        """Labels that are named and whose regions are all marked, without fillers."""
        unmarked = (*self.areas_px, *self.fillers)
        return tuple(dict.fromkeys(one.label for one in self.regions if one.label not in unmarked))

    @property
    def named_fillers(self) -> tuple[int, ...]:
        """Labels of fillers that are named, whether they are marked or not."""
        return tuple(dict.fromkeys(region.label for region in self.regions if region.label in self.fillers))


def score_mosaic(mosaic: Mosaic, regions: Sequence[NamedRegion], seconds: float, passes: int) -> MosaicScore:
    """Compare the regions of a method with the truth of a mosaic."""
    scored = []
    for region in regions:
        inside, area = region.mask.to_array(), region.mask.area_px
        own = int(np.count_nonzero(inside & mosaic.where(region.label))) / area if area else 0.0
        verdict = None if region.verdict is None else region.verdict.value
        scored.append(ScoredRegion(region.label, region.round, verdict, area, own))
    names = tuple(piece.photograph.id for piece in mosaic.pieces)
    fillers = mosaic.filler_labels
    return MosaicScore(mosaic.number, names, mosaic.labels, tuple(scored), seconds, passes, fillers)


def summarize_mosaics(scores: Sequence[MosaicScore], seed: int) -> dict[str, Any]:
    """The row of a method over all mosaics of a kind, as it is written to JSON.

    `found_share` is Σ found / Σ present, and `invented_per_mosaic` Σ invented / mosaics, each with its 95 % bootstrap
    interval over the mosaics. `found_by_round` is the share found after each round. `verdicts` counts regions by
    verdict: `own` for those in a place that shows their label, `other` for all others but those with a filler's label.
    `seconds` and `passes` are medians over the mosaics.
    """
    found, present = _counts(scores, lambda one: len(one.found)), _counts(scores, lambda one: len(one.present))
    invented = _counts(scores, lambda one: len(one.invented))
    return {
        "mosaics": len(scores),
        "labels_present": int(present.sum()),
        "labels_found": int(found.sum()),
        "labels_invented": int(invented.sum()),
        "labels_marked": sum(len(one.marked) for one in scores),
        "labels_marked_present": sum(len(set(one.marked) & set(one.present)) for one in scores),
        "labels_of_fillers": sum(len(one.named_fillers) for one in scores),
        **_estimate(found, present, seed).as_dict("found_share"),
        **_estimate(invented, np.ones(len(scores)), seed).as_dict("invented_per_mosaic"),
        "found_by_round": _by_round(scores, int(present.sum())),
        "verdicts": _verdicts(scores),
        "seconds": median(one.seconds for one in scores) if scores else None,
        "passes": median(one.passes for one in scores) if scores else None,
    }


def compare_found(scores: Sequence[MosaicScore], rival: Sequence[MosaicScore], seed: int) -> Estimate:
    """Σ (found − found by a rival) / Σ present over the same mosaics, with its interval over the mosaics."""
    pairs = zip(scores, rival, strict=True)
    more = np.array([len(one.found) - len(other.found) for one, other in pairs], float)
    return _estimate(more, _counts(scores, lambda one: len(one.present)), seed)


def _counts(scores: Sequence[MosaicScore], count: Callable[[MosaicScore], int]) -> np.ndarray:
    return np.array([count(one) for one in scores], float)


def _estimate(numerators: np.ndarray, denominators: np.ndarray, seed: int) -> Estimate:
    low_high = intervals(numerators[:, None], denominators[:, None], seed)
    return Estimate(ratio(numerators.sum(), denominators.sum()), bounds(low_high[:, 0]))


def _by_round(scores: Sequence[MosaicScore], present: int) -> list[float | None]:
    first = [number for one in scores for number in one.found.values()]
    last = max((region.round for one in scores for region in one.regions), default=0)
    return [ratio(sum(number <= end for number in first), present) for end in range(1, last + 1)]


def _verdicts(scores: Sequence[MosaicScore]) -> dict[str, dict[str, int]]:
    table = {verdict.value: {"own": 0, "other": 0} for verdict in Verdict}
    for region in (region for one in scores for region in one.regions if region.label not in one.fillers):
        row = table.setdefault(region.verdict or WITHOUT_VERDICT, {"own": 0, "other": 0})
        row["own" if region.is_own else "other"] += 1
    return table
