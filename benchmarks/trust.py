"""Trust cards compared with planted truth: true cues called artifacts, rims caught, p-values without evidence.

python benchmarks/trust.py --json > benchmarks/results/0.1.0/trust.json   # seeds from 200 000, as in the docs
python benchmarks/trust.py --first 300000 --scenes 45 --keep FILE   # the seeds the levels were chosen on
"""

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from notes import Notes
from rich.console import Console
from rich.progress import track
from scipy.stats import kstest

from unveil import Class, Classifier, Recipe, Region, Round, Run, find_regions, load_classifier
from unveil.attribution import GuidedBackprop, SmoothGrad
from unveil.context import RunContext
from unveil.evaluation.planted.cue_recall import is_false
from unveil.images import Image
from unveil.masks import distance_px
from unveil.planted import LABELS, Scene, draw_scene
from unveil.planted.training.proof import wilson
from unveil.recipes import demo, paper
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import CoverageAbove, MaxRounds
from unveil.trust.base import RegionContext
from unveil.trust.placement import PlacementTest, random_placements

NEAR_PX = 6  # as measures.RIM_PX; also reported scaled from 224 to 128 px
SCALED_PX = 6 * 128 / 224


def paper_scaled(noise: float) -> Recipe:
    """`paper` for 128 px, scaled as `demo` is: boxes of 5 px, 8 samples."""
    return replace(
        paper(),
        attribution=SmoothGrad(GuidedBackprop(), samples=8, noise=noise),
        selector=SmoothedThreshold(size_px=5, passes=3, threshold=RelativeToMax(0.3)),
    )


def is_on_cues(region: Region, scene: Scene) -> bool:
    """The truth about evidence: at least a tenth of the region on cues of its class."""
    return not is_false(region.mask.to_array(), scene.inside(region.target))


def is_rim(region: Region, one: Round, scene: Scene, near_px: float) -> bool:
    """The truth about rims, which no card knows: found after the first round, less than a tenth on cues of its class,
    and more than half of its area within `near_px` of what was erased before."""
    inside, erased = region.model_mask.to_array(), one.erased.to_array()
    near = np.count_nonzero(inside & (distance_px(erased) <= near_px)) / np.count_nonzero(inside)
    return bool(one.index > 1 and not is_on_cues(region, scene) and near > 0.5)


def holds_a_cue(region: Region, scene: Scene) -> bool:
    """The truth about cues: at least half of one of its class is in the region. What is only on cues may be a sliver
    that an earlier region left, and the rim around it. (Regions never hold what was erased before.)"""
    inside = region.model_mask.to_array()
    cues = (cue.inside for cue in scene.cues if cue.label == region.target)
    return any(np.count_nonzero(inside & cue) >= 0.5 * np.count_nonzero(cue) for cue in cues)


def rows_of(run: Run, scene: Scene) -> Iterator[dict]:
    """Every region with its truth and its card."""
    cards = iter(run.trust.cards if run.trust else ())
    for one in run.rounds:
        for region in one.regions:
            yield {
                "scene": scene.seed,
                "round": one.index,
                "target": region.target,
                "true": is_on_cues(region, scene),
                "cue": holds_a_cue(region, scene),
                "rim_truth": is_rim(region, one, scene, NEAR_PX),
                "rim_truth_scaled": is_rim(region, one, scene, SCALED_PX),
                "drop": region.drop,
                "rim": region.rim_share,
                **asdict(next(cards)),
            }


def each(kept: Notes, part: str, seeds: range, ask: Callable[[int], Any]) -> list:
    """What `ask` says for every seed; asked only where it isn't known."""
    shown = track(seeds, part, console=Console(stderr=True), transient=True)
    return [kept.find_or_make((part, seed), lambda seed=seed: ask(seed)) for seed in shown]


@dataclass(frozen=True)
class Examined:
    """What is asked about a scene: whatever is predicted, the first class that is there, or one that isn't."""

    classifier: Classifier
    recipe: Recipe
    which: str

    def __call__(self, seed: int) -> dict:
        """Its regions with their truth and their cards, and what they cost."""
        scene = draw_scene(seed)
        there = {"present": scene.labels[:1], "absent": absent(scene)}.get(self.which, ("",))
        rows, passes, started = [], 0, time.perf_counter()
        for label in there:
            asked = self.recipe.with_target(Class(label)) if label else self.recipe
            run = find_regions(Image.from_array(scene.pixels), self.classifier, asked)
            passes += run.trust.passes if run.trust else 0
            rows += rows_of(run, scene)
        return {"rows": rows, "passes": passes, "seconds": time.perf_counter() - started}


def absent(scene: Scene) -> tuple[str, ...]:
    """One class that the scene has no cue of, another for every seed."""
    missing = [label for label in LABELS if label not in scene.labels]
    return (missing[scene.seed % len(missing)],)


def rate(rows: list[dict], verdict: str) -> dict:
    """How many have this verdict, with a 95 % Wilson interval."""
    count = sum(row["verdict"] == verdict for row in rows)
    low, high = wilson(count, len(rows)) if rows else (0.0, 1.0)
    return {"n": len(rows), "count": count, "rate": count / len(rows) if rows else None, "wilson_95": [low, high]}


def verdicts(rows: list[dict]) -> dict:
    """How many of each."""
    return dict(Counter(str(row["verdict"]) for row in rows))


@dataclass(frozen=True)
class Nowhere:
    """`p_nowhere` of a scene and a class that is absent."""

    classifier: Classifier

    def __call__(self, seed: int) -> tuple[float, float]:
        """Both p."""
        scene = draw_scene(seed)
        search = RunContext.create(
            Image.from_array(scene.pixels), self.classifier, demo().with_target(Class(*absent(scene)))
        )
        return p_nowhere(search, seed)


