"""What the rounds of many runs did, round by round: drops, the first label, rims, coverage."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.evaluation.bootstrap import bounds, by_group, intervals, ratio
from unveil.records import Round, Run

# What is summed over the rounds of one number.
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
    "settled_known",
)
# What follows: a mean or a share is the first sum over the second.
MEANS: dict[str, str] = {
    "drop": "runs",
    "probability_drop": "runs",
    "kept_first": "runs",
    "rims": "regions",
    "revealed": "regions",
    "stability": "settled_known",
    "coverage": "runs",
}


@dataclass(frozen=True, eq=False)
class RunCount:
    """What one run adds: `sums[r - 1]` holds the `SUMS` of its round r.

    With separate tracks every track counts for itself, as a run would.
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
        """What all rounds took from the top class' probability."""
        return float(self.sums[:, SUMS.index("probability_drop")].sum())


def count_run(run: Run) -> RunCount:
    """Count one run. The top class is the label that was likeliest before anything was erased."""
    sums = np.zeros((max((one.index for one in run.rounds), default=0), len(SUMS)))
    for one in run.rounds:
        sums[one.index - 1] += _sums_of(run, one)
    ends = [run.of_track(track) for track in run.tracks]
    return RunCount(
        sums=sums,
        last_coverages=tuple(done[-1].coverage for done in ends if done),
        stops=tuple(str(reason.kind) for reason in run.stops.values()),
        classifier=run.classifier.name,
        precision=run.classifier.precision,
        recipe=str(run.recipe.get("name")),
        machine=run.versions.get("machine", ""),
    )


def _sums_of(run: Run, one: Round) -> Float[np.ndarray, "sums"]:
    top = run.first.leading(1)[0]
    stability = [region.stability for region in one.regions if region.stability is not None]
    values = {
        "runs": 1,
        "drop": one.before.logits[top] - one.after.logits[top],
        "probability_drop": one.before.probabilities[top] - one.after.probabilities[top],
        "kept_first": one.after.leading(1)[0] == top,
        "coverage": one.coverage,
        "regions": len(one.regions),
        "rims": sum(region.is_rim for region in one.regions),
        "revealed": sum(region.revealed for region in one.regions),
        "stability": sum(stability),
        "settled_known": len(stability),
    }
    return np.array([float(values[name]) for name in SUMS])


def summarize(counts: Sequence[RunCount], groups: Sequence[Hashable] | None = None, seed: int = 0) -> dict:
    """Per round: means over the runs that reached it; and what holds for all.

    `drop` and `probability_drop`: what all regions of the round took from the top class. `kept_first`: share of runs
    where it still leads after the round. `rims`: share of the round's regions with more than half of their saliency at
    the rim. `revealed`, `stability`: means over the regions. `coverage`: share of the grid erased after the round. With
    `groups` (one a run: an image, a patient) each has an interval `…_95`, by drawing groups with replacement.
    """
    rounds = max((len(count.sums) for count in counts), default=0)
    stacked = np.zeros((len(counts), rounds, len(SUMS)))
    for number, count in enumerate(counts):
        stacked[number, : len(count.sums)] = count.sums
    rows = [_row(index, sums) for index, sums in enumerate(stacked.sum(axis=0), start=1)]
    if groups is not None:
        _add_intervals(rows, by_group(stacked, groups), seed)
    later = stacked[:, 1:].sum(axis=(0, 1))
    coverages = [value for count in counts for value in count.last_coverages]
    return {
        "runs": len(counts),
        "rounds": rows,
        "regions": sum(count.regions for count in counts),
        "rims_after_round_1": ratio(later[SUMS.index("rims")], later[SUMS.index("regions")]),
        "final_coverage": ratio(sum(coverages), len(coverages)),
        "stops": dict(Counter(stop for count in counts for stop in count.stops)),
        "classifier": sorted({count.classifier for count in counts}),
        "precision": sorted({count.precision for count in counts}),
        "recipe": sorted({count.recipe for count in counts}),
        "machine": sorted({count.machine for count in counts}),
    }


def summary(runs: Iterable[Run]) -> dict:
    """`summarize` for runs, read one at a time, without intervals."""
    return summarize([count_run(run) for run in runs])


def _row(index: int, sums: Float[np.ndarray, "sums"]) -> dict:
    total = dict(zip(SUMS, sums, strict=True))
    means = {name: ratio(total[name], total[of]) for name, of in MEANS.items()}
    return {
        "round": index,
        "runs": int(total["runs"]),
        **{name: means[name] for name in ("drop", "probability_drop", "kept_first")},
        "regions": int(total["regions"]),
        **{name: means[name] for name in ("rims", "revealed", "stability", "coverage")},
    }


def _add_intervals(rows: list[dict], grouped: Float[np.ndarray, "groups rounds sums"], seed: int) -> None:
    over, under = ([SUMS.index(name) for name in names] for names in (MEANS, MEANS.values()))
    found = intervals(grouped[..., over], grouped[..., under], seed)
    for row, pairs in zip(rows, found.transpose(1, 2, 0), strict=True):
        row.update({f"{name}_95": bounds(pair) for name, pair in zip(MEANS, pairs, strict=True)})
