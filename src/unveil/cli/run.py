"""`unveil run`: find the regions of one or many images, and write a record and a figure of each."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from unveil.cli.console import SOME_FAILED, Bars, console, progress, region_table, run_as_json, show_error, write_json
from unveil.cli.records import FigureFormat, Job, find_or_keep
from unveil.cli.trust import trust_table
from unveil.errors import UnveilError

if TYPE_CHECKING:
    from unveil.records import Run


def run(
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG, TIFF, WebP, NIfTI … files.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="torchvision/NAME, timm/NAME, python/FILE.py:FACTORY, onnx/FILE …")
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Name of published weights, a .safetensors or .pth file, or none. [default: the published ones]"
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", "-t", help="predicted[:P], top[:K], class:NAME or margin:A,B. [default: the recipe's]"
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="A name (unveil recipe list) or a TOML file.")
    ] = "recommended",
    attribution: Annotated[
        str | None,
        typer.Option(help="Instead of the recipe's: Rise …, or captum|zennit|pytorch-grad-cam/METHOD[:LAYER]."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for one record an image.")] = Path("unveil-runs"),
    labels: Annotated[Path | None, typer.Option(help="Label names: one a line, or a list in a .json file.")] = None,
    output: Annotated[str | None, typer.Option(help="softmax or sigmoid. [default: the model's]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust/--no-trust", help="A trust card for every region, if the recipe has them.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples at a time. Doesn't change the regions. [default: by the device]")
    ] = None,
    figure: Annotated[FigureFormat, typer.Option(help="Format of the figure in each record.")] = FigureFormat.PNG,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace records made with other settings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")] = False,
) -> None:
    """Find every region a classifier relies on, in one or many images.

    Each image gets a folder under --out: run.json, arrays and a figure. Run the same call again after a stop: finished
    records are kept and not made again. An image that fails doesn't stop the others; the exit code is then 1.

    Example: unveil run dog.jpg --model torchvision/resnet50 --recipe paper --out runs
    """
    from unveil.attribution.parsing import parse_attribution  # noqa: PLC0415 (torch)
    from unveil.classifiers import load_classifier  # noqa: PLC0415
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.targets import parse_target  # noqa: PLC0415

    chosen = get_recipe(recipe)
    if target:
        chosen = chosen.with_target(parse_target(target))
    if attribution:
        chosen = replace(chosen, attribution=parse_attribution(attribution))
    if not trust:
        chosen = replace(chosen, trust=None)
    classifier = load_classifier(model, weights, labels=labels, output=output, device=device, precision=precision)
    job = Job(classifier, chosen, seed, batch_size, overwrite, figure)
    results = []
    with progress(len(images), "images") as bars:
        for path, name in zip(images, folder_names(images), strict=True):
            results.append(_one(job, path, out / name, bars, table=len(images) == 1))
            bars.done()
    if as_json:
        write_json({"runs": results})
    failed = sum(result["status"] == "failed" for result in results)
    if failed:
        if len(images) > 1:
            show_error(f"{failed} of {len(images)} images failed; the other records are complete")
        raise typer.Exit(SOME_FAILED)


def folder_names(images: Iterable[Path]) -> list[str]:
    """A folder name an image: its stem in safe characters, numbered where two are alike (also on case-blind disks)."""
    taken: set[str] = set()
    names = []
    for path in images:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem.removesuffix(".nii")).lstrip(".")[:100] or "image"
        name, number = stem, 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _one(job: Job, path: Path, folder: Path, bars: Bars, *, table: bool) -> dict:
    """One image; its errors are shown and reported, not raised."""
    from unveil.images import read_image  # noqa: PLC0415

    result = {"image": str(path), "folder": str(folder)}
    try:
        done, was_there = find_or_keep(job, read_image(path), folder, lambda: bars.begin(path.name))
        status = "kept" if was_there else "done"
    except UnveilError as error:
        show_error(str(error) if str(path) in str(error) else f"{path}: {error}")
        return {**result, "status": "failed", "error": str(error)}
    console.print(
        f"{escape(path.name)}: {_summary(done)} → {escape(str(folder))}{' (kept)' if status == 'kept' else ''}",
        soft_wrap=True,
    )
    if table and done.regions:
        console.print(region_table(done))
        if (cards := trust_table(done)) is not None:
            console.print("", cards)
    return {**result, "status": status, **run_as_json(done)}


def _summary(run: "Run") -> str:
    stops = "; ".join(dict.fromkeys(reason.text for reason in run.stops.values()))
    count = len(run.regions)
    said = ", ".join(escape(run.classifier.labels[index]) for index in run.first.predicted()[:3]) or "nothing"
    found = f"{count} region{'s' * (count != 1)} in {len(run.rounds)} round{'s' * (len(run.rounds) != 1)}"
    return f"predicted {said}; {found}, {run.seconds:.1f} s ({escape(stops)})"
