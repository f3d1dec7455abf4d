"""Regions of any method against the cues of planted scenes: recall by round, precision, rims, false regions and order,
with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.bootstrap import Estimate, bounds, by_group, intervals, ratio
from unveil.errors import UnveilError
from unveil.evaluation.planted.cue_recall import Inside, is_false, is_found
from unveil.masks import components, distance_px, iou, union
from unveil.measures import RIM_PX
from unveil.planted import Cue, Scene

Saliency = Float[np.ndarray, "h w"]
RIM_SHARE = 0.5  # a false region is a rim if this share of its saliency lies near the regions of earlier rounds
RATES = (
    "recall",
    "precision",
    "precision_area",
    "false_region_rate",
    "rim_rate",
    "area_per_cue_px",
    "iou",
    "strongest_first",
)


class TrialError(UnveilError):
    """Regions, maps or strengths don't belong to the scene."""


@dataclass(frozen=True, eq=False)
class Trial:
    """The regions by round that a method found for one label of one scene; a single-map method has one round.

    Attributes:
        scene: The scene.
        label: The label that was explained.
        rounds: The regions of each round, as boolean arrays.
        maps: The saliency map of each round, by which rims are weighted; None if the method has none.
        strengths: The drop of the label's logit when each of its cues is left out of the scene, in the order of the
            cues; None if it isn't known.
        suite: The suite of the scene.

    Raises `TrialError` for regions, maps or strengths that don't belong to the scene.
    """

    scene: Scene
    label: str
    rounds: tuple[tuple[Inside, ...], ...]
    maps: tuple[Saliency, ...] | None = None
    strengths: tuple[float, ...] | None = None
    suite: str = ""

    def __post_init__(self) -> None:
        grid = self.scene.pixels.shape[1:]
        for inside in (region for regions in self.rounds for region in regions):
            if inside.shape != grid:
                raise TrialError(f"regions on the scene's grid {grid}", f"one on {inside.shape}", "resample the region")
        if self.maps is not None and len(self.maps) != len(self.rounds):
            raise TrialError(
                f"{len(self.rounds)} maps, one per round", f"{len(self.maps)}", "give one map per round, or none"
            )
        if self.strengths is not None and len(self.strengths) != len(self.cues):
            got = f"{len(self.strengths)} strengths"
            raise TrialError(f"{len(self.cues)} strengths, one per cue", got, "give them in the order of the cues")

    @property
    def cues(self) -> tuple[Cue, ...]:
        """The cues of the label; none if the scene has no evidence for it."""
        return tuple(cue for cue in self.scene.cues if cue.label == self.label)

    @property
    def regions(self) -> tuple[Inside, ...]:
        """Regions of all rounds."""
        return tuple(region for regions in self.rounds for region in regions)

    @property
    def area(self) -> int:
        """Pixels in any region."""
        return int(np.count_nonzero(union(self.regions, self.scene.pixels.shape[1:])))


