"""The sheet of the paper's experiment: one row per image and one column per round, with the labels that changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from unveil.datasets import LabeledBox
from unveil.errors import RecordError
from unveil.predictions import Prediction
from unveil.records import Round, Run
from unveil.render.marks import mark_rounds
from unveil.render.parts import (
    APPEARED,
    DISAPPEARED,
    FAINT,
    drawable_text,
    format_percent,
    hide_axes,
    shorten_label,
    target_colors,
    to_rgb_pixels,
)
from unveil.render.pictures import draw_regions
from unveil.render.style import INK, figure_style

_SIDE, _GAP, _LINE, _MARGIN, _FOOT = 1.35, 0.08, 0.105, 0.3, 0.08  # inches
NAME_CHARS, MAX_LINES = 22, 3


@dataclass(frozen=True)
class Example:
    """One row of the sheet.

    Attributes:
        run: The run of the image.
        name: The name beside the row.
        annotated: The labels of the data set.
        boxes: The boxes of the data set, in pixels of the source.
        threshold: The probability from which a label counts as predicted (sigmoid).
    """

    run: Run
    name: str
    annotated: Sequence[str] = ()
    boxes: Sequence[LabeledBox] = ()
    threshold: float = 0.5

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of the first track."""
        return self.run.of_track(self.run.tracks[0])

    def predicted(self, prediction: Prediction) -> list[str]:
        """Format the predicted labels with their probabilities, one line per label."""
        labels = self.run.classifier.labels
        lines = [
            f"{shorten_label(labels[index], NAME_CHARS)} {format_percent(float(prediction.probabilities[index]))}"
            for index in prediction.predicted(self.threshold)
        ]
        return _shorten_lines(lines) or ["nothing predicted"]

    def changes(self, round_: Round) -> list[tuple[str, str]]:
        """Format the labels that disappeared (−) and appeared (+) in a round, each line with its color."""
        before, after = (prediction.predicted(self.threshold) for prediction in (round_.before, round_.after))
        names = self.run.classifier.labels
        disappeared = [shorten_label(names[index], NAME_CHARS) for index in before if index not in after]
        appeared = [shorten_label(names[index], NAME_CHARS) for index in after if index not in before]
        lines = [(f"− {name}", DISAPPEARED) for name in disappeared] + [(f"+ {name}", APPEARED) for name in appeared]
        more = len(lines) - MAX_LINES
        return lines if more <= 0 else [*lines[: MAX_LINES - 1], (f"and {more + 1} more", FAINT)]


def draw_experiment(examples: Sequence[Example]) -> Figure:
    """Draw one row per example.

    The first column shows the image with the boxes and labels of the data set. Each round follows with the labels
    predicted before it, its regions, and below it the labels that disappeared (−) and appeared (+). The last column
    shows the image after all rounds.

    Raises `RecordError` without examples and for images that aren't two-dimensional.
    """
    shapes = [example.run.source.geometry.model_shape for example in examples]
    if not examples or any(len(shape) != 2 for shape in shapes):
        got = f"{len(examples)} runs on grids {', '.join(map(str, shapes))}"
        raise RecordError("runs of two-dimensional images", got, "choose others")
    columns = 2 + max(len(example.rounds) for example in examples)
    heads, feet = zip(*(_line_counts(example) for example in examples), strict=True)
    heights = [(head + 1 + foot) * _LINE + _SIDE + _FOOT + _GAP for head, foot in zip(heads, feet, strict=True)]
    with figure_style():
        width, height = _MARGIN + columns * (_SIDE + _GAP), 0.08 + sum(heights)
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        top = height - 0.05
        for example, head, tall in zip(examples, heads, heights, strict=True):
            bottom = top - (head + 1) * _LINE - _SIDE
            name = shorten_label(example.name, NAME_CHARS)
            middle = (bottom + _SIDE / 2) / height
            figure.text(0.12 / width, middle, name, rotation=90, va="center", ha="center", color=FAINT)
            row = [
                figure.add_axes((left / width, bottom / height, _SIDE / width, _SIDE / height))
                for left in (_MARGIN + column * (_SIDE + _GAP) for column in range(columns))
            ]
            _draw_row(row, example, head)
            top -= tall
    return figure


