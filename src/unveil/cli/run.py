"""`unveil run`: find the regions of one or many images, and write a record and a figure of each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.atomic import check_folder
from unveil.cli import options, preparation
from unveil.cli.console import SOME_FAILED, console, show_error, show_warning, write_json
from unveil.cli.inputs import check_images
from unveil.cli.overview import RunOverview, overview_table, summarize_run
from unveil.cli.progress import progress
from unveil.cli.results import describe_run, print_tables, run_as_json
from unveil.cli.texts import as_text
from unveil.errors import DiskFullError, TargetError
from unveil.store.figures import FigureFormat

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.runs import ImageResult
    from unveil.targets import Target

LARGE_COST = 10_000  # images through the network in one call


def run(
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG, TIFF, WebP, NIfTI … files.")],
    model: options.Model,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    returns: options.ReturnKind = None,
    target: options.TargetText = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE.csv",
            help="A target of its own for each image: columns image, target, and if wanted threshold and spacing.",
            show_default="one target for all",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    size: preparation.Size = None,
    channels: preparation.Channels = None,
    mean: preparation.MeanText = None,
    std: preparation.StdText = None,
    value_range: preparation.ValueRange = None,
    recipe: options.RecipeText = "recommended",
    attribution: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="Another attribution: Rise …, or captum, zennit or pytorch-grad-cam with /METHOD or /METHOD:LAYER.",
            show_default="the recipe's",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    trust: options.Trust = True,
    seed: options.Seed = 0,
    out: Annotated[Path, options.out_option("the records, one per image")] = Path("unveil-runs"),
    figure: options.FigureKind = FigureFormat.PNG,
    preview: options.KeepPreview = True,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    batch_size: options.BatchSize = None,
) -> None:
    """Find every region that a classifier relies on, in one or many images.

    Each image gets a folder under --out: run.json, arrays and a figure. Run the same call again after a stop: finished
    records are kept. An image that fails doesn't stop the others; the exit code is then 1. Several images end with a
    table of all of them, the most suspicious first.

    Example: unveil run dog.jpg --model torchvision/resnet50 --recipe paper --out runs
    """
    from unveil.attribution.parsing import parse_attribution  # noqa: PLC0415 (torch)
    from unveil.classifiers import load_classifier  # noqa: PLC0415
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.runs import read_targets, run_images  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415
    from unveil.targets import parse_target  # noqa: PLC0415

    check_images(images)
    check_folder(out)
    settings = None if targets is None else read_targets(_alone(targets, target), images)
    chosen = get_recipe(recipe)
    if target is not None:
        chosen = chosen.with_target(parse_target(target))
    if attribution is not None:
        chosen = replace(chosen, attribution=parse_attribution(attribution))
    if not trust:
        chosen = replace(chosen, trust=None)
    check_seed(seed)
    changes = preparation.parse_changes(size, channels, mean, std, value_range)
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
    _check_targets([chosen.target] if settings is None else [one.target for one in settings], classifier)
    cost = chosen.cost(classifier)
    if cost.forward * len(images) > LARGE_COST:
        console.print(f"[dim]{as_text(cost.describe(len(images)))}[/]", soft_wrap=True, highlight=False)
    results: list[dict] = []
    overviews: list[RunOverview] = []
    warned: Counter[str] = Counter()
    with progress(len(images), "images") as bars, suppress(DiskFullError):
        for result in run_images(
            images,
            classifier,
            chosen,
            out=out,
            settings=settings,
            seed=seed,
            batch_size=batch_size,
            value_range=changes.value_range,
            overwrite=overwrite,
            figure=figure,
            preview=preview,
            on_image=bars.begin,
        ):
            _show(result, tables=len(images) == 1, warned=warned)
            results.append(_as_json(result))
            if result.run is not None:
                overviews.append(summarize_run(result.run, result.image.name))
            bars.done()
    for warning, count in warned.items():
        if count > 1:
            show_warning(f"{count} images in all: {warning}")
    if len(overviews) > 1:
        console.print("", overview_table(overviews, console.width))
    if as_json:
        write_json({"runs": results})
    failed = sum(result["status"] == "failed" for result in results)
    if failed or len(results) < len(images):
        if len(images) > 1:
            left = len(images) - len(results)
            rest = f", and {left} weren't started because the disk is full" if left else ""
            show_error(f"{failed} of {len(images)} images failed{rest}; the other records are complete")
        raise typer.Exit(SOME_FAILED)


def _check_targets(targets: "Iterable[Target]", classifier: "Classifier") -> None:
    for target in dict.fromkeys(targets):
        check_target(target, classifier.labels)


def _alone(targets: Path, target: str | None) -> Path:
    """The table of targets, unless there is a target for all images too."""
    if target is not None:
        raise TargetError("one of --target and --targets", "both", "write the target into the table")
    return targets


def check_target(target: "Target", labels: Sequence[str]) -> None:
    """Raise `TargetError` for a target that a classifier with these labels doesn't have: once, not for every image."""
    import numpy as np  # noqa: PLC0415

    from unveil.predictions import Output, Prediction  # noqa: PLC0415

    prediction = Prediction(np.zeros(len(labels)), Output.SOFTMAX)
    target.resolve(prediction, prediction, labels)


def _show(result: "ImageResult", *, tables: bool, warned: Counter[str]) -> None:
    """Print the result; a warning that several images have is printed for the first of them."""
    name, folder = as_text(result.image.name), as_text(str(result.folder))
    if result.run is None:
        error = result.error or ""
        show_error(error if str(result.image) in error else f"{result.image}: {error}")
        return
    kept = " (kept)" if result.status == "kept" else ""
    console.print(f"{name}: {describe_run(result.run)} → {folder}{kept}", soft_wrap=True)
    if result.warning:
        warned[result.warning] += 1
        if warned[result.warning] == 1:
            show_warning(f"{result.image}: {result.warning}")
    if tables:
        print_tables(result.run, console)


def _as_json(result: "ImageResult") -> dict:
    head = {
        "image": str(result.image),
        "folder": str(result.folder),
        "status": str(result.status),
        "warning": result.warning,
    }
    return {**head, "error": result.error} if result.run is None else {**head, **run_as_json(result.run)}
