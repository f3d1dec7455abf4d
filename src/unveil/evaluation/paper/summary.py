"""Summaries of many runs by round: drops, the first label, rims, coverage."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.bootstrap import Estimate, bounds, by_group, intervals, ratio
from unveil.records.run import Round, Run

# The sums over the rounds with the same index.
SUMS: tuple[str, ...] = (
    "runs",
    "drop",
    "probability_drop",
    "kept_first",
    "coverage",
    "regions",
    "rims",
    "revealed",
    "stability",
    "stability_known",
)
# Every mean or share is the first sum over the second.
MEANS: dict[str, str] = {
    "drop": "runs",
    "probability_drop": "runs",
    "kept_first": "runs",
    "rims": "regions",
    "revealed": "regions",
    "stability": "stability_known",
    "coverage": "runs",
}


@dataclass(frozen=True, eq=False)
class RunCount:
    """The counts of one run; each separate track counts as a run of its own.

    Attributes:
        sums: The `SUMS` of round r in row r − 1.
        last_coverages: The share of the grid erased after the last round of each track.
        stops: The reason with which each track ended.
        classifier: The name of the classifier.
        precision: The precision of the run.
        recipe: The name of the recipe.
        machine: The machine of the run.
    """

    sums: Float[np.ndarray, "rounds sums"]
    last_coverages: tuple[float, ...]
    stops: tuple[str, ...]
    classifier: str
    precision: str
    recipe: str
    machine: str

    @property
    def regions(self) -> int:
        """Regions of all rounds."""
        return int(self.sums[:, SUMS.index("regions")].sum())

    @property
    def probability_lost(self) -> float:
        """The drop of the top class' probability over all rounds."""
        return float(self.sums[:, SUMS.index("probability_drop")].sum())


@dataclass(frozen=True)
class RoundSummary:
    """Means over the runs that reached a round.

    Attributes:
        round: The number of the round.
        runs: The number of runs that reached it.
        drop: The drop of the top class' logit by all regions of the round.
        probability_drop: The drop of the top class' probability.
        kept_first: The share of runs whose top class is still the most probable one after the round.
        regions: The number of regions.
        rims: The share of regions that are rims, with more than half of their saliency at the border of what was erased
            before.
        revealed: The mean of this measure over the regions.
        stability: The mean of this measure over the regions.
        coverage: The share of the grid erased after the round.
    """

    round: int
    runs: int
    drop: Estimate
    probability_drop: Estimate
    kept_first: Estimate
    regions: int
    rims: Estimate
    revealed: Estimate
    stability: Estimate
    coverage: Estimate

    def as_dict(self, *, with_intervals: bool = True) -> dict[str, Any]:
        """As it is written to JSON: values first, then the intervals as `…_95`."""
        fields = {name: getattr(self, name) for name in RoundSummary.__dataclass_fields__}
        row = {name: value.value if isinstance(value, Estimate) else value for name, value in fields.items()}
        pairs = {f"{name}_95": fields[name].as_dict(name)[f"{name}_95"] for name in MEANS}
        return {**row, **pairs} if with_intervals else row


