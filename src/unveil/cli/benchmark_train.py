"""`unveil benchmark train`: what training on erased images does, on scenes whose evidence is known."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from unveil import __version__
from unveil.atomic import check_folder, write_text
from unveil.cli import options
from unveil.cli.console import console, write_json
from unveil.cli.progress import ProgressLines, live
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.evaluation.formatting import format_interval, format_number
from unveil.evaluation.paper.report import machine_info

COLUMNS = (
    ("cues used", "cues_used"),
    ("without the strongest", "cues_robust"),
    ("right", "accuracy"),
    ("right, erased elsewhere", "accuracy_random_erased"),
    ("mask's label", "foreign_follows"),
    ("moved mask's", "foreign_moved"),
    ("probe", "probe_accuracy"),
    ("chance", "probe_chance"),
)


def train_benchmark(
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Networks per arm.", rich_help_panel=options.METHOD)
    ] = 5,
    scenes: Annotated[
        int, typer.Option(min=20, metavar="N", help="Training scenes.", rich_help_panel=options.METHOD)
    ] = 3000,
    tests: Annotated[
        int,
        typer.Option(min=20, metavar="N", help="Scenes for validation, and for tests.", rich_help_panel=options.METHOD),
    ] = 150,
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Steps per epoch.", rich_help_panel=options.METHOD)
    ] = 100,
    precision: Annotated[
        str,
        typer.Option(metavar="P", help="Lightning's: 32-true, bf16-mixed.", rich_help_panel=options.MACHINE),
    ] = "32-true",
    out: Annotated[Path, options.out_option("weights, rows and the table")] = Path("unveil-train"),
    as_json: options.AsJson = False,
) -> None:
    """Train networks on planted scenes with nothing, found regions, or random places erased, and measure the result.

    Each label has one cue of each of its kinds, so a network can rely on a single one. Counted are the cues that it
    uses, by intervention, and whether it classifies masks. Run the same call again after a stop: rows are kept.

    Example: unveil benchmark train --seeds 5 --out trainings
    """
    from unveil.evaluation.training.experiment import TrainingPlan, iter_rows  # noqa: PLC0415 (torch)
    from unveil.evaluation.training.figure import save_training_figure  # noqa: PLC0415
    from unveil.evaluation.training.summary import summarize_rows  # noqa: PLC0415

    check_folder(out)
    plan = TrainingPlan.sized(scenes, tests, steps, precision)
    rows: list[dict[str, Any]] = []
    with live("finished rows are kept, and the same call continues from there") as bars:
        whole = bars.add_task("networks", total=seeds * (len(plan.arms()) + 1), remark="")
        bar, lines = bars.add_task("work", total=1, remark=""), ProgressLines()

        def tell(what: str, done: int, total: int, remark: str) -> None:
            bars.update(bar, description=what, completed=done, total=total, remark=remark)
            lines.show(f"{what}: {done} of {total} {remark}".rstrip())

        for row in iter_rows(plan, range(seeds), out, tell):
            rows.append(row)
            bars.update(whole, advance=1, remark=row["arm"])
            if not console.is_terminal:
                console.print(f"seed {row['seed']}, {row['arm']}: {row['cues_used']:.2f} cues", markup=False)
    results = {
        "benchmark": "train",
        "version": __version__,
        "plan": repr(plan),
        "summary": summarize_rows(rows),
        "rows": rows,
        "machine": machine_info(),
    }
    save_training_figure(results["summary"], rows, out / "figure.png")
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    console.print(_table(results["summary"], console.width), "")
    console.print(f"rows: {as_text(str(out))}", soft_wrap=True)
    if as_json:
        write_json(results)


def _table(summary: Sequence[dict[str, Any]], width: int) -> Table | Group:
    def cells(name: str) -> list[str]:
        return [
            format_number(row[name]) + as_text(format_interval(row[f"{name}_95"], percent=False)) for row in summary
        ]

    columns = [TableColumn(title, cells(name), order) for order, (title, name) in enumerate(COLUMNS)]
    return fit_table([TableColumn("erased", [row["arm"] for row in summary], is_text=True), *columns], width)