def p_nowhere(search: RunContext, seed: int, draws: int = 39) -> tuple[float, float]:
    """p of a place that no map has chosen, for the target of `search`: as recorded, and with ties broken at random.

    The region is a disc of .4 to 4 % of the grid put anywhere. Many drops are exactly 0, where the strongest place,
    which alone decides, isn't touched; ties count against a region, so that its p is larger than uniform. Broken at
    random they show whether the places are exchangeable.
    """
    rng, (height, width) = np.random.default_rng(seed), search.grid
    (target_score,) = search.recipe.target.resolve(search.first, search.first, search.classifier.labels)
    y, x = np.mgrid[:height, :width]
    area_px = height * width * rng.uniform(60, 600) / 128**2
    disc = np.hypot(y - height // 2, x - width // 2) <= np.sqrt(area_px / np.pi)
    (inside,) = random_placements(disc, np.zeros_like(disc), f"null {seed}", 1)
    nothing = np.zeros_like(inside)
    masked = search.masked.compared
    subject = RegionContext(masked, target_score, inside, erased=nothing, taken=inside, others=nothing)
    elsewhere = PlacementTest(subject, draws)
    masked.evaluate(elsewhere.views())
    null, own = elsewhere.result(), subject.drop(nothing, inside)
    others = np.array([subject.drop(nothing, place) for place in elsewhere.places])
    tied = np.abs(others - own) <= subject.tolerance
    above = np.count_nonzero((others > own) & ~tied) + rng.integers(np.count_nonzero(tied) + 1)
    return null.p_value or 1.0, float((above + rng.random()) / (1 + len(others)))


def uniformity(p: np.ndarray) -> dict:
    """Kolmogorov-Smirnov against the uniform: both sides, and only where there are too many small ones."""
    both, excess = kstest(p, "uniform"), kstest(p, "uniform", alternative="greater")
    return {
        "n": len(p),
        "ks": both.statistic,
        "ks_p": both.pvalue,
        "ks_too_small": excess.statistic,
        "ks_too_small_p": excess.pvalue,
        "share_up_to": {str(level): float((p <= level).mean()) for level in (0.05, 0.1, 0.2, 0.5)},
    }


def measure(first: int, scenes: int, kept: Notes) -> dict:
    """Everything, in one table."""
    classifier, seeds = load_classifier("planted/demo"), range(first, first + scenes)

    def rows(name: str, recipe: Recipe, which: str, of: range = seeds) -> list[dict]:
        found = each(kept, f"{name}, {which}", of, Examined(classifier, recipe, which))
        return [row for scene in found for row in scene["rows"]]

    cues = rows("demo", demo(), "predicted")
    # `demo` doesn't look for what isn't predicted; here it has to.
    none = rows("demo", replace(demo(), stop=MaxRounds(5) | CoverageAbove(0.6)), "absent", seeds[::3])
    rims = {noise: rows(f"paper, noise {noise}", paper_scaled(noise), "present") for noise in (0.05, 0.15)}
    asked = each(kept, "demo, predicted", seeds, lambda seed: None)
    of_paper = [row for rows in rims.values() for row in rows]
    p = np.array(each(kept, "null", range(first, first + 2 * scenes), Nowhere(classifier)))
    return {
        "seeds": [first, first + scenes - 1],
        "true_cues_called_artifact": rate([row for row in cues if row["true"]], "artifact"),
        "true_cues_called_supported": rate([row for row in cues if row["true"]], "supported"),
        "papers_cues_called_artifact": rate([row for row in of_paper if row["cue"]], "artifact"),
        "papers_cues_called_supported": rate([row for row in of_paper if row["cue"]], "supported"),
        "rims_called_artifact": rate([row for row in of_paper if row["rim_truth"]], "artifact"),
        "rims_called_supported": rate([row for row in of_paper if row["rim_truth"]], "supported"),
        "rims_within_3.4_px_called_artifact": rate([row for row in of_paper if row["rim_truth_scaled"]], "artifact"),
        "verdicts": {
            "demo, regions on cues": verdicts([row for row in cues if row["true"]]),
            "demo, other regions": verdicts([row for row in cues if not row["true"]]),
            "demo, a class that is absent": verdicts(none),
            **{
                f"paper, noise {noise}, {name}": verdicts([row for row in rows if chosen(row)])
                for noise, rows in rims.items()
                for name, chosen in (
                    ("regions that hold a cue", lambda row: row["cue"]),
                    ("other regions on cues", lambda row: row["true"] and not row["cue"]),
                    ("rims", lambda row: row["rim_truth"]),
                    ("other regions", lambda row: not row["true"] and not row["rim_truth"]),
                )
            },
        },
        "null_p_ties_at_random": uniformity(p[:, 1]),
        "null_p_as_recorded": uniformity(p[:, 0]),
        "found_where_absent_p": uniformity(np.array([row["p_value"] for row in none if row["p_value"] is not None])),
        "cost": {
            "images_per_region": sum(scene["passes"] for scene in asked) / max(1, len(cues)),
            "seconds_per_scene": sum(scene["seconds"] for scene in asked) / scenes,
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def rounded(value):
    """The same tables with floats of four digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=200_000, help="the first scene's seed")
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--keep", type=Path, help="a file that keeps what was asked, so that the same call goes on")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = rounded(measure(options.first, options.scenes, Notes(options.keep)))
    if options.json:
        print(json.dumps(result, indent=1))
        return
    Console().print(result)


if __name__ == "__main__":
    main()