@dataclass(frozen=True)
class RunsSummary:
    """Summary of many runs.

    Attributes:
        runs: The number of runs.
        rounds: Means by round.
        regions: The number of regions.
        rims_after_round_1: The share of regions of later rounds that are rims.
        final_coverage: The mean share of the grid erased after the last round.
        stops: The number of tracks that ended for each reason.
        classifiers, precisions, recipes, machines: Those of the runs.
        has_intervals: Whether the means have intervals.
    """

    runs: int
    rounds: tuple[RoundSummary, ...]
    regions: int
    rims_after_round_1: float | None
    final_coverage: float | None
    stops: Mapping[str, int]
    classifiers: tuple[str, ...]
    precisions: tuple[str, ...]
    recipes: tuple[str, ...]
    machines: tuple[str, ...]
    has_intervals: bool

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON; rows have intervals only if groups were given."""
        return {
            "runs": self.runs,
            "rounds": [row.as_dict(with_intervals=self.has_intervals) for row in self.rounds],
            "regions": self.regions,
            "rims_after_round_1": self.rims_after_round_1,
            "final_coverage": self.final_coverage,
            "stops": dict(self.stops),
            "classifier": list(self.classifiers),
            "precision": list(self.precisions),
            "recipe": list(self.recipes),
            "machine": list(self.machines),
        }


def count_run(run: Run) -> RunCount:
    """Count one run. The top class is the class with the largest score before anything was erased."""
    sums = np.zeros((max((done.index for done in run.rounds), default=0), len(SUMS)))
    for done in run.rounds:
        sums[done.index - 1] += _sums_of(run, done)
    tracks = [run.of_track(track) for track in run.tracks]
    return RunCount(
        sums=sums,
        last_coverages=tuple(rounds[-1].coverage for rounds in tracks if rounds),
        stops=tuple(str(reason.kind) for reason in run.stops.values()),
        classifier=run.classifier.name,
        precision=run.classifier.precision,
        recipe=str(run.recipe.get("name")),
        machine=run.versions.get("machine", ""),
    )


def _sums_of(run: Run, done: Round) -> Float[np.ndarray, "sums"]:
    top = run.first.leading(1)[0]
    stability = [region.stability for region in done.regions if region.stability is not None]
    values = {
        "runs": 1,
        "drop": done.before.logits[top] - done.after.logits[top],
        "probability_drop": done.before.probabilities[top] - done.after.probabilities[top],
        "kept_first": done.after.leading(1)[0] == top,
        "coverage": done.coverage,
        "regions": len(done.regions),
        "rims": sum(region.is_rim for region in done.regions),
        "revealed": sum(region.revealed for region in done.regions),
        "stability": sum(stability),
        "stability_known": len(stability),
    }
    return np.array([float(values[name]) for name in SUMS])


def summarize_counts(
    counts: Sequence[RunCount], groups: Sequence[Hashable] | None = None, seed: int = 0
) -> RunsSummary:
    """The summary of counted runs; with `groups` (one per run: an image, a patient) it has intervals, by drawing groups
    with replacement."""
    rounds = max((len(count.sums) for count in counts), default=0)
    stacked = np.zeros((len(counts), rounds, len(SUMS)))
    for number, count in enumerate(counts):
        stacked[number, : len(count.sums)] = count.sums
    pairs = np.full((2, rounds, len(MEANS)), np.nan) if groups is None else _intervals(by_group(stacked, groups), seed)
    later = stacked[:, 1:].sum(axis=(0, 1))
    coverages = [value for count in counts for value in count.last_coverages]
    return RunsSummary(
        runs=len(counts),
        rounds=tuple(
            _summarize_round(index + 1, sums, pairs[:, index]) for index, sums in enumerate(stacked.sum(axis=0))
        ),
        regions=sum(count.regions for count in counts),
        rims_after_round_1=ratio(later[SUMS.index("rims")], later[SUMS.index("regions")]),
        final_coverage=ratio(sum(coverages), len(coverages)),
        stops=dict(Counter(stop for count in counts for stop in count.stops)),
        classifiers=tuple(sorted({count.classifier for count in counts})),
        precisions=tuple(sorted({count.precision for count in counts})),
        recipes=tuple(sorted({count.recipe for count in counts})),
        machines=tuple(sorted({count.machine for count in counts})),
        has_intervals=groups is not None,
    )


def summarize_runs(runs: Iterable[Run]) -> RunsSummary:
    """The summary of runs, read one at a time, without intervals."""
    return summarize_counts([count_run(run) for run in runs])


def _summarize_round(index: int, sums: Float[np.ndarray, "sums"], pairs: Float[np.ndarray, "2 means"]) -> RoundSummary:
    total = dict(zip(SUMS, sums, strict=True))
    means = {
        name: Estimate(ratio(total[name], total[of]), bounds(pairs[:, number]))
        for number, (name, of) in enumerate(MEANS.items())
    }
    return RoundSummary(round=index, runs=int(total["runs"]), regions=int(total["regions"]), **means)


def _intervals(grouped: Float[np.ndarray, "groups rounds sums"], seed: int) -> Float[np.ndarray, "2 rounds means"]:
    over, under = ([SUMS.index(name) for name in names] for names in (MEANS, MEANS.values()))
    return intervals(grouped[..., over], grouped[..., under], seed)
