"""The sheet of the paper's experiment: a row an image, a column a round, with the labels that came and went."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
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
from unveil.render.parts import (
    APPEARED,
    FAINT,
    GONE,
    INK,
    STYLE,
    bare,
    color_of_targets,
    legible,
    percent,
    rgb,
    short,
    show_regions,
)

SIDE, GAP, LINE, MARGIN, FOOT = 1.35, 0.08, 0.105, 0.3, 0.08  # inches: a picture, between two, a line of text, …
NAME_CHARS, MOST_LINES = 22, 3


@dataclass(frozen=True)
class Example:
    """A row: the run, the name beside it, the labels and boxes (in pixels of the source) that the data set gives, and
    the probability from which a label counts as predicted (sigmoid)."""

    run: Run
    name: str
    annotated: Sequence[str] = ()
    boxes: Sequence[LabeledBox] = ()
    threshold: float = 0.5

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Those of the first track."""
        return self.run.of_track(self.run.tracks[0])

    def predicted(self, prediction: Prediction) -> list[str]:
        """Predicted labels with their probabilities, a line each."""
        indices = prediction.predicted(self.threshold)
        lines = [
            f"{short(self.run.classifier.labels[index], NAME_CHARS)} {percent(float(prediction.probabilities[index]))}"
            for index in indices
        ]
        return _cut(lines) or ["nothing predicted"]

    def changes(self, one: Round) -> list[tuple[str, str]]:
        """What a round changed, each line with its color: first what went, then what came."""
        before, after = (said.predicted(self.threshold) for said in (one.before, one.after))
        names = self.run.classifier.labels
        gone = [(f"− {short(names[index], NAME_CHARS)}", GONE) for index in before if index not in after]
        came = [(f"+ {short(names[index], NAME_CHARS)}", APPEARED) for index in after if index not in before]
        lines = gone + came
        more = len(lines) - MOST_LINES
        return lines if more <= 0 else [*lines[: MOST_LINES - 1], (f"and {more + 1} more", FAINT)]


def draw_experiment(examples: Sequence[Example]) -> Figure:
    """First the image with the boxes and labels of the data set; then each round with what was predicted before it,
    its regions, and below the labels that went (−) and came (+) with it; last what is left.

    Raises `RecordError` without examples or for images that aren't two-dimensional.
    """
    shapes = [example.run.source.geometry.model_shape for example in examples]
    if not examples or any(len(shape) != 2 for shape in shapes):
        got = f"{len(examples)} runs on grids {', '.join(map(str, shapes))}"
        raise RecordError("runs of two-dimensional images", got, "choose others")
    columns = 2 + max(len(example.rounds) for example in examples)
    heads, feet = zip(*(_lines(example) for example in examples), strict=True)
    heights = [(head + 1 + foot) * LINE + SIDE + FOOT + GAP for head, foot in zip(heads, feet, strict=True)]
    with mpl.rc_context(STYLE):
        width, height = MARGIN + columns * (SIDE + GAP), 0.08 + sum(heights)
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        top = height - 0.05
        for example, head, tall in zip(examples, heads, heights, strict=True):
            bottom = top - (head + 1) * LINE - SIDE
            name = short(example.name, NAME_CHARS)
            middle = (bottom + SIDE / 2) / height
            figure.text(0.12 / width, middle, name, rotation=90, va="center", ha="center", color=FAINT)
            row = [
                figure.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
                for left in (MARGIN + column * (SIDE + GAP) for column in range(columns))
            ]
            _draw_row(row, example, head)
            top -= tall
    return figure


def _lines(example: Example) -> tuple[int, int]:
    """Lines of text above and below the pictures of a row."""
    states = [example.run.first, *(one.after for one in example.rounds)]
    head = max(len(example.predicted(state)) for state in states)
    foot = max((len(example.changes(one)) for one in example.rounds), default=0)
    return max(head, len(_cut(list(example.annotated)))), foot


def _draw_row(row: Sequence[Axes], example: Example, head: int) -> None:
    run, done = example.run, example.rounds
    track = run.tracks[0]
    image, colors = done[0].image if done else run.final_images[track], color_of_targets(run, track)
    row[0].imshow(rgb(image), interpolation="lanczos")
    _show_boxes(row[0], example)
    _caption(row[0], head, "image", [short(label, NAME_CHARS + 4) for label in _cut(list(example.annotated))], FAINT)
    first = set(run.first.predicted(example.threshold))
    for axes, one in zip(row[1:], done, strict=False):
        show_regions(axes, image, one, colors)
        mark = " · rim" if one.regions and all(region.is_rim for region in one.regions) else ""
        kept = bool(first & set(one.before.predicted(example.threshold)))
        _caption(axes, head, f"round {one.index}{mark}", example.predicted(one.before), INK if kept else GONE)
        for number, (text, color) in enumerate(example.changes(one)):
            _text(axes, text, -(number + 1) * LINE / SIDE, color)
    last, end = row[1 + len(done)], done[-1].after if done else run.first
    last.imshow(rgb(run.final_images[track]), interpolation="lanczos")
    kept = bool(first & set(end.predicted(example.threshold)))
    _caption(last, head, "after", example.predicted(end), INK if kept else GONE)
    for axes in row[2 + len(done) :]:
        axes.axis("off")


def _show_boxes(axes: Axes, example: Example) -> None:
    """Boxes of the data set, on the model's grid; what lies outside of it isn't drawn."""
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
            left, top, f" {short(box.label, NAME_CHARS)}", fontsize=4.5, color="white", va="top", clip_on=True
        )
        name.set_path_effects([withStroke(linewidth=1, foreground="black")])
    axes.axis(limits)


def _caption(axes: Axes, head: int, title: str, lines: Sequence[str], color: str) -> None:
    """Titles of a row stand side by side, whatever number of lines follows them."""
    bare(axes)
    _text(axes, title, 1 + (0.02 + head * LINE) / SIDE, FAINT)
    for number, text in enumerate(lines, start=1):
        _text(axes, text, 1 + (0.02 + (head - number) * LINE) / SIDE, color)


def _text(axes: Axes, text: str, height: float, color: str) -> None:
    axes.text(0, height, legible(text), transform=axes.transAxes, fontsize=6, color=color, va="bottom")


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[: MOST_LINES - 1], f"and {more + 1} more"]