@dataclass(frozen=True)
class TrialScores:
    """Rates over trials, with 95 % intervals over scenes; values are None where there is nothing to divide by.

    Over the trials of labels with evidence (sums over all trials first, one division last):

    - `recall`: cues of which regions cover at least half / cues; `recall_by_round` after each round.
    - `precision`: regions of which at least a tenth lies on cues / regions.
    - `precision_area`: pixels of regions on cues / pixels of regions.
    - `rim_rate`: false regions with half of their saliency within `RIM_PX` of earlier rounds' regions / regions.
    - `area_per_cue_px`: pixels of regions / cues found.
    - `iou`: mean over the cues of the best IoU with a region.
    - `strongest_first`: trials in which the first round that finds any cue finds the strongest / trials that have
      several cues, and strengths.

    Over those of labels without evidence: `false_region_rate`, trials with a region / trials. `scenes`, `trials` and
    `trials_without_evidence` are counts.
    """

    scenes: int
    trials: int
    trials_without_evidence: int
    cues: int
    regions: int
    recall: Estimate
    precision: Estimate
    precision_area: Estimate
    false_region_rate: Estimate
    rim_rate: Estimate
    area_per_cue_px: Estimate
    iou: Estimate
    strongest_first: Estimate
    recall_by_round: tuple[Estimate, ...]

    @property
    def rates(self) -> dict[str, Estimate]:
        """The `RATES` by name."""
        return {name: getattr(self, name) for name in RATES}

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON: values by name, and all intervals in one table."""
        counts = ("scenes", "trials", "trials_without_evidence", "cues", "regions")
        by_round = {f"round {index}": rate for index, rate in enumerate(self.recall_by_round, start=1)}
        pairs = {name: rate.interval for name, rate in {**self.rates, **by_round}.items()}
        return {
            **{name: getattr(self, name) for name in counts},
            **{name: rate.value for name, rate in self.rates.items()},
            "recall_by_round": [rate.value for rate in self.recall_by_round],
            "intervals": {name: None if pair is None else list(pair) for name, pair in pairs.items()},
        }


def score_trials(trials: Sequence[Trial], rounds: int, seed: int = 0) -> TrialScores:
    """All rates over the trials, with `recall_by_round` after each of `rounds` rounds; intervals draw whole scenes."""
    if not trials:
        raise TrialError("at least one trial", "none", "draw more scenes")
    counts = np.array([_counts(trial, rounds) for trial in trials])
    groups = by_group(counts, [(trial.suite, trial.scene.seed) for trial in trials])
    sums, (low, high) = groups.sum(0), intervals(groups[:, 0], groups[:, 1], seed)
    estimates = [
        Estimate(ratio(*pair), bounds(np.array(between)))
        for pair, between in zip(sums.T, zip(low, high, strict=True), strict=True)
    ]
    return TrialScores(
        scenes=len(groups),
        trials=len(trials),
        trials_without_evidence=sum(not trial.cues for trial in trials),
        cues=int(sums[1, 0]),
        regions=int(sums[1, 1]),
        **dict(zip(RATES, estimates[: len(RATES)], strict=True)),
        recall_by_round=tuple(estimates[len(RATES) :]),
    )


def _counts(trial: Trial, rounds: int) -> Float[np.ndarray, "2 stats"]:
    """Numerators and denominators of every rate."""
    cues, regions = trial.cues, trial.regions
    if not cues:
        empty = np.zeros((2, len(RATES) + rounds))
        empty[:, RATES.index("false_region_rate")] = bool(regions), 1
        return empty
    on_cues = trial.scene.inside(trial.label)
    covered = union(regions, on_cues.shape)
    found = [[is_found(cue.inside, area) for cue in cues] for area in _covered_by_round(trial, rounds)]
    true = [not is_false(region, on_cues) for region in regions]
    best = [max((iou(cue.inside, region) for region in regions), default=0.0) for cue in cues]
    pairs = {
        "recall": (sum(found[-1]), len(cues)),
        "precision": (sum(true), len(regions)),
        "precision_area": (np.count_nonzero(covered & on_cues), np.count_nonzero(covered)),
        "false_region_rate": (0, 0),
        "rim_rate": (sum(_rims(trial, on_cues)), len(regions)),
        "area_per_cue_px": (np.count_nonzero(covered), sum(found[-1])),
        "iou": (sum(best), len(cues)),
        "strongest_first": _strongest_first(trial, found),
    }
    by_round = [(sum(flags), len(cues)) for flags in found]
    return np.array([*(pairs[name] for name in RATES), *by_round], dtype=np.float64).T


def _covered_by_round(trial: Trial, rounds: int) -> list[Inside]:
    """The union of all regions after each round; a method that ended early keeps its regions."""
    grid, counts = trial.scene.pixels.shape[1:], range(1, rounds + 1)
    return [union((region for regions in trial.rounds[:count] for region in regions), grid) for count in counts]


def _rims(trial: Trial, on_cues: Inside) -> list[bool]:
    taken, rims = np.zeros(on_cues.shape, bool), []
    for number, regions in enumerate(trial.rounds):
        near = distance_px(taken) <= RIM_PX
        weights = np.ones(on_cues.shape) if trial.maps is None else trial.maps[number]
        for region in regions:
            total = float(weights[region].sum())
            at_rim = total > 0 and float(weights[region & near].sum()) >= RIM_SHARE * total
            rims.append(at_rim and is_false(region, on_cues))
        taken = taken | union(regions, on_cues.shape)
    return rims


def _strongest_first(trial: Trial, found: list[list[bool]]) -> tuple[int, int]:
    if trial.strengths is None or len(trial.cues) < 2:
        return 0, 0
    first = next((flags for flags in found if any(flags)), None)
    return int(first is not None and first[int(np.argmax(trial.strengths))]), 1


def cut_at_area(saliency: Saliency, area: int, min_area_px: int = 1) -> tuple[Inside, ...]:
    """Connected parts of the `area` pixels with the largest values, without those smaller than `min_area_px`.

    Among equal values the first in scan order are taken; values that aren't positive are never taken.
    """
    order = np.argsort(-saliency.ravel(), kind="stable")[:area]
    inside = np.zeros(saliency.size, bool)
    inside[order] = True
    return _parts(inside.reshape(saliency.shape) & (saliency > 0), min_area_px)


def cut_at_share(saliency: Saliency, share: float, min_area_px: int = 1) -> tuple[Inside, ...]:
    """Connected parts of what is at least `share` of the largest value, without those smaller than `min_area_px`."""
    return _parts((saliency >= share * saliency.max()) & (saliency > 0), min_area_px)


def _parts(inside: Inside, min_area_px: int) -> tuple[Inside, ...]:
    """The largest first."""
    parts = [part for part in components(inside) if np.count_nonzero(part) >= min_area_px]
    return tuple(sorted(parts, key=np.count_nonzero, reverse=True))


def best_share(
    maps: Sequence[Saliency], questions: Sequence[tuple[Scene, str]], shares: Sequence[float], min_area_px: int
) -> float:
    """The share of the maximum with the largest F1 = 2PR/(P + R), for maps of these scenes and labels; the first among
    equally good ones. R is the recall and P the precision."""

    def f1(share: float) -> float:
        trials = [
            Trial(scene, label, (cut_at_share(saliency, share, min_area_px),))
            for saliency, (scene, label) in zip(maps, questions, strict=True)
        ]
        counts = np.sum([_counts(trial, 1) for trial in trials], axis=0)
        recall, precision = (ratio(*counts[:, RATES.index(name)]) or 0.0 for name in ("recall", "precision"))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    return max(shares, key=f1)
