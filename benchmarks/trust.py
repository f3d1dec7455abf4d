"""Trust cards held against planted truth: true cues called artefacts, rims caught, p-values without evidence.

python benchmarks/trust.py --json > benchmarks/results/0.1.0/trust.json      # seeds from 200 000, as in the docs
python benchmarks/trust.py --first 300000 --scenes 60 --regions FILE         # the seeds the levels were chosen on
"""

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import kstest

from unveil import Class, Classifier, Recipe, Region, Round, Run, find_regions, load_classifier
from unveil.attribution import GuidedBackprop, SmoothGrad
from unveil.evaluation.cues import is_false
from unveil.images import Image
from unveil.masks import distance_px
from unveil.planted import LABELS, Scene, draw_scene
from unveil.planted.proof import wilson
from unveil.recipes import demo, paper
from unveil.regions import BoxSmoothing, Relative
from unveil.search import Search
from unveil.trust.asking import Subject
from unveil.trust.nulls import Elsewhere, placements

NEAR_PX = 6  # as measures.RIM_PX; also reported scaled from 224 to 128 px
SCALED_PX = 6 * 128 / 224


def paper_scaled(noise: float) -> Recipe:
    """`paper` for 128 px, scaled as `demo` is: boxes of 5 px, 8 samples."""
    return replace(
        paper(),
        attribution=SmoothGrad(GuidedBackprop(), samples=8, noise=noise),
        select=BoxSmoothing(size=5, passes=3, threshold=Relative(0.3)),
    )


def is_rim(region: Region, one: Round, scene: Scene, near_px: float) -> bool:
    """The truth about rims, which no card knows: found after the first round, less than a tenth on cues of its class,
    and more than half of its area within `near_px` of what was erased before."""
    inside, erased = region.grid_outline.inside(), one.erased.inside()
    near = np.count_nonzero(inside & (distance_px(erased) <= near_px)) / np.count_nonzero(inside)
    return one.index > 1 and is_false(region, scene) and near > 0.5


def rows_of(run: Run, scene: Scene) -> Iterator[dict]:
    """Every region with its truth and its card."""
    cards = iter(run.trust.cards if run.trust else ())
    for one in run.rounds:
        for region in one.regions:
            yield {
                "scene": scene.seed,
                "round": one.index,
                "target": region.target,
                "true": not is_false(region, scene),
                "rim_truth": is_rim(region, one, scene, NEAR_PX),
                "rim_truth_scaled": is_rim(region, one, scene, SCALED_PX),
                "drop": region.drop,
                "rim": region.rim,
                **asdict(next(cards)),
            }


def examined(classifier: Classifier, recipe: Recipe, seeds: range, which: str) -> tuple[list[dict], dict]:
    """Rows of all scenes, and what they cost. `which`: whatever is predicted, the first class that is there, or one
    that isn't."""
    rows, passes, seconds = [], 0, 0.0
    for seed in track(seeds, f"{recipe.name}, {which}", console=Console(stderr=True), transient=True):
        scene = draw_scene(seed)
        there = {"present": scene.labels[:1], "absent": absent(scene)}.get(which, ("",))
        for label in there:
            asked = recipe.with_target(Class(label)) if label else recipe
            started = time.perf_counter()
            run = find_regions(Image.from_array(scene.pixels), classifier, asked)
            seconds += time.perf_counter() - started
            passes += run.trust.passes if run.trust else 0
            rows += rows_of(run, scene)
    return rows, {"images_asked": passes, "images_a_region": round(passes / max(1, len(rows)), 1), "seconds": seconds}


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


