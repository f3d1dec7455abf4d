"""`unveil benchmark mosaics`: labels that are named in mosaics of photographs, where it is known which are present."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from unveil import __version__
from unveil.atomic import check_folder, write_text
from unveil.cli import options, preparation
from unveil.cli.console import console, write_json
from unveil.cli.datasets import choose_names, open_argument
from unveil.cli.progress import ProgressLines, live
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.evaluation.formatting import format_interval, format_number
from unveil.evaluation.paper.report import machine_info

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.evaluation.mosaics.methods import NamingMethod
    from unveil.evaluation.mosaics.photographs import PhotographList
    from unveil.evaluation.mosaics.rows import MosaicBenchmark


def mosaics(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="Photographs: a folder with labels.csv (columns file and class_index, or path and label), one with a "
            "subfolder per label, a .csv table, or FORM/PATH.",
        ),
    ],
    model: options.Model,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    returns: options.ReturnKind = None,
    size: preparation.Size = None,
    channels: preparation.Channels = None,
    mean: preparation.MeanText = None,
    std: preparation.StdText = None,
    value_range: preparation.ValueRange = None,
    kinds: Annotated[
        str,
        typer.Option(metavar="NAMES", help="different, shared, nine, pasted; or all.", rich_help_panel=options.WHAT),
    ] = "different",
    count: Annotated[
        int,
        typer.Option("--mosaics", min=1, metavar="N", help="Mosaics of each kind.", rich_help_panel=options.WHAT),
    ] = 8,
    half: Annotated[
        str,
        typer.Option(
            metavar="H",
            help="Photographs that are used: report, tuning (every other one, to choose settings), or all.",
            rich_help_panel=options.WHAT,
        ),
    ] = "report",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of photographs of the half, drawn at random with the seed.",
            show_default="all",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Recipes (a name or a TOML file), SmoothGrad, GradCAM, LRP, IntegratedGradients, h-shap, "
            "PartitionSHAP, ShapBPT, LIME; or all.",
            rich_help_panel=options.METHOD,
        ),
    ] = "recommended,SmoothGrad,GradCAM",
    seed: Annotated[int, options.seed_option("mosaics and noise")] = 0,
    out: Annotated[Path, options.out_option("scores and tables")] = Path("unveil-mosaics"),
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Measure which labels methods name in mosaics of photographs, where it is known which labels are present.

    A photograph is used only if the network predicts its label from its piece alone, in every place. Writes
    results.json and the scores of every mosaic into OUT. Run the same call again after a stop: finished mosaics are
    kept.

    Example: unveil benchmark mosaics photos --model torchvision/resnet50 --mosaics 8 --json
    """
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)
    from unveil.evaluation.mosaics.kinds import Kind  # noqa: PLC0415
    from unveil.evaluation.mosaics.photographs import HALVES  # noqa: PLC0415
    from unveil.evaluation.mosaics.rows import MosaicBenchmark, check_methods  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    check_folder(out)
    check_seed(seed)
    asked_kinds = [Kind(name) for name in choose_names(kinds, [kind.value for kind in Kind], "kind of mosaics")]
    (asked_half,) = choose_names(half, HALVES, "half", several=False)
    asked_methods = _methods(methods)
    check_methods(asked_methods)
    changes = preparation.parse_changes(size, channels, mean, std, value_range)
    dataset, indexed = _open(folder)
    classifier = load_classifier(
        model,
        weights,
        labels=labels,
        preprocessing=None if changes.is_empty else changes,
        output=output,
        head=head,
        returns=returns,
        device=device,
        precision=precision,
    )
    photographs = _photographs(dataset, classifier, asked_half, indexed=indexed).limited(limit, seed)
    benchmark = MosaicBenchmark(classifier, photographs.photographs, count, seed, out)
    rows, pools = _all_rows(benchmark, asked_kinds, asked_methods)
    results = {
        "benchmark": "mosaics",
        "version": __version__,
        "half": asked_half,
        "mosaics": count,
        "seed": seed,
        "network": _network(model, classifier),
        "photographs": {
            "folder": folder,
            "used": len(photographs.photographs),
            "left_out": dict(photographs.left_out),
            "usable": pools,
        },
        "rows": rows,
        "machine": machine_info(),
    }
    write_text(out / "results.json", json.dumps(results, indent=1, allow_nan=False) + "\n")
    console.print(_table(rows, console.width), "")
    for row in rows:
        if "refused" in row:
            console.print(as_text(f"{row['kind']}, {row['method']}: {row['refused']}"), soft_wrap=True)
    console.print(f"scores: {as_text(str(out))}", soft_wrap=True)
    if as_json:
        write_json(results)


