"""The search for the recommended recipe: one setting changed at a time, on planted scenes that no report uses.

    python benchmarks/recipe_search.py --json > benchmarks/results/0.1.0/recipe-search.json
    python benchmarks/recipe_search.py --variants "threshold .1" "band 1" --networks resnet-max --keep FILE

Every variant is asked what `unveil benchmark planted` asks, about scenes of seeds from 600 000 (the report: from
700 000). A variant's row says what it found, at what area and after how many seconds of the processor, and how far it is
ahead of the first map of the recipe it was changed from, cut at its own area. The changes are cumulative only where a
name says so (`+`). Everything is kept in `--keep`, a line a variant and network, so that a call goes on after a stop.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import mean

import torch

from unveil import Recipe, load_classifier
from unveil.attribution import GuidedBackprop, SmoothGrad
from unveil.evaluation.planted import cut_at_area, score
from unveil.evaluation.planted_methods import LEAST_PX, InRounds
from unveil.evaluation.planted_rows import Questions, draw_questions, found_by
from unveil.fills import Blur, Inpaint, Mean, Noise, SoftEdge
from unveil.recipes import demo
from unveil.regions import BoxSmoothing, Otsu, Quantile, Relative
from unveil.saliency import L2, MaxAbs, ShrunkL2, UnbiasedL2
from unveil.stopping import CoverageAbove, MaxRounds, NotPredicted, Stop, TargetLost

FIRST_SEED = 600_000
NETWORKS = tuple(f"{name}-{head}" for name in ("convnet", "resnet", "densenet") for head in ("max", "average"))


def smooth(recipe: Recipe, **changes: object) -> Recipe:
    """With other samples, noise, rule."""
    assert isinstance(recipe.attribution, SmoothGrad)
    return replace(recipe, attribution=replace(recipe.attribution, **changes))


def boxes(recipe: Recipe, **changes: object) -> Recipe:
    """With other boxes, thresholds, band, parts."""
    assert isinstance(recipe.select, BoxSmoothing)
    return replace(recipe, select=replace(recipe.select, **changes))


def until(probability: float, at_first: float = 0.1) -> Stop:
    """Until the class has a probability below this; and not at all if it has less than `at_first` to begin with."""
    return MaxRounds(5) | NotPredicted(at_first) | TargetLost(probability) | CoverageAbove(0.6)


def variants() -> Mapping[str, Recipe]:
    """By name; `base` is what is changed."""
    base = replace(demo(), stop=until(0.1))
    found = {"base": base, "stop .5, as before": replace(base, stop=MaxRounds(5) | TargetLost() | CoverageAbove(0.6))}
    for probability in (0.02, 0.05, 0.2):
        found[f"stop {probability}"] = replace(base, stop=until(probability))
    for samples in (4, 16, 32):
        found[f"samples {samples}"] = smooth(base, samples=samples)
    for noise in (0.02, 0.1, 0.15):
        found[f"noise {noise}"] = smooth(base, noise=noise)
    found["antithetic"] = smooth(base, antithetic=True)
    found["guided"] = smooth(base, method=GuidedBackprop())
    found["settled"] = smooth(base, samples="auto")
    for magnitude in (L2(), MaxAbs(), UnbiasedL2(3), UnbiasedL2(9), ShrunkL2(5), ShrunkL2(9)):
        found[f"magnitude {magnitude}"] = replace(base, magnitude=magnitude)
    for size in (3, 7, 9):
        found[f"size {size}"] = boxes(base, size=size)
    for passes in (1, 3):
        found[f"passes {passes}"] = boxes(base, passes=passes)
    for threshold in (Relative(0.1), Relative(0.15), Relative(0.3), Relative(0.4), Quantile(0.97), Otsu()):
        found[f"threshold {threshold}"] = boxes(base, threshold=threshold)
    for band in (0, 1, 6):
        found[f"band {band}"] = boxes(base, band=band)
    for most in (2, 3, 4):
        found[f"most {most}"] = boxes(base, most=most)
    for fill in (Mean(), Blur(8), Noise(), Inpaint(), SoftEdge(Mean(), 4), SoftEdge(Blur(8), 8), SoftEdge(Blur(16), 4)):
        found[f"fill {fill}"] = replace(base, fill=fill)
    return found | together(base)


def together(base: Recipe) -> Mapping[str, Recipe]:
    """What helped alone, in one recipe."""
    lower = boxes(replace(base, stop=until(0.05)), threshold=Relative(0.15))
    found = {"lower: stop .05, threshold .15": lower}
    for most in (2, 4):
        several = boxes(lower, most=most)
        found[f"lower + most {most}"] = several
        found[f"lower + most {most} + noise .1"] = smooth(several, noise=0.1)
        found[f"lower + most {most} + size 7"] = boxes(several, size=7)
        found[f"lower + most {most} + unbiased 9"] = replace(several, magnitude=UnbiasedL2(9))
        found[f"lower + most {most} + samples 16"] = smooth(several, samples=16)
    for most in (2, 3, 4):
        for probability in (0.02, 0.01, 0.005, 0.001):
            for least in (0.002, 0.004):
                name = f"lower + most {most} + stop {probability} + min_area {least}"
                found[name] = boxes(replace(lower, stop=until(probability)), most=most, min_area=least)
    best = boxes(replace(lower, stop=until(0.02)), most=3, min_area=0.004)
    for fill in (Mean(), SoftEdge(Mean(), 4), SoftEdge(Blur(16), 4), SoftEdge(Inpaint(), 4), Inpaint()):
        found[f"best + {fill}"] = replace(best, fill=fill)
    for band in (0, 5):
        found[f"best + band {band}"] = boxes(best, band=band)
    found["best + size 7"] = boxes(best, size=7)
    found["best + unbiased 9"] = replace(best, magnitude=UnbiasedL2(9))
    found["best + samples 16"] = smooth(best, samples=16)
    found["best + noise .08"] = smooth(best, noise=0.08)
    for most, probability in ((3, 0.02), (2, 0.02), (2, 0.03), (2, 0.05)):
        final = smooth(boxes(replace(best, stop=until(probability)), most=most), samples=16)
        found[f"final: most {most}, stop {probability}, samples 16, blur 16"] = replace(
            final, fill=SoftEdge(Blur(16), 4)
        )
    found["lower + most 4 + threshold .2"] = boxes(lower, most=4, threshold=Relative(0.2))
    found["lower + most 4 + threshold .1"] = boxes(lower, most=4, threshold=Relative(0.1))
    found["lower + most 4 + band 0"] = boxes(lower, most=4, band=0)
    found["lower + most 4 + min_area .004"] = boxes(lower, most=4, min_area=0.004)
    return found


@lru_cache(maxsize=4)
def questions(network: str, scenes: int, first_seed: int) -> Questions:
    """The same for every variant."""
    return draw_questions(load_classifier(f"planted/{network}", device="cpu"), scenes, first_seed)


def measure(name: str, recipe: Recipe, network: str, scenes: int, first_seed: int) -> dict:
    """One variant on one network."""
    torch.set_num_threads(1)
    asked = questions(network, scenes, first_seed).asked
    classifier, method = load_classifier(f"planted/{network}", device="cpu"), InRounds(name, recipe)
    trials, rivals, began = [], [], time.process_time()
    for one in asked:
        trial, first = method.find(classifier, one, 0)
        trials.append(trial)
        rivals.append(one.trial((cut_at_area(first, trial.area, LEAST_PX),)))
    seconds = (time.process_time() - began) / len(asked)
    said = score(trials, 5)
    return {
        "variant": name,
        "network": network,
        **{
            key: said[key] for key in ("recall", "precision", "false_region_rate", "rim_rate", "area_per_cue_px", "iou")
        },
        "recall_by_round": said["recall_by_round"],
        "recall_equal_area": score(rivals, 1)["recall"],
        "cues": said["cues"],
        "found": sum(found_by(trial) for trial in trials),
        "cpu_seconds": round(seconds, 3),
    }


def job(arguments: tuple) -> dict:
    """For the pool."""
    return measure(*arguments)


def summary(rows: list[dict]) -> list[dict]:
    """Every variant: means over networks by head, the worst network's recall, and what it costs."""
    found = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        by_head = {
            f"{key}_{head}": round(mean(row[key] for row in own if row["network"].endswith(head)), 3)
            for head in ("max", "average")
            if any(row["network"].endswith(head) for row in own)
            for key in ("recall", "recall_equal_area")
        }
        means = {
            key: round(mean(row[key] or 0.0 for row in own), 3)
            for key in ("precision", "false_region_rate", "rim_rate", "area_per_cue_px", "iou", "cpu_seconds")
        }
        found.append({"variant": name, **by_head, "recall_worst": round(min(row["recall"] for row in own), 3), **means})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", help="default: all")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--scenes", type=int, default=1, help="of each suite")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--keep", type=Path, help="a file of rows, to go on from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    known = variants()
    names = options.variants or list(known)
    kept = {}
    for line in options.keep.read_text().splitlines() if options.keep and options.keep.exists() else ():
        settings, row = json.loads(line)
        kept[settings, row["network"], options.scenes, options.first_seed] = row
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        asked = [
            (name, known[name], network, options.scenes, options.first_seed)
            for network in options.networks
            for name in names
        ]
        keys = [(one[1].to_toml(), *one[2:]) for one in asked]
        todo = [one for one, key in zip(asked, keys, strict=True) if key not in kept]
        for one, row in zip(todo, pool.map(job, todo), strict=True):
            kept[one[1].to_toml(), *one[2:]] = row
            if options.keep:
                with options.keep.open("a") as file:
                    file.write(json.dumps([one[1].to_toml(), row]) + "\n")
            print(f"{row['network']}, {row['variant']}", file=sys.stderr, flush=True)
        rows = [{**kept[key], "variant": one[0]} for one, key in zip(asked, keys, strict=True)]
    result = {
        "scenes_a_suite": options.scenes,
        "first_seed": options.first_seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "variants": summary(rows),
    }
    if options.json:
        print(
            json.dumps({**result, "rows": rows, "recipes": {name: known[name].as_dict() for name in names}}, indent=1)
        )
        return
    for row in result["variants"]:
        print(row)


if __name__ == "__main__":
    main()
