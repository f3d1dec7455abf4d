"""The files of the paper's experiment: tables as JSON and Markdown, a figure of example runs, charts by round."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from unveil.atomic import write_text
from unveil.evaluation.paper.report_markdown import report_as_markdown

if TYPE_CHECKING:
    from unveil.datasets import Dataset, Sample
    from unveil.evaluation.paper.experiment import ExperimentPlan, ImageObservation
    from unveil.render.curves import Panel

EXAMPLES = 5
SHORT_CRITERIA = {
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
class CountedSample:
    """A `sample` whose run was counted, the `folder` of its record, and what was `observed`."""

    sample: "Sample"
    folder: Path
    observed: "ImageObservation"


def write_report(
    results: dict, counted: Sequence[CountedSample], requested: Sequence[str], plan: "ExperimentPlan", out: Path
) -> dict:
    """Write table.md, figure.png, rounds.png and, last, results.json; return the results with the rule that chose the
    rows of the figure."""
    chosen = choose_examples(counted, requested)
    results = rounded(
        {
            **results,
            "figure": {"rule": "asked for" if requested else RULE, "of": [example.sample.id for example in chosen]},
        }
    )
    write_text(out / "table.md", report_as_markdown(results))
    draw_report(results, chosen, plan, out)
    text = json.dumps(results, indent=1, allow_nan=False)
    # A list of numbers on one line. A line break can't be part of a JSON string, so only lists match.
    text = re.sub(r'\[\n[^\[\]{}"]*\]', lambda match: "[" + " ".join(match[0][1:-1].split()) + "]", text)
    write_text(out / "results.json", text + "\n")
    return results


def choose_examples(counted: Sequence[CountedSample], requested: Sequence[str]) -> list[CountedSample]:
    """The rows of the figure: those requested by id or folder name, else by `RULE`; ties keep the data set's order."""
    if requested:
        by_name = {name: sample for sample in counted for name in (sample.sample.id, sample.folder.name)}
        return [by_name[name] for name in requested if name in by_name]
    return sorted(counted, key=lambda sample: (-sample.observed.changes, -sample.observed.count.probability_lost))[
        :EXAMPLES
    ]


def draw_report(results: dict, chosen: Sequence[CountedSample], plan: "ExperimentPlan", out: Path) -> None:
    """figure.png, if any run can be drawn, and rounds.png, if there is any round."""
    from unveil.render import write_figure  # noqa: PLC0415 (a second of imports)
    from unveil.render.curves import draw_curves  # noqa: PLC0415
    from unveil.render.experiment import Example, draw_experiment  # noqa: PLC0415
    from unveil.store import load_run  # noqa: PLC0415

    rows = [
        Example(
            run,
            PurePosixPath(example.sample.id).stem,
            example.sample.labels,
            example.sample.boxes_on(run.source.geometry.source_shape) if example.sample.boxes else (),
            plan.threshold,
        )
        for example in chosen
        if len((run := load_run(example.folder)).source.geometry.model_shape) == 2
    ]
    if rows:
        write_figure(draw_experiment(rows), out / "figure.png")
    if results["summary"]["rounds"]:
        title = (
            f"{results['dataset']['name']}, {results['summary']['runs']} images, {results['settings']['classifier']}"
        )
        write_figure(draw_curves(chart_panels(results), title), out / "rounds.png")


def chart_panels(results: dict) -> "list[Panel]":
    """Panels of rounds.png: drops, the first label, and boxes hit beside the baseline of other images."""
    from unveil.render.curves import Panel, PlotCurve  # noqa: PLC0415

    rows = results["summary"]["rounds"]

    def curve(name: str, key: str) -> PlotCurve:
        return PlotCurve(name, [row[key] for row in rows], [row[f"{key}_95"] for row in rows])

    shares = [
        curve("first label kept", "kept_first"),
        curve("area erased", "coverage"),
        curve("regions that are rims", "rims"),
    ]
    panels = [
        Panel("drop of the first label's logit", [curve("drop", "drop")], note="in each round"),
        Panel("after each round", shares, share=True, note="shares of runs, of the grid and of regions"),
    ]
    boxes = results["boxes"]
    for scope, title in (("own", "boxes hit by regions of their label"), ("any", "boxes hit by any region")):
        if boxes and boxes[scope]["boxes"]:
            names = {name: SHORT_CRITERIA[name] for name in ("pointing", "covered_25", "iobb_50")}
            curves = [_against_others(text, boxes[scope][name]) for name, text in names.items()]
            panels.append(
                Panel(title, curves, share=True, note=f"{boxes[scope]['boxes']} boxes; dashed: other images' regions")
            )
    return panels


def _against_others(text: str, rows: Sequence[dict]) -> Any:
    from unveil.render.curves import PlotCurve  # noqa: PLC0415

    return PlotCurve(text, *([row[name] for row in rows] for name in ("share", "share_95", "others")))


def dataset_as_json(dataset: "Dataset", argument: str, split: str | None, chosen: Any) -> dict:
    """Name, labels and choice of the images, for results.json."""
    return {
        "argument": argument,
        "name": dataset.name,
        "samples": len(dataset),
        "labels": list(dataset.labels),
        "split": split,
        "chosen_by": chosen.rule,
        "errors_without_boxes": chosen.without_boxes,
    }


def machine_info() -> dict[str, Any]:
    """Versions of all libraries that can change a number, and the number of processors."""
    from unveil.recording import library_versions  # noqa: PLC0415 (torch)

    return {**library_versions(), "processors": os.cpu_count()}


def rounded(value: Any, digits: int = 6) -> Any:
    """The same tables with every float rounded to `digits` decimals."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return value
