"""Regions of any method against the cues of planted scenes: recall by round, precision, rims, false regions, order,
with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.errors import UnveilError
from unveil.evaluation.bootstrap import bounds, by_group, intervals, ratio
from unveil.evaluation.planted.cue_recall import Inside, is_false, is_found
from unveil.masks import components, distance_px, iou, union
from unveil.measures import RIM_PX
from unveil.planted import Cue, Scene

Saliency = Float[np.ndarray, "h w"]
RIM_SHARE = 0.5  # a false region is a rim if so much of it, by saliency, lies near to what was taken before
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
    """Regions, maps or strengths that don't belong to the scene."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What a method answered when asked about one label of one scene: regions by round, whatever the method.

    `maps`: what each round saw, if the method tells; rims are weighted by it. `strengths`: what the label's logit loses
    when each of its cues is left out of the scene, in their order, for those who know it. A one-shot method has one
    round.
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
                raise TrialError(f"regions on the scene's grid {grid}", f"one on {inside.shape}", "bring it there")
        if self.maps is not None and len(self.maps) != len(self.rounds):
            raise TrialError(f"{len(self.rounds)} maps, one a round", f"{len(self.maps)}", "leave maps out")
        if self.strengths is not None and len(self.strengths) != len(self.cues):
            got = f"{len(self.strengths)} strengths"
            raise TrialError(f"{len(self.cues)} strengths, one a cue", got, "give them in the order of cues")

    @property
    def cues(self) -> tuple[Cue, ...]:
        """The cues of the label asked about; none where there is no evidence for it."""
        return tuple(cue for cue in self.scene.cues if cue.label == self.label)

    @property
    def regions(self) -> tuple[Inside, ...]:
        """Regions of all rounds."""
        return tuple(region for regions in self.rounds for region in regions)

    @property
    def area(self) -> int:
        """Pixels in any region."""
        return int(np.count_nonzero(union(self.regions, self.scene.pixels.shape[1:])))


def score(trials: Sequence[Trial], rounds: int, seed: int = 0) -> dict:
    """All rates of `RATES`, and `recall_by_round`, with 95 % intervals over scenes; None where nothing can be said.

    Over the trials of labels that are there (all sums first, one division last):

    - `recall`: cues of which regions cover at least half / cues; `recall_by_round` after each of `rounds` rounds.
    - `precision`: regions of which at least a tenth lies on cues / regions.
    - `precision_area`: pixels of regions on cues / pixels of regions.
    - `rim_rate`: false regions half of which, by saliency, lie within `RIM_PX` of earlier rounds' / regions.
    - `area_per_cue_px`: pixels of regions / cues found.
    - `iou`: the best IoU of a region with each cue, their mean.
    - `strongest_first`: trials in which the first round that finds any cue finds the strongest / trials that have
      several cues, and strengths.

    Over those of labels that aren't: `false_region_rate`, trials with a region / trials.
    """
    if not trials:
        raise TrialError("at least one trial", "none", "draw more scenes")
    counts = np.array([_counts(trial, rounds) for trial in trials])
    groups = by_group(counts, [(trial.suite, trial.scene.seed) for trial in trials])
    found, (low, high) = groups.sum(0), intervals(groups[:, 0], groups[:, 1], seed)
    names = (*RATES, *(f"round {index + 1}" for index in range(rounds)))
    values = [ratio(*pair) for pair in found.T]
    between = [bounds(np.array(pair)) for pair in zip(low, high, strict=True)]
    rates = len(RATES)
    return {
        "scenes": len(groups),
        "trials": len(trials),
        "trials_without_evidence": sum(not trial.cues for trial in trials),
        "cues": int(found[1, 0]),
        "regions": int(found[1, 1]),
        **dict(zip(RATES, values[:rates], strict=True)),
        "recall_by_round": values[rates:],
        "intervals": dict(zip(names, between, strict=True)),
    }


def _counts(trial: Trial, rounds: int) -> Float[np.ndarray, "2 stats"]:
    """Numerators and denominators of every rate."""
    cues, regions = trial.cues, trial.regions
    if not cues:
        empty = np.zeros((2, len(RATES) + rounds))
        empty[:, RATES.index("false_region_rate")] = bool(regions), 1
        return empty
    on_cues = trial.scene.inside(trial.label)
    covered = union(regions, on_cues.shape)
    found = [[is_found(cue.inside, seen) for cue in cues] for seen in _seen_by_round(trial, rounds)]
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
    by_round = [(sum(one), len(cues)) for one in found]
    return np.array([*(pairs[name] for name in RATES), *by_round], dtype=np.float64).T


def _seen_by_round(trial: Trial, rounds: int) -> list[Inside]:
    """What is covered after each round; a method that ended early keeps what it had."""
    grid = trial.scene.pixels.shape[1:]
    done = range(1, rounds + 1)
    return [union((region for regions in trial.rounds[:index] for region in regions), grid) for index in done]


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
    first = next((one for one in found if any(one)), None)
    return int(first is not None and first[int(np.argmax(trial.strengths))]), 1


def cut_at_area(saliency: Saliency, area: int, least_px: int = 1) -> tuple[Inside, ...]:
    """Connected parts of the `area` pixels with the largest values, without those smaller than `least_px`.

    Of equal values the first in scan order; values that aren't positive are never taken.
    """
    order = np.argsort(-saliency.ravel(), kind="stable")[:area]
    inside = np.zeros(saliency.size, bool)
    inside[order] = True
    return _parts(inside.reshape(saliency.shape) & (saliency > 0), least_px)


def cut_at_share(saliency: Saliency, share: float, least_px: int = 1) -> tuple[Inside, ...]:
    """Connected parts of what is at least `share` of the largest value, without those smaller than `least_px`."""
    return _parts((saliency >= share * saliency.max()) & (saliency > 0), least_px)


def _parts(inside: Inside, least_px: int) -> tuple[Inside, ...]:
    """The largest first."""
    parts = [part for part in components(inside) if np.count_nonzero(part) >= least_px]
    return tuple(sorted(parts, key=np.count_nonzero, reverse=True))


def best_share(
    maps: Sequence[Saliency], asked: Sequence[tuple[Scene, str]], shares: Sequence[float], least_px: int
) -> float:
    """The share of the maximum at which maps of these scenes and labels have the largest F1 = 2PR/(P + R), of recall R
    and precision P; of equal ones the first."""

    def f1(share: float) -> float:
        pairs = zip(maps, asked, strict=True)
        trials = [Trial(scene, label, (cut_at_share(one, share, least_px),)) for one, (scene, label) in pairs]
        counts = np.sum([_counts(trial, 1) for trial in trials], axis=0)
        recall, precision = (ratio(*counts[:, RATES.index(name)]) or 0.0 for name in ("recall", "precision"))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    return max(shares, key=f1)