def _all_rows(
    benchmark: "MosaicBenchmark", kinds: Sequence[Any], methods: "Sequence[NamingMethod]"
) -> tuple[list[dict], dict[str, dict[str, int]]]:
    """The rows of every kind, with progress, and the numbers of usable photographs."""
    from unveil.evaluation.mosaics.rows import KindBenchmark  # noqa: PLC0415

    rows, pools = [], {}
    with live("finished mosaics are kept, and the same call continues from there") as bars:
        whole = bars.add_task("kinds", total=len(kinds), remark="")
        bar, lines = bars.add_task("mosaics", total=1, remark=""), ProgressLines()

        def tell(what: str, done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total, remark=as_text(what))
            lines.show(f"{what}: {done} of {total}")

        for kind in kinds:
            bars.update(whole, remark=kind.value)
            measured = KindBenchmark(benchmark, kind, tell)
            rows += measured.rows(methods)
            pools[kind.value] = measured.pool.as_dict()
            bars.advance(whole)
    return rows, pools


def _methods(text: str) -> "list[NamingMethod]":
    """The methods by their names. Maps need the reference, which comes first then."""
    from unveil.evaluation.mosaics.leading import naming_methods  # noqa: PLC0415 (torch)
    from unveil.evaluation.mosaics.methods import get_naming_recipe  # noqa: PLC0415
    from unveil.evaluation.planted.methods import REFERENCE  # noqa: PLC0415

    rivals = naming_methods()
    names = [REFERENCE, *rivals] if text == "all" else choose_names(text, None, "method")
    recipes = [name for name in names if name not in rivals]
    if len(recipes) < len(names):
        recipes = [REFERENCE, *(name for name in recipes if name != REFERENCE)]
    return [*map(get_naming_recipe, recipes), *(rivals[name] for name in names if name in rivals)]


def _open(folder: str) -> tuple[Any, bool]:
    """The data set, and whether its labels are indices."""
    from unveil.evaluation.mosaics.photographs import TABLE, open_label_table  # noqa: PLC0415

    if (Path(folder) / TABLE).is_file():
        return open_label_table(folder)
    return open_argument(folder), False


def _photographs(dataset: Any, classifier: "Classifier", half: str, *, indexed: bool) -> "PhotographList":
    from unveil.evaluation.mosaics.photographs import list_photographs  # noqa: PLC0415

    return list_photographs(dataset, classifier.labels, indexed=indexed).half(half)


def _network(model: str, classifier: "Classifier") -> dict[str, Any]:
    return {
        "model": model,
        "classifier": classifier.name,
        "fingerprint": classifier.fingerprint,
        "output": classifier.output.value,
        "grid": list(classifier.preprocessing.crop),
        "device": str(classifier.device),
        "precision": classifier.precision,
    }


def _table(rows: Sequence[dict], width: int) -> Table | Group:
    def cells(name: str, digits: int = 2) -> list[str]:
        return [format_number(row.get(name), digits) for row in rows]

    def with_interval(name: str) -> list[str]:
        ends = [as_text(format_interval(row.get(f"{name}_95"), percent=False)) for row in rows]
        return [f"{value}{interval}" for value, interval in zip(cells(name), ends, strict=True)]

    columns = [
        TableColumn("kind", [row["kind"] for row in rows]),
        TableColumn("method", [as_text(row["method"]) for row in rows], is_text=True),
        TableColumn("found share", with_interval("found_share")),
        TableColumn("invented per mosaic", with_interval("invented_per_mosaic"), 1),
        TableColumn("labels present", cells("labels_present", 0), 3),
        TableColumn("labels found", cells("labels_found", 0), 4),
        TableColumn("labels invented", cells("labels_invented", 0), 5),
        TableColumn("labels marked", cells("labels_marked", 0), 6),
        TableColumn("marked, but present", cells("labels_marked_present", 0), 7),
        TableColumn("seconds", cells("seconds"), 2),
        TableColumn("passes", cells("passes", 0), 8),
    ]
    return fit_table(columns, width)