def null_p(classifier: Classifier, seeds: range, draws: int = 39) -> list[tuple[float, float]]:
    """p of places that no map has chosen, for a class that is absent: as recorded, and with ties broken at random.

    The region is a disc of 60 to 600 px put anywhere. Many drops are exactly 0, where the strongest place, which alone
    decides, isn't touched; ties count against a region, so that its p is larger than uniform. Broken at random they
    show whether the places are exchangeable.
    """
    rng, found = np.random.default_rng(0), []
    y, x = np.mgrid[:128, :128]
    for seed in track(seeds, "null", console=Console(stderr=True), transient=True):
        scene = draw_scene(seed)
        search = Search.begin(Image.from_array(scene.pixels), classifier, demo().with_target(Class(*absent(scene))))
        (scalar,) = search.recipe.target.resolve(search.first, search.first, classifier.labels)
        disc = np.hypot(y - 64, x - 64) <= np.sqrt(rng.uniform(60, 600) / np.pi)
        (inside,) = placements(disc, np.zeros_like(disc), f"null {seed}", 1)
        nothing = np.zeros_like(inside)
        subject = Subject(search.asker, scalar, inside, erased=nothing, taken=inside, others=nothing)
        elsewhere = Elsewhere(subject, draws)
        search.asker.ask(elsewhere.views())
        null, own = elsewhere.answer(), subject.drop(nothing, inside)
        others = np.array([subject.drop(nothing, place) for place in elsewhere.places])
        tied = np.abs(others - own) <= subject.tolerance
        above = np.count_nonzero((others > own) & ~tied) + rng.integers(np.count_nonzero(tied) + 1)
        found.append((null.p or 1.0, (above + rng.random()) / (1 + null.draws)))
    return found


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


def measure(first: int, scenes: int, regions: Path | None) -> dict:
    """Everything, in one table."""
    classifier, seeds = load_classifier("planted/demo"), range(first, first + scenes)
    cues, cost = examined(classifier, demo(), seeds, "predicted")
    none, _ = examined(classifier, demo(), seeds[::3], "absent")
    rims = {noise: examined(classifier, paper_scaled(noise), seeds, "present")[0] for noise in (0.05, 0.15)}
    if regions is not None:
        regions.write_text(json.dumps({"cues": cues, "absent": none, **{str(k): v for k, v in rims.items()}}))
    of_paper = [row for rows in rims.values() for row in rows]
    p = np.array(null_p(classifier, range(first, first + 2 * scenes)))
    return {
        "seeds": [first, first + scenes - 1],
        "true_cues_called_artefact": rate([row for row in cues if row["true"]], "artefact"),
        "true_cues_called_supported": rate([row for row in cues if row["true"]], "supported"),
        "rims_called_artefact": rate([row for row in of_paper if row["rim_truth"]], "artefact"),
        "rims_called_supported": rate([row for row in of_paper if row["rim_truth"]], "supported"),
        "rims_within_3.4_px_called_artefact": rate([row for row in of_paper if row["rim_truth_scaled"]], "artefact"),
        "verdicts": {
            "demo, regions on cues": verdicts([row for row in cues if row["true"]]),
            "demo, other regions": verdicts([row for row in cues if not row["true"]]),
            "demo, a class that is absent": verdicts(none),
            **{
                f"paper, noise {noise}, {name}": verdicts([row for row in rows if chosen(row)])
                for noise, rows in rims.items()
                for name, chosen in (
                    ("regions on cues", lambda row: row["true"]),
                    ("rims", lambda row: row["rim_truth"]),
                    ("other regions", lambda row: not row["true"] and not row["rim_truth"]),
                )
            },
        },
        "null_p_ties_at_random": uniformity(p[:, 1]),
        "null_p_as_recorded": uniformity(p[:, 0]),
        "found_where_absent_p": uniformity(np.array([row["p"] for row in none if row["p"] is not None])),
        "cost": cost,
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
    parser.add_argument("--regions", type=Path, help="where every region goes, with its truth and its card, as JSON")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = rounded(measure(options.first, options.scenes, options.regions))
    if options.json:
        print(json.dumps(result, indent=1))
        return
    Console().print(result)


if __name__ == "__main__":
    main()
