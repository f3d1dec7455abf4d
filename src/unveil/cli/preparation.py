"""Options that change how images are prepared for a model: size, channels, mean, standard deviation, value range."""

from typing import TYPE_CHECKING, Annotated

import typer

from unveil.errors import ClassifierError

if TYPE_CHECKING:
    from unveil.classifiers.changes import PreprocessingChanges

PANEL = "Preprocessing"
OWN = "the model's own"

Size = Annotated[
    str | None,
    typer.Option(
        metavar="PX",
        help="Size of the network's input: 28, 224x320 (height x width) or 32x64x64 (a volume).",
        show_default=OWN,
        rich_help_panel=PANEL,
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Channels of the network's input: 1 is gray, 3 color.",
        show_default=OWN,
        rich_help_panel=PANEL,
    ),
]
MeanText = Annotated[
    str | None,
    typer.Option(
        "--mean",
        metavar="M,…",
        help="Mean per channel, or one for all, of pixels in [0, 1].",
        show_default=OWN,
        rich_help_panel=PANEL,
    ),
]
StdText = Annotated[
    str | None,
    typer.Option(
        "--std",
        metavar="S,…",
        help="Standard deviation per channel, or one for all, of pixels in [0, 1].",
        show_default=OWN,
        rich_help_panel=PANEL,
    ),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        help="Original values that become 0 and 1: 0,4095 for 12 bits, -1000,400 for Hounsfield units.",
        show_default="the full range of the file's type",
        rich_help_panel=PANEL,
    ),
]


def parse_changes(
    size: str | None, channels: int | None, mean: str | None, std: str | None, value_range: str | None
) -> "PreprocessingChanges":
    """The changes that the options ask for. Raises an `UnveilError` that names the option."""
    from unveil.classifiers.changes import PreprocessingChanges  # noqa: PLC0415 (torch)
    from unveil.images.scaling import checked_range  # noqa: PLC0415

    window = _numbers("--value-range", value_range, "two numbers, such as 0,4095")
    return PreprocessingChanges(
        None if size is None else _parse_size(size),
        channels,
        _numbers("--mean", mean, "numbers such as 0.5 or 0.485,0.456,0.406"),
        _numbers("--std", std, "numbers such as 0.25 or 0.229,0.224,0.225"),
        None if window is None else checked_range(window),
    )


def _parse_size(text: str) -> tuple[int, ...]:
    parts = text.lower().replace("×", "x").split("x")
    if not all(part.isascii() and part.isdecimal() and len(part) < 9 for part in parts):
        raise ClassifierError("--size in px", repr(text)[:60], "give one number, such as 224, or 224x320")
    sides = tuple(int(part) for part in parts)
    return sides * 2 if len(sides) == 1 else sides


def _numbers(option: str, text: str | None, usual: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ClassifierError(f"{option} with {usual}", repr(text)[:60], "separate numbers by commas") from error
