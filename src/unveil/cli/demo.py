"""`unveil demo`: runs on planted scenes, whose evidence is known. Needs no network connection and no data."""

import json
import webbrowser
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from unveil.atomic import check_folder, write_text
from unveil.cli import options
from unveil.cli.console import console, show_warning, write_json
from unveil.cli.progress import progress
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.store.figures import FigureFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unveil.evaluation.planted.cue_recall import CueTally
    from unveil.planted import Scene
    from unveil.records import Run

ROUNDS = 5
FIRST_SEED = 100_000  # scenes that neither the training nor the proof has seen


def demo(
    scenes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of scenes.", rich_help_panel=options.WHAT)
    ] = 60,
    recipe: options.RecipeText = "demo",
    seed: Annotated[int, options.seed_option("the choice of scenes, and of the noise")] = 0,
    out: Annotated[Path, options.out_option("records and figures")] = Path("unveil-demo"),
    figures: Annotated[
        int, typer.Option(min=0, metavar="N", help="Number of scenes to draw.", rich_help_panel=options.RESULTS)
    ] = 4,
    open_report: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser.", rich_help_panel=options.RESULTS)
    ] = False,
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Run on drawn scenes in which all evidence (the cues) is known: no data and no network connection needed.

    The network uses the strongest cue of a class alone, so one saliency map shows one cue; erasing it reveals the next.
    The table counts the cues found by each round, and the false regions, which lie on no cue.
    """
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)
    from unveil.evaluation.planted.cue_recall import CueTally, count_cues  # noqa: PLC0415
    from unveil.images import Image  # noqa: PLC0415
    from unveil.planted import draw_scene  # noqa: PLC0415
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.report import save_report  # noqa: PLC0415
    from unveil.rounds import find_regions  # noqa: PLC0415
    from unveil.runs import add_figures  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    check_folder(out)
    check_seed(seed)
    classifier = load_classifier("planted/demo", device=device, precision=precision)
    # The table counts what is true, so nothing is asked about trust: that would take several times as long.
    chosen = replace(get_recipe(recipe), trust=None)
    total, drawn = CueTally(), 0

    def runs() -> "Iterator[Run]":
        nonlocal total, drawn
        for number in range(scenes):
            scene = draw_scene(FIRST_SEED + 1000 * seed + number)
            name = f"scene-{scene.seed}"
            image = Image.from_array(scene.pixels, source=f"planted scene {scene.seed}")
            run = find_regions(image, classifier, chosen, seed=seed, on_progress=bars.begin(name))
            total += count_cues(run, scene, ROUNDS)
            draw = drawn < figures and worth_drawing(run, scene)
            drawn += draw
            run.save(out / name, overwrite=True)
            if warning := add_figures(run, out / name, FigureFormat.PNG if draw else FigureFormat.NONE):
                show_warning(str(warning))
            yield run
            bars.done()

    # The report takes each run when it is made, so that no record is read again.
    with progress(scenes, "scenes") as bars:
        page, _ = save_report(runs(), out / "report.html", title=f"{scenes} planted scenes")
    result = summary(total)
    write_text(out / "demo.json", json.dumps(result, indent=2) + "\n")
    console.print(_table(total, console.width), "")
    console.print(f"records, and figures of {drawn} scenes: {as_text(str(out))}", soft_wrap=True)
    console.print(f"a page of all of them: {as_text(str(page))}", soft_wrap=True)
    if open_report:
        webbrowser.open(page.resolve().as_uri())
    if as_json:
        write_json(result)


def worth_drawing(run: "Run", scene: "Scene") -> bool:
    """A scene where there is something to unveil: one or two labels that are predicted, one of them with three cues."""
    counts = [sum(cue.label == label for cue in scene.cues) for label in scene.labels]
    return len(counts) in (1, 2) and max(counts) >= 3 and len(run.first.predicted()) == len(counts)


def summary(total: "CueTally") -> dict:
    """Counts and what follows from them. Rates are None where there is nothing to divide by."""
    return {
        **asdict(total),
        "recall_by_round": [total.recall(done) for done in range(1, ROUNDS + 1)],
        "recall_round1": total.recall(1),
        "recall_final": total.recall(ROUNDS),
        "false_region_rate": total.false_region_rate,
    }


def _table(total: "CueTally", width: int) -> Table | Group:
    found = (*total.found, *(0,) * (ROUNDS - len(total.found)))
    columns = [TableColumn("cues present", (str(total.cues), ""))]
    for done, count in enumerate(found, start=1):
        name = "found after round 1" if done == 1 else f"round {done}"
        # The first and the last round are what counts.
        order = 0 if done in (1, ROUNDS) else 1
        columns.append(TableColumn(name, (str(count), _percent(total.recall(done))), order))
    columns.append(TableColumn("regions", (str(total.regions), "")))
    columns.append(TableColumn("false regions", (str(total.false_regions), _percent(total.false_region_rate))))
    return fit_table(columns, width, title=f"{total.scenes} planted scenes")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
