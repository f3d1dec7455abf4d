"""`unveil evaluate`: the localization table of ChestX-ray8 from the records of `unveil benchmark paper`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.text import Text

from unveil.cli import options
from unveil.cli.completion import complete_from
from unveil.cli.console import console, write_json
from unveil.cli.datasets import open_argument
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.errors import RecordError
from unveil.evaluation.formatting import format_number
from unveil.evaluation.paper.report import rounded

if TYPE_CHECKING:
    from unveil.evaluation.metrics.chestxray8 import Localization

SHOWN = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the thresholds, as the paper's table


def evaluate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder that unveil benchmark paper wrote.")],
    criterion: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="iobb or iou: the overlap that the printed table uses. The JSON has both.",
            autocompletion=complete_from(("iobb", "iou")),
            rich_help_panel=options.METHOD,
        ),
    ] = "iobb",
    all_images: Annotated[
        bool,
        typer.Option(
            "--all-images",
            help="Also count false boxes in images without a box of the label.",
            rich_help_panel=options.METHOD,
        ),
    ] = False,
    seed: Annotated[int, options.seed_option("the bootstrap intervals")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Print accuracy and false boxes of the regions per label, as in the localization table of ChestX-ray8.

    There is one table for the first map alone, cut at 60 and 180 of 255, and one for the regions of all rounds.

    Example: unveil evaluate chest --criterion iou
    """
    from unveil.evaluation.metrics.chestxray8 import CRITERIA, summarize_localization  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    if criterion not in CRITERIA:
        raise typer.BadParameter(f"one of {', '.join(CRITERIA)}", param_hint="--criterion")
    check_seed(seed)
    results = _read(out)
    found = _count(results, out, everywhere=all_images)
    tables = {state: summarize_localization(those, seed).as_dict() for state, those in found.items()}
    for state in (next(iter(tables)), list(tables)[-1]):
        console.print(_table(tables[state], criterion, state, console.width), "")
    if as_json:
        counted = "all images" if all_images else "images with a box of the label"
        head = {"evaluation": "chestxray8", "counted": counted, "dataset": results["dataset"]}
        write_json(rounded({**head, "settings": results["settings"], "tables": tables}))


def _read(out: Path) -> dict:
    try:
        return json.loads((out / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(
            "a folder with the results.json of unveil benchmark paper", f"{out}: {error}", "run it with --out first"
        ) from error


def _count(results: dict, out: Path, *, everywhere: bool) -> "dict[str, list[Localization]]":
    """The counts of all images by state, without labels that have no box anywhere."""
    from unveil.evaluation.metrics.of_runs import count_run_localization, states_of  # noqa: PLC0415
    from unveil.store import load_run  # noqa: PLC0415

    dataset = open_argument(results["dataset"]["argument"], results["dataset"]["split"])
    folders = {one["id"]: out / "runs" / one["folder"] for one in results["runs"]}
    rounds = max((row["round"] for row in results["summary"]["rounds"]), default=1)
    targets = results["matching"]["matched_indices"]
    found: dict[str, list[Localization]] = {state: [] for state in states_of(rounds)}
    for sample in dataset:
        if sample.id not in folders or not (sample.boxes or everywhere):
            continue
        run = load_run(folders[sample.id])
        boxes = sample.boxes_on(run.source.geometry.source_shape) if sample.boxes else ()
        group = sample.id if sample.group is None else sample.group
        known = [box for box in boxes if not box.difficult]
        for state, those in count_run_localization(run, known, targets, group, rounds).items():
            found[state] += [one for one in those if one.boxes or everywhere]
    boxed = {one.label for those in found.values() for one in those if one.boxes}
    return {state: [one for one in those if one.label in boxed] for state, those in found.items()}


def _table(summary: dict, criterion: str, state: str, width: int) -> Group:
    rows = [*summary["labels"], {"label": "all", **summary["pooled"]}]
    columns = [
        TableColumn("label", [as_text(row["label"]) for row in rows], is_text=True),
        TableColumn("images", [str(row["images"]) for row in rows], len(SHOWN) + 1),
        TableColumn("boxes", [str(row["boxes"]) for row in rows]),
    ]
    for order, threshold in enumerate(SHOWN):
        measured = [next(cell for cell in row[criterion] if cell["threshold"] == threshold) for row in rows]
        cells = [f"{format_number(cell['accuracy'])} / {format_number(cell['afp'])}" for cell in measured]
        columns.append(TableColumn(f"{threshold:g}", cells, order))
    table = fit_table(columns, width, title=f"{as_text(state)}, T({criterion})")
    return Group(table, Text("accuracy / false boxes per image", style="italic"))
