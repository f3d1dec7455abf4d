"""Methods that look for several explanations, beside the iterated recipe, on the same planted scenes in the same run.

    python benchmarks/rivals/run.py --network planted/demo --scenes 60 --rex-python REX/bin/python --json > FILE
    python benchmarks/rivals/run.py --scenes 10 --only sis-gradient sag
    python benchmarks/rivals/run.py --network planted/resnet-average --suites usual many overlap --scenes 4

Every method is asked about every label that the classifier predicts at first, on one thread of the processor. README.md
says what each does, what its settings are, and how to make the environment of ReX (without one, ReX is left out).
Scenes are those of `unveil demo`, or with `--suites` so many of each of the benchmark's, from the seed of its report.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from asking import Counted, Rival
from attention_graphs import AttentionGraph
from integrated_descent import IntegratedDescent
from rex import Rex, RexError
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scoring import Marked, Outcome, counts, row
from sufficient import GradientSubsets, SufficientSubsets

from unveil import __version__, find_regions, load_classifier
from unveil.classifiers import Classifier
from unveil.cli.benchmark_planted import FIRST_SEED as FIRST_OF_SUITES
from unveil.images import Image
from unveil.planted import SIZE, Scene, draw_scene
from unveil.planted.scenes.suites import SUITES, suite_scene
from unveil.recipes import Recipe, get_recipe

sys.path.append(str(Path(__file__).parents[1]))  # of a script, only its own folder is looked in
from notes import Notes

FIRST_SEED = 100_000  # scenes that neither the training nor the proof has seen
PUBLISHED_SIDE = 224  # px of the images that ReX's lengths are made for
OURS = "rounds"


def rivals(rex_python: Path | None) -> dict[str, Rival]:
    """All rivals by name: as published; and kinder, the graphs with every patch a candidate and all roots instead of
    three, ReX with its lengths brought to the size of the scenes."""
    found: dict[str, Rival] = {one.name: one for one in (SufficientSubsets(), GradientSubsets(), AttentionGraph())}
    found["sag-all"] = AttentionGraph(candidates=49, roots=None, ranking=IntegratedDescent(iterations=1))
    if rex_python is not None:
        found["rex"] = Rex(rex_python)
        found["rex-scaled"] = Rex(rex_python, scale=SIZE / PUBLISHED_SIDE)
    return found


def iterated(scene: Scene, classifier: Classifier, recipe: Recipe) -> Outcome:
    """The regions of a run, round by round."""
    counted = Counted(classifier)
    started = time.process_time()
    run = find_regions(Image.from_array(scene.pixels), counted, recipe, trust=False)
    seconds = time.process_time() - started
    marked = tuple(Marked(region.target, region.mask.to_array()) for region in run.regions)
    return Outcome(marked, seconds, counted.forward_passes, counted.backward_passes)


def asked_rival(rival: Rival, scene: Scene, classifier: Classifier, labels: list[int]) -> Outcome:
    """A rival's explanations of every label, one label after the other."""
    pixels, answers = torch.from_numpy(scene.pixels), []
    for index in labels:
        try:
            answers.append((classifier.labels[index], rival.find(pixels, classifier, index)))
        except RexError as error:
            print(f"scene {scene.seed}, {classifier.labels[index]}: {error}", file=sys.stderr)
    return Outcome(
        tuple(Marked(label, inside) for label, one in answers for inside in one.explanations),
        sum(one.seconds for _, one in answers),
        sum(one.forward_passes for _, one in answers),
        sum(one.backward_passes for _, one in answers),
        len(labels) - len(answers),
    )


