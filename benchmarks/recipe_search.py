"""The search for the recommended recipe: one setting changed at a time, on planted scenes that no report uses.

    python benchmarks/recipe_search.py --scenes 2 --json > one-at-a-time.json
    python benchmarks/recipe_search.py --together --scenes 4 --first-seed 610000 --json > together.json
    python benchmarks/recipe_search.py --variants "band 1" --networks resnet-max --notes FILE

Every variant is asked what `unveil benchmark planted` asks, about scenes of other seeds (the report: from 700 000). Its
row says what it found, at what area and after how many seconds of the processor, and what its own first map finds when
it is cut at that area. With `--notes` everything is kept, a line a variant and network, so that a call goes on after a
stop.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from statistics import mean

import torch
from notes import Notes

from unveil import Recipe, load_classifier
from unveil.attribution import Gradient, GradientMethod, GuidedBackprop, SmoothGrad
from unveil.evaluation.planted.methods import RoundsMethod
from unveil.evaluation.planted.rows import draw_questions, measure_rounds
from unveil.evaluation.planted.tables import NetworkBenchmark, QuestionSet
from unveil.fills import Blur, Fill, Inpaint, Mean, Noise, SoftEdge
from unveil.recipes import recommended
from unveil.regions import Otsu, Quantile, RelativeToMax, SmoothedThreshold, Threshold
from unveil.saliency import L2, Magnitude, MaxAbs, ShrunkL2, UnbiasedL2
from unveil.stopping import CoverageAbove, Explained, MaxRounds, NotPredicted, TargetLost

NETWORKS = tuple(f"{name}-{head}" for name in ("convnet", "resnet", "densenet") for head in ("max", "average"))
MEANS = ("precision", "false_region_rate", "rim_rate", "area_per_cue_px", "iou")


@dataclass(frozen=True)
class Codec:
    """What the search changes; everything else is `recommended`. These defaults are where it began."""

    method: GradientMethod = field(default_factory=Gradient)
    samples: int | str = 8
    noise: float = 0.05
    antithetic: bool = False
    magnitude: Magnitude = field(default_factory=lambda: UnbiasedL2(5))
    size: int = 5
    passes: int = 2
    threshold: Threshold = field(default_factory=lambda: RelativeToMax(0.2))
    band: int = 3
    min_area_share: float = 0.002
    most: int = 1
    fill: Fill = field(default_factory=lambda: SoftEdge(Blur(8), 4))
    predicted: float = 0.1  # begins where the class has at least this probability
    until: float = 0.1  # goes on while the class has at least this probability
    explained: float | None = None  # and until so much of the score is explained
    min_drop_share: float = 0.0

    def recipe(self) -> Recipe:
        """As a value that can be run."""
        stop = MaxRounds(5) | NotPredicted(self.predicted) | TargetLost(self.until) | CoverageAbove(0.6)
        return replace(
            recommended(),
            min_drop_share=self.min_drop_share,
            attribution=SmoothGrad(self.method, self.samples, self.noise, self.antithetic),  # type: ignore[arg-type]
            magnitude=self.magnitude,
            selector=SmoothedThreshold(
                self.size,
                self.passes,
                self.threshold,
                self.band,
                split=True,
                min_area_share=self.min_area_share,
                max_regions=self.most,
            ),
            fill=self.fill,
            stop=stop if self.explained is None else stop | Explained(self.explained),
        )


BASE = Codec()
TRIED: Mapping[str, Sequence] = {
    "predicted": (0.01, 0.2, 0.3),
    "until": (0.5, 0.2, 0.05, 0.02),
    "samples": (4, 16, 32, "auto"),
    "noise": (0.02, 0.1, 0.15),
    "antithetic": (True,),
    "method": (GuidedBackprop(),),
    "magnitude": (L2(), MaxAbs(), UnbiasedL2(3), UnbiasedL2(9), ShrunkL2(5), ShrunkL2(9)),
    "size": (3, 7, 9),
    "passes": (1, 3),
    "threshold": (*(RelativeToMax(share) for share in (0.1, 0.15, 0.3, 0.4)), Quantile(0.97), Otsu()),
    "band": (0, 1, 6),
    "min_area_share": (0.001, 0.004),
    "most": (2, 3, 4),
    "explained": (0.8, 0.85, 0.9),
    "min_drop_share": (0.1,),
    "fill": (Mean(), Blur(8), Noise(), Inpaint(), SoftEdge(Mean(), 4), SoftEdge(Blur(8), 8), SoftEdge(Blur(16), 4)),
}


def one_at_a_time() -> Mapping[str, Codec]:
    """The settings it began with, and every change of one of them."""
    changed = {f"{name} {value}": replace(BASE, **{name: value}) for name, values in TRIED.items() for value in values}
    return {"base": BASE, **changed}


def together() -> Mapping[str, Codec]:
    """What helped alone, joined; then what keeps weak regions out of it. One of these is `demo`."""
    lower = replace(BASE, threshold=RelativeToMax(0.15), min_area_share=0.004)
    joined = [replace(lower, until=until, most=most) for most in (2, 3, 4) for until in (0.05, 0.02, 0.01)]
    wide = SoftEdge(Blur(16), 4)
    for change in ({"fill": wide}, {"samples": 16}, {"magnitude": UnbiasedL2(9)}, {"noise": 0.08}):
        joined.append(replace(lower, until=0.02, most=3, **change))
    final = replace(lower, most=3, samples=16, fill=wide, until=0.01)
    weak = replace(final, min_drop_share=0.1, explained=0.85)
    joined += [replace(one, until=until) for one in (final, weak) for until in (0.02, 0.01, 0.005)]
    joined += [replace(weak, predicted=0.2)]  # `demo`
    joined += [replace(final, min_drop_share=0.1), replace(final, explained=0.85)]
    joined += [replace(weak, min_drop_share=least) for least in (0.05, 0.2)]
    joined += [replace(weak, explained=share) for share in (0.8, 0.9)]
    return {_differences(one): one for one in joined}


def _differences(settings: Codec) -> str:
    pairs = ((one.name, getattr(settings, one.name)) for one in fields(Codec))
    return ", ".join(f"{name} {value}" for name, value in pairs if value != getattr(BASE, name))


@lru_cache(maxsize=4)
def questions(network: str, scenes: int, first_seed: int) -> QuestionSet:
    """The same for every variant."""
    return draw_questions(load_classifier(f"planted/{network}", device="cpu"), scenes, first_seed)


def measure(recipe: Recipe, network: str, scenes: int, first_seed: int) -> dict:
    """One recipe on one network: its row in the benchmark, and the processor's seconds a question."""
    torch.set_num_threads(1)
    classifier, asked = load_classifier(f"planted/{network}", device="cpu"), questions(network, scenes, first_seed)
    began = time.process_time()
    benchmark = NetworkBenchmark(classifier, asked, asked, 0)
    row, areas = measure_rounds(RoundsMethod("searched", recipe), benchmark, lambda done, total: None)
    seconds = (time.process_time() - began) / len(asked.questions)
    columns = row.as_dict()
    kept = {key: columns[key] for key in (*MEANS, "recall", "recall_by_round", "recall_equal_area", "cues")}
    return {**kept, "found": sum(areas.found), "cpu_seconds": round(seconds, 3)}


