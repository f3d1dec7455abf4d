"""`unveil maximize`: an image that maximizes the score of a class, a channel or a unit."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.atomic import check_folder, written_result
from unveil.cli import options
from unveil.cli.console import console, write_json
from unveil.cli.progress import ProgressLines, live
from unveil.cli.texts import as_text
from unveil.errors import ClassifierError, TargetError

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.maximization import Goal, MaximizedImage
    from unveil.maximization.ascent import OnStep


def maximize(
    model: options.Model,
    weights: options.Weights = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", metavar="T", help="class:NAME or margin:A,B.", rich_help_panel=options.WHAT),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead of a target: a layer, by its name in the module.",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    channel: Annotated[
        int | None, typer.Option(metavar="N", help="The layer's channel, from 0.", rich_help_panel=options.WHAT)
    ] = None,
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Steps of the ascent.", rich_help_panel=options.METHOD)
    ] = 256,
    seed: Annotated[int, options.seed_option("the start and the jitter")] = 0,
    out: Annotated[Path, options.out_option("image, figure and numbers")] = Path("unveil-maximized"),
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Draw an image that maximizes the score of a class, or a channel inside the network.

    Writes maximized.png (the image itself), figure.png (with the curve of the score) and maximized.json (scores and
    settings) into --out; existing files of these names are replaced.

    Example: unveil maximize --model torchvision/resnet18 --target zebra --out zebra
    """
    if (target is None) == (layer is None) or (layer is None) != (channel is None):
        given = {"--target": target, "--layer": layer, "--channel": channel}
        got = " and ".join(name for name, value in given.items() if value is not None) or "none of them"
        raise TargetError("--target, or --layer with --channel", got, "name one thing to maximize")
    from unveil.classifiers import TorchClassifier, load_classifier  # noqa: PLC0415 (torch)
    from unveil.maximization import Maximization  # noqa: PLC0415
    from unveil.maximization import maximize as ascend  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415

    check_folder(out)
    check_seed(seed)
    settings = Maximization(steps=steps)
    classifier = load_classifier(model, weights, device=device, precision=precision)
    if not isinstance(classifier, TorchClassifier):
        raise ClassifierError("a PyTorch model to maximize", model, "give torchvision/…, timm/… or python/…")
    started = time.monotonic()
    with _bar(steps) as tell:
        found = ascend(classifier, _goal(target, layer, channel), settings, seed=seed, on_step=tell)
    said = _summary(found, classifier, time.monotonic() - started)
    _write(found, classifier, said, out)
    console.print(
        f"{as_text(found.goal)}: {found.scores[0]:.4g} → {found.scores[-1]:.4g} in {steps} steps, "
        f"{said['seconds']:.1f} s → {as_text(str(out))}",
        soft_wrap=True,
        highlight=False,
    )
    if as_json:
        write_json({"folder": str(out), **said})


def _goal(target: str | None, layer: str | None, channel: int | None) -> "Goal":
    from unveil.maximization import NetworkUnit  # noqa: PLC0415
    from unveil.targets import parse_target  # noqa: PLC0415

    if layer is not None and channel is not None:
        return NetworkUnit(layer, channel)
    return parse_target("" if target is None else target)


@contextmanager
def _bar(steps: int) -> Iterator["OnStep"]:
    with live("nothing was written") as bars:
        task, lines = bars.add_task("steps", total=steps, remark=""), ProgressLines()

        def tell(step: int, score: float) -> None:
            bars.update(task, completed=step, remark=f"score {score:.4g}")
            lines.show(f"step {step} of {steps}, score {score:.4g}")

        yield tell


def _summary(found: "MaximizedImage", classifier: "Classifier", seconds: float) -> dict:
    """The summary for `--json`, which is also the beginning of maximized.json."""
    import torch  # noqa: PLC0415

    (prediction,) = classifier.predict(torch.from_numpy(found.pixels)[None].to(classifier.device))
    probabilities = prediction.probabilities
    return {
        "goal": found.goal,
        "score_start": found.scores[0],
        "score_end": found.scores[-1],
        "predicted": {classifier.labels[index]: float(probabilities[index]) for index in prediction.predicted()},
        "seed": found.seed,
        "settings": found.settings.as_dict(),
        "classifier": {
            "name": classifier.name,
            "fingerprint": classifier.fingerprint,
            "device": str(classifier.device),
            "precision": classifier.precision,
        },
        "seconds": round(seconds, 3),
    }


def _write(found: "MaximizedImage", classifier: "Classifier", said: dict, out: Path) -> None:
    """The three files, each in one step. Numbers go first and come last, so that where they are, the pictures are
    theirs."""
    import torch  # noqa: PLC0415

    from unveil.recording import library_versions, to_uint8  # noqa: PLC0415
    from unveil.render import write_image  # noqa: PLC0415

    path = out / "maximized.json"
    numbers = {
        "format": "unveil maximized",
        "version": 1,
        **said,
        "scores": found.scores,
        "versions": library_versions(),
    }
    with written_result(path) as part:
        path.unlink(missing_ok=True)
        write_image(to_uint8(torch.from_numpy(found.pixels)), out / "maximized.png")
        found.figure(out / "figure.png")
        part.write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n", encoding="utf-8")