@dataclass(frozen=True)
class Plan:
    """What is asked: the network, how many scenes of each suite (without one: of the demo's world), our recipe, and the
    rivals."""

    network: str
    suites: tuple[str, ...]
    scenes: int
    recipe: Recipe
    rivals: dict[str, Rival]
    notes: Notes

    def carry_out(self) -> dict:
        """Every method on every scene: a row a method. A scene where nothing is predicted is counted and costs
        nothing: there is no label to ask about."""
        classifier = load_classifier(self.network)
        names = (OURS, *self.rivals)
        tallies: dict[str, list[list[float]]] = {name: [] for name in names}
        total = self.scenes * max(1, len(self.suites))
        for scene in track(self._drawn(), "scenes", total, console=Console(stderr=True), transient=True):
            for name, values in self._counted(scene, classifier):
                tallies[name].append(values)
        return {**self._circumstances(classifier), "rows": [self._row(name, tallies[name]) for name in names]}

    def _drawn(self) -> Iterator[Scene]:
        if not self.suites:
            yield from map(draw_scene, range(FIRST_SEED, FIRST_SEED + self.scenes))
        for suite in self.suites:
            for seed in range(FIRST_OF_SUITES, FIRST_OF_SUITES + self.scenes):
                yield suite_scene(suite, seed)

    def _counted(self, scene: Scene, classifier: Classifier) -> Iterator[tuple[str, list[float]]]:
        """Every method's counts in one scene."""
        labels = list(classifier.predict(torch.from_numpy(scene.pixels)[None])[0].predicted())
        asked = [classifier.labels[index] for index in labels]
        ours = iterated(scene, classifier, self.recipe)
        for name in (OURS, *self.rivals):

            def count(name: str = name) -> list[float]:
                theirs = ours if name == OURS else asked_rival(self.rivals[name], scene, classifier, labels)
                return counts(scene, asked, theirs, ours)

            yield name, self.notes.find_or_make((self.network, name, scene.seed), count)

    def _row(self, name: str, scenes: list[list[float]]) -> dict:
        head = {"method": name, "network": self.network}
        if name == OURS:
            return {**head, "recipe": self.recipe.name, **row(scenes)}
        return {**head, "settings": settings(self.rivals[name]), **row(scenes)}

    def _circumstances(self, classifier: Classifier) -> dict:
        return {
            "network": self.network,
            "fingerprint": classifier.fingerprint,
            "suites": list(self.suites),
            "scenes": self.scenes,
            "first_seed": FIRST_OF_SUITES if self.suites else FIRST_SEED,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
            "versions": {"unveil": __version__, "torch": torch.__version__, "python": platform.python_version()},
        }


def settings(rival: Rival) -> dict[str, Any]:
    """A rival's settings as plain values; of ReX the tables of its own file."""
    if isinstance(rival, Rex):
        return rival.settings
    return asdict(rival) if is_dataclass(rival) and not isinstance(rival, type) else {}


def print_table(result: dict) -> None:
    """The rows for a reader."""
    shown = {
        "recall": "recall", "recall_pointed_at": "pointed\nat", "recall_equal_area": "at equal\narea",
        "recall_grown_to_equal_area": "grown to\nequal area", "ours_at_its_area": "ours at\nits area",
        "false_region_rate": "false\nregions", "precision": "precision", "regions_per_label": "regions\na label",
        "area_px_per_label": "px\na label", "seconds_per_label": "seconds\na label",
        "forward_passes_per_label": "forward\npasses",
    }  # fmt: skip
    of = f" each of {', '.join(result['suites'])}" if result["suites"] else ""
    table = Table(title=f"{result['scenes']} scenes{of}, {result['network']}", title_justify="left", box=None)
    table.add_column("method")
    for heading in shown.values():
        table.add_column(heading, justify="right")
    for one in result["rows"]:
        table.add_row(one["method"], *("" if one[name] is None else f"{one[name]:.3g}" for name in shown))
    Console().print(table)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="planted/demo", help="a name that load_classifier knows")
    parser.add_argument("--suites", nargs="+", choices=tuple(SUITES), default=(), help="of unveil benchmark planted")
    parser.add_argument("--scenes", type=int, default=30, help="of each suite")
    parser.add_argument("--recipe", default="demo", help="our own settings: a name or a TOML file")
    parser.add_argument("--rex-python", type=Path, help="the Python of the environment that has rex-xai")
    parser.add_argument("--only", nargs="+", help="names of the rivals to ask")
    parser.add_argument("--notes", type=Path, help="a file to note every scene in, from which a stopped run goes on")
    parser.add_argument("--json", action="store_true", help="the result as JSON instead of a table")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Ask all, print."""
    options = parsed(arguments)
    torch.set_num_threads(1)
    known = rivals(options.rex_python)
    chosen = {name: known[name] for name in options.only} if options.only is not None else known
    recipe, notes = get_recipe(options.recipe), Notes(options.notes)
    result = Plan(options.network, tuple(options.suites), options.scenes, recipe, chosen, notes).carry_out()
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)


if __name__ == "__main__":
    main(sys.argv[1:])