def summary(rows: list[dict]) -> list[dict]:
    """Every variant: means over networks by head, the worst network's recall, and what it costs."""
    found = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        by_head = {
            f"{key}_{head}": round(mean(row[key] for row in own if row["network"].endswith(head)), 3)
            for head in ("max", "average")
            if any(row["network"].endswith(head) for row in own)
            for key in ("recall", "recall_equal_area", "precision")
        }
        means = {key: round(mean(row[key] or 0.0 for row in own), 3) for key in (*MEANS, "cpu_seconds")}
        found.append({"variant": name, **by_head, "recall_worst": round(min(row["recall"] for row in own), 3), **means})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--together", action="store_true", help="several changes at once, not one at a time")
    parser.add_argument("--variants", nargs="+", help="some of them, by name")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--scenes", type=int, default=1, help="of each suite")
    parser.add_argument("--first-seed", type=int, default=600_000)
    parser.add_argument("--notes", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    known = together() if options.together else one_at_a_time()
    if unknown := set(options.variants or ()) - set(known):
        parser.error(f"variants among {'; '.join(known)}; got {'; '.join(sorted(unknown))}")
    names, notes = options.variants or list(known), Notes(options.notes)
    recipes = {name: known[name].recipe() for name in names}
    asked = [(name, network, options.scenes, options.first_seed) for network in options.networks for name in names]
    keys = {one: (recipes[one[0]].to_toml(), *one[1:]) for one in asked}
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        ahead = {one: pool.submit(measure, recipes[one[0]], *one[1:]) for one in asked if keys[one] not in notes}
        for one in asked:
            row = notes.find_or_make(keys[one], lambda one=one: ahead[one].result())
            rows.append({"variant": one[0], "network": one[1], **row})
            print(f"{one[1]}, {one[0]}", file=sys.stderr, flush=True)
    result = {
        "scenes_per_suite": options.scenes,
        "first_seed": options.first_seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "variants": summary(rows),
    }
    if options.json:
        print(json.dumps({**result, "rows": rows}, indent=1))
        return
    for row in result["variants"]:
        print(row)


if __name__ == "__main__":
    main()
