"""Five ways to make a map, measured by the metrics of the field where the evidence is known.

    python benchmarks/metrics.py --json > benchmarks/results/0.1.0/metrics.json
    python benchmarks/metrics.py --scenes 5                                         # a smaller table, as Markdown

Maps are of the network that ships with unveil, on planted scenes that neither its training nor any other benchmark has
seen (seeds from 800 000), for every class that is present and predicted; the truth is all of its signs.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from unveil import TorchClassifier, load_classifier
from unveil.attribution import Attribution, Gradient, GuidedBackprop, Occlusion, SmoothGrad
from unveil.evaluation.metrics.curves import Curve, deletion, insertion, summarise_curves
from unveil.evaluation.metrics.labels import Item, means
from unveil.evaluation.metrics.pointing import Pointed, pointed, summarise_pointing
from unveil.evaluation.metrics.probe import Explanation, Probe
from unveil.evaluation.metrics.randomisation import Randomised, cascading, summarise_randomised
from unveil.evaluation.metrics.road import road
from unveil.evaluation.metrics.sensitivity import max_sensitivity
from unveil.planted import draw_scene
from unveil.saliency import L2, Magnitude, Positive
from unveil.targets import Scalar

SEEDS_FROM = 800_000
STAGES = ("evidence", "features.6", "features.5", "features.4", "features.3", "features.0")
STEPS = 64
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
METHODS: dict[str, tuple[Attribution | None, Magnitude]] = {
    "Gradient": (Gradient(), L2()),
    "GuidedBackprop": (GuidedBackprop(), L2()),
    "SmoothGrad(16)": (SmoothGrad(samples=16), L2()),
    "Occlusion(16, 8)": (Occlusion(), Positive()),
    "random map": (None, L2()),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A class that is present in a scene and predicted."""

    seed: int
    pixels: Tensor
    scalar: Scalar
    truth: np.ndarray


def cases(classifier: TorchClassifier, scenes: int) -> Iterator[Case]:
    """Every case of the scenes."""
    for seed in range(SEEDS_FROM, SEEDS_FROM + scenes):
        scene = draw_scene(seed)
        pixels = torch.from_numpy(scene.pixels)
        for index in classifier.predict(pixels[None])[0].predicted():
            truth = scene.inside(classifier.labels[index])
            if truth.any():
                yield Case(seed, pixels, Scalar(classifier.labels[index], ((index, 1.0),)), truth)


def explanation(name: str, scalar: Scalar, seed: int) -> Any:
    """A way to make a map; the random one is the same whatever it is asked."""
    attribution, magnitude = METHODS[name]
    if attribution is None:
        return lambda _, pixels: np.random.default_rng(seed).random(tuple(pixels.shape[1:]))
    return Explanation(attribution, scalar, magnitude, key=str(seed), batch_size=16)


def measure(name: str, classifier: TorchClassifier, found: list[Case], console: Console) -> dict:
    """One method by all metrics; a scene is drawn as a whole for intervals."""
    points: list[Pointed] = []
    curves: dict[str, list[Curve]] = {"deletion": [], "insertion": []}
    values: list[tuple[float | None, ...]] = []
    layers: list[Randomised] = []
    for case in track(found, name, console=console, transient=True):
        explain, group = explanation(name, case.scalar, case.seed), case.seed
        saliency = explain(classifier, case.pixels)
        probe = Probe(classifier, case.pixels, case.scalar, batch_size=32)
        points.append(pointed(saliency, case.truth, case.scalar.name, group))
        curves["deletion"].append(deletion(probe, saliency, STEPS))
        curves["insertion"].append(insertion(probe, saliency, STEPS))
        sensitivity = max_sensitivity(explain, classifier, case.pixels, samples=4)
        values.append((road(probe, saliency, SHARES).gap, sensitivity))
        layers += cascading(explain, classifier, case.pixels, group, STAGES)
    groups = [case.seed for case in found]
    rest = means([Item("", group) for group in groups], values, ("road_gap", "max_sensitivity"))["pooled"]
    last = [one for one in layers if one.label == STAGES[-1]]
    pooled = summarise_pointing(points)["pooled"]
    return {
        "method": name,
        **{key: pooled[key] for key in ("pointing", "pointing_95", "energy", "energy_95")},
        **{
            f"{kind}{end}": said[f"auc{end}"]
            for kind, those in curves.items()
            for said in [summarise_curves(those, groups)]
            for end in ("", "_95")
        },
        **{key: value for key, value in rest.items() if key != "items"},
        **{f"random_{key}": value for key, value in summarise_randomised(last)["pooled"].items() if key != "items"},
    }


COLUMNS = ("pointing", "energy", "deletion", "insertion", "road_gap", "max_sensitivity", "random_rank", "random_ssim")


def markdown(rows: list[dict]) -> str:
    """The table of the docs: each value, and its 95 % interval."""
    lines = [f"| method | {' | '.join(COLUMNS)} |", f"|{'---|' * (len(COLUMNS) + 1)}"]
    for row in rows:
        cells = [_cell(row[name], row[f"{name}_95"]) for name in COLUMNS]
        lines.append(f"| {row['method']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return ""
    around = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
    return f"{value:.2f}{around}"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scenes", type=int, default=30)
    options = parser.parse_args()
    started, console = time.monotonic(), Console(stderr=True)
    classifier = load_classifier("planted/demo")
    assert isinstance(classifier, TorchClassifier)  # noqa: S101
    found = list(cases(classifier, options.scenes))
    rows = [measure(name, classifier, found, console) for name in METHODS]
    if not options.json:
        print(markdown(rows))
        return
    results = {
        "scenes": options.scenes,
        "maps": len(found),
        "seeds_from": SEEDS_FROM,
        "rows": rows,
        "seconds": round(time.monotonic() - started),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
