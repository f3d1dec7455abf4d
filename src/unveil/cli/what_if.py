"""`unveil what-if`: hide a drawing in an image, and see what changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unveil.atomic import check_folder
from unveil.cli import options
from unveil.cli.completion import complete_recipe
from unveil.cli.console import console, result_console, write_json
from unveil.cli.inputs import check_images
from unveil.cli.label_changes import describe_difference, print_what_if
from unveil.cli.progress import ProgressLines, live
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.context import RunContext
    from unveil.rounds import Progress as Step
    from unveil.what_if import Drawing, WhatIf


def what_if(
    image: Annotated[Path, typer.Argument(help="The image.", show_default=False)],
    drawing: Annotated[
        Path,
        typer.Argument(
            metavar="DRAWING.json", help="A drawing, or an answer of this command or of a page.", show_default=False
        ),
    ],
    model: options.Model,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    head: options.Head = None,
    returns: options.ReturnKind = None,
    target: options.TargetText = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="STATE",
            help="What to erase it from: original, or erased (what the rounds of a run leave of the image).",
            show_default="the answer's own, else original",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="With --on erased: after N rounds.",
            show_default="all",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "-r",
            metavar="R",
            help="A name (see: unveil recipe list) or a TOML file.",
            show_default="the answer's own, else recommended",
            autocompletion=complete_recipe,
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    placements: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Other places to compare with, at most; 0 for none.",
            show_default="the recipe's",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Seed of the noise and of the places.",
            show_default="the answer's own, else 0",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Also save the answer in this folder, as the next N.json.",
            show_default="not saved",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    batch_size: options.BatchSize = None,
) -> None:
    """Hide a drawing in an image with the recipe's fill, and print what happens to every label.

    The drop of the score is compared with that of the same shape at other places of the image, as in a trust card.
    Given an answer, it is computed again, and the command says whether it is the same. Rounds are done
    only if the drawing names regions, or with --on erased.

    Example: unveil what-if dog.jpg drawing.json --model torchvision/resnet50
    """
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)
    from unveil.recipes import Recipe, get_recipe  # noqa: PLC0415
    from unveil.rounds import start_run  # noqa: PLC0415
    from unveil.what_if import WhatIf, load_drawing, save_what_if  # noqa: PLC0415

    check_images([image])
    if out is not None:
        check_folder(out)
    loaded = load_drawing(drawing)
    recorded = loaded if isinstance(loaded, WhatIf) else None
    if recipe is None and recorded is not None:
        chosen = Recipe.from_dict(recorded.recipe)
    else:
        chosen = get_recipe("recommended" if recipe is None else recipe)
    classifier = load_classifier(
        model, weights, labels=labels, output=output, head=head, returns=returns, device=device, precision=precision
    )
    if seed is None:
        seed = 0 if recorded is None else recorded.seed
    context = start_run(image, classifier, chosen, target=target, seed=seed, batch_size=batch_size)
    if isinstance(loaded, WhatIf):
        question = _asked_again(loaded, on, rounds, target)
    else:
        question = _Question(loaded, "original" if on is None else on, rounds, target)
    answer = _ask(context, question, placements)
    printer = console if as_json else result_console()
    print_what_if(answer, image.name, printer)
    if recorded is not None:
        printer.print(describe_difference(recorded, answer), soft_wrap=True, highlight=False)
    if out is not None:
        path = out / f"{save_what_if(answer, out)}.json"
        console.print(f"saved: {as_text(str(path))}", soft_wrap=True, highlight=False)
    if as_json:
        write_json({"image": str(image), **answer.as_dict()})


@dataclass(frozen=True)
class _Question:
    """What is asked: the arguments of `predict_what_if`."""

    drawing: "Drawing"
    on: str
    rounds: int | None
    target: Any

    @property
    def needs_rounds(self) -> bool:
        """Whether rounds have to be done first."""
        return bool(self.drawing.regions) or self.on != "original"


def _asked_again(recorded: "WhatIf", on: str | None, rounds: int | None, target: str | None) -> _Question:
    """The question of an answer, with what the options change."""
    on = str(recorded.on) if on is None else on
    if rounds is None and on == "erased" == recorded.on:
        rounds = recorded.rounds
    return _Question(recorded.drawing, on, rounds, recorded.target_score if target is None else target)


def _ask(context: "RunContext", question: _Question, placements: int | None) -> "WhatIf":
    from unveil.rounds import iter_rounds  # noqa: PLC0415
    from unveil.what_if import predict_what_if, test_what_if  # noqa: PLC0415

    with live("nothing was saved") as bars:
        task, lines = bars.add_task("what if", total=None, remark="predicting"), ProgressLines()

        def tell(step: "Step") -> None:
            remark = f"round {step.round} of {step.rounds}"
            done = (step.round - 1) * step.samples + step.sample
            bars.update(task, completed=done, total=step.rounds * step.samples, remark=remark)
            lines.show(f"{remark}, sample {step.sample} of {step.samples}")

        if question.needs_rounds:
            for _ in iter_rounds(context, tell):
                pass
        answer = predict_what_if(
            context, question.drawing, on=question.on, rounds=question.rounds, target=question.target
        )
        if placements == 0:
            return answer
        bars.update(task, total=None, remark="comparing with other places")
        return test_what_if(context, answer, placements=placements)
