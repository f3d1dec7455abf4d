"""`unveil train`: fine-tune a classifier on images whose regions are erased."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unveil.cli import options
from unveil.cli.completion import complete_from
from unveil.cli.console import console, show_warning, write_json
from unveil.cli.datasets import DatasetArgumentError, open_argument, read_matches
from unveil.cli.progress import ProgressLines, live
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.classifiers import Classifier
    from unveil.datasets import Dataset, Sample
    from unveil.training import Examples, TrainingResult, TrainingSettings
    from unveil.training.trainer import OnWork

PLANTED = "planted"
PLANTED_SEARCHED = 200
MOST_WARNINGS = 5  # of labels without a match, and of images that can't be read
TRAINING = "Training"


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A folder with a subfolder per label, a .csv table, the folder of a dataset, FORM/PATH; or planted: "
            "scenes whose evidence is known, with a small network.",
        ),
    ] = None,
    data_option: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="DATA", help="The same.", show_default="the argument", rich_help_panel=options.WHAT
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="As in unveil run.",
            show_default="with planted, a small one",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="S", help="train, val … or all.", show_default="train", rich_help_panel=options.WHAT),
    ] = None,
    match: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .json file with the classifier's label for each label of the data.",
            show_default="by name",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    erase: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="found (regions of the image), random (the same shapes elsewhere), mix, or none.",
            autocompletion=complete_from(("found", "random", "mix", "none")),
            rich_help_panel=TRAINING,
        ),
    ] = "found",
    epochs: Annotated[int, typer.Option(metavar="N", help="Searches and tests.", rich_help_panel=TRAINING)] = 10,
    steps: Annotated[int, typer.Option(metavar="N", help="Steps per epoch.", rich_help_panel=TRAINING)] = 100,
    batch: Annotated[int, typer.Option(metavar="N", help="Images per step.", rich_help_panel=TRAINING)] = 32,
    rate: Annotated[float, typer.Option(metavar="R", help="Learning rate.", rich_help_panel=TRAINING)] = 1e-3,
    rounds: Annotated[int, typer.Option(metavar="N", help="Rounds of a search.", rich_help_panel=TRAINING)] = 2,
    searched: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Images searched per epoch; 0 for all.",
            show_default=f"all; {PLANTED_SEARCHED} planted scenes",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    patience: Annotated[
        int,
        typer.Option(
            metavar="N", help="Epochs without a smaller loss before it ends; 0: never.", rich_help_panel=TRAINING
        ),
    ] = 0,
    recipe: options.RecipeText = "recommended",
    seed: Annotated[int, options.seed_option("batches, erasing and noise")] = 0,
    out: Annotated[Path, options.out_option("weights, checkpoint and report")] = Path("unveil-trained"),
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    devices: Annotated[
        int, typer.Option(min=1, metavar="N", help="Devices of one kind.", rich_help_panel=options.MACHINE)
    ] = 1,
    precision: Annotated[
        str,
        typer.Option(metavar="P", help="Lightning's: 32-true, bf16-mixed, 16-mixed.", rich_help_panel=options.MACHINE),
    ] = "32-true",
) -> None:
    """Fine-tune a classifier on images from which the regions it relies on are erased, so that it uses others as well.

    Before each epoch, regions are found anew by the network as it is. OUT/model.safetensors has the weights of the best
    epoch; --weights takes this file. The same call goes on where it was stopped, and ends with the same weights.

    Example: unveil train photos --model torchvision/resnet18 --erase found --out trained
    """
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.training import Erasing, TrainingError, TrainingSettings, train_classifier  # noqa: PLC0415

    named = [one for one in (data, data_option) if one is not None]
    if len(named) != 1:
        raise DatasetArgumentError("DATA once", f"{len(named)} of them", "give it as an argument or by --data")
    if erase not in list(Erasing):
        raise TrainingError(f"--erase with one of {', '.join(Erasing)}", erase, "choose one of them")
    settings = TrainingSettings(
        Erasing(erase),
        epochs=epochs,
        steps=steps,
        batch_size=batch,
        learning_rate=rate,
        rounds=rounds,
        searched=(PLANTED_SEARCHED if named[0] == PLANTED else 0) if searched is None else searched,
        patience=patience,
        seed=seed,
        recipe=get_recipe("demo" if named[0] == PLANTED and recipe == "recommended" else recipe),
    )

    def load() -> "Classifier":
        return load_classifier(
            str(model), weights, labels=labels, output=output, head=head, device=device, precision="fp32"
        )

    with _bar() as tell:
        if named[0] == PLANTED:
            given = {"--weights": weights, "--labels": labels, "--output": output, "--head": head}
            unused = {"--split": split, "--match": match, **(given if model is None else {})}
            if names := [name for name, value in unused.items() if value is not None]:
                raise DatasetArgumentError("planted scenes without other data or labels", names[0], "leave it out")
            classifier, examples, validation = _planted(None if model is None else load(), settings, out, tell)
        else:
            if model is None:
                raise DatasetArgumentError("--model", "none", "name one (see: unveil models)")
            classifier = load()
            data_set = open_argument(named[0], split)
            examples, validation = _read(data_set, read_matches(match), classifier, out, tell), None
        result = train_classifier(
            classifier,
            examples,
            out,
            settings,
            validation=validation,
            accelerator="auto" if device == "auto" else {"cuda": "gpu"}.get(device, device),
            devices=devices,
            precision=precision,
            on_work=tell,
        )
    _say(result, out)
    if as_json:
        write_json({"weights": str(result.weights), "best_epoch": result.best_epoch, "history": list(result.history)})


def _read(
    dataset: "Dataset",
    given: dict[str, list[str | int]] | None,
    classifier: "Classifier",
    out: Path,
    tell: "OnWork",
) -> "Examples":
    """The images of a data set whose labels the classifier has."""
    from unveil.evaluation.paper.label_matching import match_labels  # noqa: PLC0415
    from unveil.training import TrainingError, read_examples  # noqa: PLC0415
    from unveil.training.trainer import check_training_folder  # noqa: PLC0415

    matching = match_labels(dataset.labels, classifier.labels, given)
    wide = [label for label, indices in matching.indices.items() if len(indices) > 1]
    if wide:
        got = f"{len(matching.indices[wide[0]])} for {wide[0]!r}"
        raise TrainingError("one label of the classifier for each label of the data", got, "name one by --match")
    if not matching.indices:
        example = f"{dataset.labels[0]!r}" if dataset.labels else "no label"
        do = "name them by --match, or give --labels"
        raise TrainingError("labels of the data that the classifier has", f"none of them, such as {example}", do)
    for label, why in list(matching.unmatched.items())[:MOST_WARNINGS]:
        show_warning(f"images of {label!r} have no label here: {why}")
    columns = {label: next(iter(indices)) for label, indices in matching.indices.items()}
    folder, unread = check_training_folder(out), 0

    def warn(sample: "Sample", error: Exception) -> None:
        nonlocal unread
        unread += 1
        if unread <= MOST_WARNINGS:
            show_warning(f"an image isn't used: {error}")

    examples = read_examples(
        dataset[:],
        classifier,
        columns,
        folder / "images.bin",
        lambda done, total: tell("reading images", done, total, ""),
        warn,
    )
    if unread > MOST_WARNINGS:
        show_warning(f"{unread} images in all aren't used")
    return examples


def _planted(
    own: "Classifier | None", settings: "TrainingSettings", out: Path, tell: "OnWork"
) -> "tuple[Classifier, Examples, Examples]":
    """Scenes, and a network that was trained on them with nothing erased; or another one that is named."""
    from unveil.evaluation.training.experiment import (  # noqa: PLC0415
        TrainingPlan,
        draw_training,
        train_base,
    )
    from unveil.evaluation.training.scenes import check_scene_labels, examples_for  # noqa: PLC0415
    from unveil.training.trainer import check_training_folder  # noqa: PLC0415

    plan = TrainingPlan()
    folder = check_training_folder(out) / "base"
    if own is not None:
        check_scene_labels(own)
    training, validation = draw_training(plan, tell)
    if own is not None:
        return own, examples_for(own, training), examples_for(own, validation)
    return train_base((training, validation), plan, settings.seed, folder, tell), training, validation


@contextmanager
def _bar() -> Iterator["OnWork"]:
    with live("the same call goes on from the last finished epoch") as bars:
        tasks: dict[str, Any] = {}
        lines = ProgressLines()

        def tell(what: str, done: int, total: int, remark: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, remark=remark)
            bars.update(tasks[what], completed=done, total=total, remark=remark)
            lines.show(f"{what}: {done} of {total}{', ' if remark else ''}{remark}")

        yield tell


def _say(result: "TrainingResult", out: Path) -> None:
    first, best = result.history[0], result.history[result.best_epoch - 1]
    console.print(
        f"best epoch {result.best_epoch} of {len(result.history)}: loss {best['loss']:.3f}, "
        f"right {best['accuracy']:.0%} "
        f"(after the first: {first['loss']:.3f}, {first['accuracy']:.0%}) → {as_text(str(out / result.weights.name))}",
        soft_wrap=True,
        highlight=False,
    )