def _line_counts(example: Example) -> tuple[int, int]:
    """Count the lines of text above and below the images of a row."""
    predictions = [example.run.first, *(round_.after for round_ in example.rounds)]
    head = max(len(example.predicted(prediction)) for prediction in predictions)
    foot = max((len(example.changes(round_)) for round_ in example.rounds), default=0)
    return max(head, len(_shorten_lines(list(example.annotated)))), foot


def _draw_row(row: Sequence[Axes], example: Example, head: int) -> None:
    run, rounds = example.run, example.rounds
    track = run.tracks[0]
    image, colors = rounds[0].image if rounds else run.final_images[track], target_colors(run, track)
    row[0].imshow(to_rgb_pixels(image), interpolation="lanczos")
    _draw_boxes(row[0], example)
    _draw_caption(
        row[0],
        head,
        "image",
        [shorten_label(label, NAME_CHARS + 4) for label in _shorten_lines(list(example.annotated))],
        FAINT,
    )
    first = set(run.first.predicted(example.threshold))
    for axes, round_, marked in zip(row[1:], rounds, mark_rounds(run, track), strict=False):
        draw_regions(axes, image, round_, marked, colors)
        mark = " · rim" if round_.regions and all(region.is_rim for region in round_.regions) else ""
        kept = bool(first & set(round_.before.predicted(example.threshold)))
        _draw_caption(
            axes, head, f"round {round_.index}{mark}", example.predicted(round_.before), INK if kept else DISAPPEARED
        )
        for number, (text, color) in enumerate(example.changes(round_)):
            _draw_line(axes, text, -(number + 1) * _LINE / _SIDE, color)
    last, final = row[1 + len(rounds)], rounds[-1].after if rounds else run.first
    last.imshow(to_rgb_pixels(run.final_images[track]), interpolation="lanczos")
    kept = bool(first & set(final.predicted(example.threshold)))
    _draw_caption(last, head, "after", example.predicted(final), INK if kept else DISAPPEARED)
    for axes in row[2 + len(rounds) :]:
        axes.axis("off")


def _draw_boxes(axes: Axes, example: Example) -> None:
    """Draw the boxes of the data set on the model's grid, clipped to it."""
    geometry = example.run.source.geometry
    limits = axes.axis()
    for box in example.boxes:
        corners = np.array([[box.y, box.x], [box.y + box.height, box.x + box.width]], dtype=float)
        (top, left), (bottom, right) = geometry.to_model(corners) - 0.5
        for color, width in (("black", 1.8), ("white", 0.8)):
            axes.add_patch(
                Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=width)
            )
        name = axes.text(
            left, top, f" {shorten_label(box.label, NAME_CHARS)}", fontsize=4.5, color="white", va="top", clip_on=True
        )
        name.set_path_effects([withStroke(linewidth=1, foreground="black")])
    axes.axis(limits)


def _draw_caption(axes: Axes, head: int, title: str, lines: Sequence[str], color: str) -> None:
    """Draw a title and lines above an image; the titles of a row are at one height."""
    hide_axes(axes)
    _draw_line(axes, title, 1 + (0.02 + head * _LINE) / _SIDE, FAINT)
    for number, text in enumerate(lines, start=1):
        _draw_line(axes, text, 1 + (0.02 + (head - number) * _LINE) / _SIDE, color)


def _draw_line(axes: Axes, text: str, height: float, color: str) -> None:
    axes.text(0, height, drawable_text(text), transform=axes.transAxes, fontsize=6, color=color, va="bottom")


def _shorten_lines(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[: MAX_LINES - 1], f"and {more + 1} more"]
