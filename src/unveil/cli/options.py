"""Options that several commands have, each with its help, its panel, and the completion of its values."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.completion import DEVICES, OUTPUTS, PRECISIONS, complete_from, complete_model, complete_recipe
from unveil.store.figures import FigureFormat

# The panels of a command's help, in this order.
WHAT, METHOD, RESULTS, MACHINE = "What to explain", "Method", "Results", "Machine"

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="torchvision/NAME, timm/NAME, huggingface/NAME, python/FILE.py:FACTORY, onnx/FILE … (see: unveil models)",
        autocompletion=complete_model,
        rich_help_panel=WHAT,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="W",
        help="Name of published weights, a .safetensors or .pth file, or none.",
        show_default="the published ones",
        rich_help_panel=WHAT,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File of label names: one per line, or JSON (list, id2label, class_to_idx) or CSV.",
        show_default="the model's own",
        rich_help_panel=WHAT,
    ),
]
OutputMeaning = Annotated[
    str | None,
    typer.Option(
        "--output",
        metavar="KIND",
        help="What the outputs mean: softmax (exactly one label applies) or sigmoid (each label applies or not).",
        show_default="the model's own",
        autocompletion=complete_from(OUTPUTS),
        rich_help_panel=WHAT,
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="The output to explain, of a model that returns several: a name, or a number from 0 on.",
        show_default="the one that fits the labels",
        rich_help_panel=WHAT,
    ),
]
ReturnKind = Annotated[
    str | None,
    typer.Option(
        "--returns",
        metavar="KIND",
        help="What the model returns: logits or probabilities.",
        show_default="found out",
        autocompletion=complete_from(("logits", "probabilities")),
        rich_help_panel=WHAT,
    ),
]
TargetText = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="T",
        help="predicted, predicted:P, top:K, class:NAME or margin:A,B.",
        show_default="the recipe's",
        rich_help_panel=WHAT,
    ),
]
RecipeText = Annotated[
    str,
    typer.Option(
        "--recipe",
        "-r",
        metavar="R",
        help="A name (see: unveil recipe list) or a TOML file.",
        autocompletion=complete_recipe,
        rich_help_panel=METHOD,
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the noise.", rich_help_panel=METHOD)]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust/--no-trust", help="A trust card for each region, if the recipe has them.", rich_help_panel=METHOD
    ),
]
Anonymous = Annotated[
    bool, typer.Option("--anonymous", help="Hashes in place of the names of images.", rich_help_panel=RESULTS)
]
FigureKind = Annotated[
    FigureFormat,
    typer.Option(
        metavar="KIND", help="Format of the figure in each record: png, svg, pdf or none.", rich_help_panel=RESULTS
    ),
]
KeepPreview = Annotated[
    bool,
    typer.Option(
        "--preview/--no-preview",
        help="Keep the image's pixels beside each record (at most 2048 x 2048), for viewers.",
        rich_help_panel=RESULTS,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace records made with other settings.", rich_help_panel=RESULTS)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the results as JSON on standard output.", rich_help_panel=RESULTS)
]
Device = Annotated[
    str,
    typer.Option(
        metavar="D",
        help="auto, cpu, cuda, cuda:N or mps.",
        autocompletion=complete_from(DEVICES),
        rich_help_panel=MACHINE,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="P", help="auto, fp32 or bf16.", autocompletion=complete_from(PRECISIONS), rich_help_panel=MACHINE
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Noise samples per batch; doesn't change the regions.",
        show_default="by the device",
        rich_help_panel=MACHINE,
    ),
]


def out_option(what: str) -> object:
    """The option `--out`: `what` it is a folder for."""
    return typer.Option("--out", "-o", metavar="FOLDER", help=f"Folder for {what}.", rich_help_panel=RESULTS)


def seed_option(what: str) -> object:
    """The option `--seed`: `what` is drawn with it."""
    return typer.Option(metavar="N", help=f"Seed of {what}.", rich_help_panel=METHOD)
