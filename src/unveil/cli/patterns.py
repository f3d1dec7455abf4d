"""`unveil patterns`: estimate the patterns of a classifier from images, for PatternNet and PatternAttribution."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.atomic import check_file
from unveil.cli import options
from unveil.cli.completion import complete_from
from unveil.cli.console import SOME_FAILED, console, show_error, write_json
from unveil.cli.inputs import check_images
from unveil.cli.progress import progress
from unveil.errors import ImageError

KEEP_EVERY = 50  # images between two savings of the sums


def patterns(
    images: Annotated[
        list[Path],
        typer.Argument(help="Image files; a few hundred give stable patterns."),
    ],
    *,
    model: options.Model,
    weights: options.Weights = None,
    estimator: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="two-component or linear.",
            autocompletion=complete_from(("two-component", "linear")),
            rich_help_panel=options.METHOD,
        ),
    ] = "two-component",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The .safetensors file to write.", rich_help_panel=options.RESULTS
        ),
    ],
    as_json: options.AsJson = False,
) -> None:
    """Estimate the patterns of a classifier from images, for PatternNet and PatternAttribution.

    Memory doesn't grow with the number of images. After a stop, the same call continues where it was.

    Example: unveil patterns photos/*.jpg --model torchvision/resnet18 --out resnet18.safetensors
    """
    from unveil.classifiers import TorchClassifier, load_classifier  # noqa: PLC0415 (torch)
    from unveil.images import read_image  # noqa: PLC0415
    from unveil.patterns import Estimation, LinearEstimator, PatternError, TwoComponent  # noqa: PLC0415

    kinds = {"two-component": TwoComponent, "linear": LinearEstimator}
    if estimator not in kinds:
        raise PatternError("an estimator two-component or linear", estimator, "choose one of them")
    check_images(images)
    check_file(out)
    classifier = load_classifier(model, weights, device="cpu")
    if not isinstance(classifier, TorchClassifier):
        raise PatternError("a PyTorch model for patterns", model, "give torchvision/…, timm/… or python/…")
    estimation = Estimation(classifier, kinds[estimator]())
    kept = out.with_name(f"{out.name}.sums")
    failed = done = 0
    if kept.exists():
        done = min(estimation.resume(kept), len(images))
        console.print(f"continuing after {done} images", markup=False)
    with progress(len(images), "images") as bars:
        bars.skip(done)
        for number, path in enumerate(images[done:], start=done + 1):
            try:
                image = read_image(path, channels=classifier.preprocessing.channels)
                estimation.add(classifier.prepare(image).pixels[None])
            except ImageError as error:
                failed += 1
                show_error(str(error))
            if number % KEEP_EVERY == 0:
                estimation.save(kept, number)
            bars.done()
    found = estimation.patterns()
    found.save(out)
    kept.unlink(missing_ok=True)
    units = sum(len(pattern) for pattern in found.by_layer.values())
    dead = sum(int((pattern.flatten(1).abs().sum(1) == 0).sum()) for pattern in found.by_layer.values())
    said = {
        "file": str(out),
        "images": found.images,
        "layers": len(found.by_layer),
        "units": units,
        "never_active": dead,
    }
    console.print(
        f"{len(found.by_layer)} layers, {units} units ({dead} never active) of {found.images} images: {out}",
        markup=False,
    )
    if as_json:
        write_json(said)
    if failed:
        show_error(f"{failed} of {len(images)} images failed and were left out")
        raise typer.Exit(SOME_FAILED)
