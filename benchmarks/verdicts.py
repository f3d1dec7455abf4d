"""Verdicts of trust cards on photographs with a real network: how many are decided, and what they say without evidence.

    python benchmarks/verdicts.py FOLDER --weights FILE --labels FILE --runs RUNS --notes verdicts.notes --json

RUNS is a folder of records of `recommended`, such as `unveil run FOLDER/*.JPEG --out RUNS` makes; missing ones are made
and kept there. The folder is one of `unveil benchmark mosaics`; settings are chosen on its half `tuning`.

- `decided`: for each half, the verdicts of all regions of `recommended`, and the share that is supported or artifact;
- `random_weights`: verdicts with a network of the same architecture whose weights are random, on every fourth
  photograph: it knows nothing, so no region should be supported; for `recommended`, and with its stops left out;
- `p_without_evidence`: p of a disc at a random place, for a label drawn at random, for each photograph (`trust.py`):
  Kolmogorov-Smirnov against the uniform distribution.
"""

import argparse
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from notes import Notes
from rich.console import Console
from rich.progress import track

from trust import p_nowhere, uniformity
from unveil import Class, Classifier, Recipe, Run, find_regions, load_classifier, load_run, read_image
from unveil.classifiers import TorchClassifier
from unveil.classifiers.sources.torchvision import build_untrained
from unveil.context import RunContext
from unveil.evaluation.mosaics.photographs import Photograph, list_photographs, open_label_table
from unveil.recipes import recommended
from unveil.stopping import CoverageAbove, MaxRounds

HALVES = ("tuning", "report")
MACHINE = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def rows_of(run: Run) -> list[dict]:
    """Every region with its verdict."""
    return [
        {
            "target": region.target,
            "drop": region.drop,
            "verdict": str(verdict),
            "reason": card.reason,
            "q": card.q_value,
        }
        for region, verdict, card in zip(run.regions, run.verdicts, run.trust.cards if run.trust else (), strict=True)
    ]


def run_on(path: Path, classifier: Classifier, runs: Path) -> Run:
    """The run of `recommended` on a photograph: that in the folder, else a new one, which is kept there."""
    kept = runs / path.stem
    return load_run(kept) if kept.exists() else load_run(find_regions(path, classifier).save(kept))


def decided(rows: list[dict]) -> dict:
    """How many regions have each verdict, and the share with a decided one."""
    counts = Counter(row["verdict"] for row in rows)
    return {**counts, "n": len(rows), "decided": round(1 - counts["weak"] / len(rows), 3) if rows else None}


def with_random_weights(classifier: Classifier, name: str) -> TorchClassifier:
    """The same architecture, preprocessing and labels, with the weights that torchvision begins a training with."""
    torch.manual_seed(0)
    return TorchClassifier(
        build_untrained(name, len(classifier.labels)), classifier.preprocessing, classifier.labels, precision="auto"
    )


def looks_anyway() -> Recipe:
    """`recommended` without the stops for labels that aren't predicted, three rounds at most."""
    return replace(recommended(), stop=MaxRounds(3) | CoverageAbove(0.6))


def p_of(path: Path, classifier: Classifier, number: int) -> tuple[float, float]:
    """Both p of a random place and a random label."""
    label = classifier.labels[int(np.random.default_rng(number).integers(len(classifier.labels)))]
    search = RunContext.create(read_image(path), classifier, recommended().with_target(Class(label)))
    return p_nowhere(search, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a folder of photographs with labels, as for `unveil benchmark mosaics`")
    parser.add_argument("--network", default="resnet50", help="an architecture of torchvision")
    parser.add_argument("--weights")
    parser.add_argument("--labels")
    parser.add_argument("--limit", type=int, help="so many photographs of each half; default: all")
    parser.add_argument("--runs", type=Path, required=True, help="a folder of records of `recommended`")
    parser.add_argument("--notes", type=Path, help="a file of what was measured, to go on from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    classifier = load_classifier(f"torchvision/{options.network}", options.weights, labels=options.labels)
    dataset, indexed = open_label_table(options.folder)
    listed = list_photographs(dataset, classifier.labels, indexed=indexed)
    halves = {half: listed.half(half).photographs[: options.limit] for half in HALVES}
    photographs = [one for half in HALVES for one in halves[half]]
    notes = Notes(options.notes)

    def each(part: str, of: Sequence[Photograph], ask: Callable[[int, Path], Any]) -> list:
        shown = track(list(enumerate(of)), part, console=Console(stderr=True), transient=True)
        return [notes.find_or_make((part, one.id), lambda n=n, one=one: ask(n, one.path)) for n, one in shown]

    def rows(part: str, of: Sequence[Photograph], find: Callable[[Path], Run]) -> list[dict]:
        return [row for found in each(part, of, lambda n, path: rows_of(find(path))) for row in found]

    random = with_random_weights(classifier, options.network)
    nulls = np.array(each("p", photographs, lambda n, path: p_of(path, classifier, n)))
    results = {
        "network": options.network,
        "photographs": len(photographs),
        "decided": {
            half: decided(rows(half, of, lambda path: run_on(path, classifier, options.runs)))
            for half, of in halves.items()
        },
        "p_without_evidence": uniformity(nulls[:, 0]),
        "p_without_evidence_ties_broken": uniformity(nulls[:, 1]),
        "random_weights": {
            "of_recommended": decided(rows("random", photographs[::4], lambda path: find_regions(path, random))),
            "of_all_rounds": decided(
                rows("random, anyway", photographs[::4], lambda path: find_regions(path, random, looks_anyway()))
            ),
        },
        "machine": MACHINE,
    }
    print(json.dumps(results, indent=1) if options.json else results)


if __name__ == "__main__":
    main()
