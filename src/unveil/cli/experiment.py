"""What `unveil benchmark paper` leaves behind: all tables as JSON and Markdown, the sheet of examples, the chart."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from unveil.cli.files import write_file
from unveil.cli.markdown import as_markdown, number, share, spread

if TYPE_CHECKING:
    from unveil.datasets import Dataset, Sample
    from unveil.evaluation.paper.experiment import ExperimentPlan, ImageObservation
    from unveil.render.curves import Panel

EXAMPLES = 5
SHORT = {
    "pointing": "peak in the box",
    "covered_10": "10 % of the box erased",
    "covered_25": "25 % of the box erased",
    "covered_50": "50 % of the box erased",
    "iobb_50": "half of a region in the box",
}
RULE = (
    f"the {EXAMPLES} runs with the most labels that came or went; of equals those whose first label lost most "
    "probability"
)


@dataclass(frozen=True)
class Done:
    """A sample whose run was counted, and its folder."""

    sample: "Sample"
    folder: Path
    observed: "ImageObservation"


def write_files(results: dict, done: Sequence[Done], asked: Sequence[str], plan: "ExperimentPlan", out: Path) -> dict:
    """Write table.md, figure.png, rounds.png and last results.json; returns the results with the figure's rule."""
    chosen = examples(done, asked)
    results = rounded(
        {**results, "figure": {"rule": "asked for" if asked else RULE, "of": [one.sample.id for one in chosen]}}
    )
    write_file(out / "table.md", as_markdown(results))
    draw_files(results, chosen, plan, out)
    text = json.dumps(results, indent=1, allow_nan=False)
    # A list of numbers on one line. A line break can't be part of a JSON string, so only lists match.
    text = re.sub(r'\[\n[^\[\]{}"]*\]', lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text)
    write_file(out / "results.json", text + "\n")
    return results


def examples(done: Sequence[Done], asked: Sequence[str]) -> list[Done]:
    """The rows of the figure: those asked for by id or folder, else by `RULE`, in the data set's order if all is
    equal."""
    if asked:
        names = {name: one for one in done for name in (one.sample.id, one.folder.name)}
        return [names[name] for name in asked if name in names]
    return sorted(done, key=lambda one: (-one.observed.changes, -one.observed.count.probability_lost))[:EXAMPLES]


def draw_files(results: dict, chosen: Sequence[Done], plan: "ExperimentPlan", out: Path) -> None:
    """figure.png, if any run can be drawn, and rounds.png, if there is any round."""
    from unveil.render import write_figure  # noqa: PLC0415 (a second of imports)
    from unveil.render.curves import draw_curves  # noqa: PLC0415
    from unveil.render.experiment import Example, draw_experiment  # noqa: PLC0415
    from unveil.store import load_run  # noqa: PLC0415

    rows = [
        Example(
            run,
            PurePosixPath(one.sample.id).stem,
            one.sample.labels,
            one.sample.boxes_on(run.source.geometry.source_shape) if one.sample.boxes else (),
            plan.threshold,
        )
        for one in chosen
        if len((run := load_run(one.folder)).source.geometry.model_shape) == 2
    ]
    if rows:
        write_figure(draw_experiment(rows), out / "figure.png")
    if results["summary"]["rounds"]:
        title = (
            f"{results['dataset']['name']}, {results['summary']['runs']} images, {results['settings']['classifier']}"
        )
        write_figure(draw_curves(panels(results), title), out / "rounds.png")


def panels(results: dict) -> "list[Panel]":
    """Drops and the first label by round; boxes hit by round, against chance."""
    from unveil.render.curves import Panel, PlotCurve  # noqa: PLC0415

    rows = results["summary"]["rounds"]

    def curve(name: str, key: str) -> PlotCurve:
        return PlotCurve(name, [row[key] for row in rows], [row[f"{key}_95"] for row in rows])

    shares = [
        curve("first label kept", "kept_first"),
        curve("area erased", "coverage"),
        curve("regions that are rims", "rims"),
    ]
    found = [
        Panel("drop of the first label's logit", [curve("drop", "drop")], note="in each round"),
        Panel("after each round", shares, share=True, note="shares of runs, of the grid and of regions"),
    ]
    boxes = results["boxes"]
    for scope, title in (("own", "boxes hit by regions of their label"), ("any", "boxes hit by any region")):
        if boxes and boxes[scope]["boxes"]:
            names = {name: SHORT[name] for name in ("pointing", "covered_25", "iobb_50")}
            curves = [_against_others(text, boxes[scope][name]) for name, text in names.items()]
            found.append(
                Panel(title, curves, share=True, note=f"{boxes[scope]['boxes']} boxes; dashed: other images' regions")
            )
    return found


def _against_others(text: str, rows: Sequence[dict]) -> Any:
    from unveil.render.curves import PlotCurve  # noqa: PLC0415

    return PlotCurve(text, *([row[name] for row in rows] for name in ("share", "share_95", "others")))


def tables(results: dict) -> list[Table]:
    """What the terminal shows: the rounds, and the boxes where there are any."""
    rounds = _table(
        "round", "runs", "drop", "probability", "first label kept", "appeared", "vanished", "rims", "erased"
    )
    changes = results["changes"]["by_round"]
    for place, row in enumerate(results["summary"]["rounds"]):
        rounds.add_row(
            str(row["round"]),
            str(row["runs"]),
            number(row["drop"]),
            number(row["probability_drop"]),
            share(row["kept_first"]),
            str(changes["appeared"][place] + changes["returned"][place]),
            str(changes["vanished"][place]),
            share(row["rims"]),
            share(row["coverage"]),
        )
    found = [rounds]
    for scope in ("own", "any"):
        if results["boxes"] and results["boxes"][scope]["boxes"]:
            found.append(_box_table(results["boxes"][scope], scope))
    return found


def _box_table(found: dict, scope: str) -> Table:
    what = "their label" if scope == "own" else "any label"
    boxes = _table(f"{found['boxes']} boxes, {what}", "round 1", "others", "last", "others", "chance")
    for name, text in SHORT.items():
        first, last = found[name][0], found[name][-1]
        end = share(last["share"]) + escape(spread(last["share_95"], percent=True))
        boxes.add_row(
            text, share(first["share"]), share(first["others"]), end, share(last["others"]), share(last["chance"])
        )
    return boxes


def _table(first: str, *others: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column(first, justify="right" if first == "round" else "left")
    for name in others:
        made.add_column(name, justify="right")
    return made


def dataset_as_json(dataset: "Dataset", argument: str, split: str | None, chosen: Any) -> dict:
    """Which images these are, and how they were chosen."""
    return {
        "argument": argument,
        "name": dataset.name,
        "samples": len(dataset),
        "labels": list(dataset.labels),
        "split": split,
        "chosen_by": chosen.rule,
        "errors_without_boxes": chosen.without_boxes,
    }


def machine() -> dict[str, Any]:
    """Versions of all that can change a number, and how many processors there were."""
    from unveil.recording import library_versions  # noqa: PLC0415 (torch)

    return {**library_versions(), "processors": os.cpu_count()}


def rounded(value: Any, digits: int = 6) -> Any:
    """The same tables with every float cut to what means something."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: rounded(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, digits) for one in value]
    return value
