"""A sheet of several runs: a row a run, a column a round; to compare images, recipes or classifiers at a glance."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.predictions import Prediction
from unveil.records import Run
from unveil.render.parts import (
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

SIDE, GAP, HEAD, MARGIN = 1.35, 0.06, 0.34, 0.3  # inches: a picture, between two, the text above one, the left margin
NAME_CHARS = 22


def draw_sheet(runs: Sequence[Run], names: Sequence[str] | None = None) -> Figure:
    """The first track of every run. In each column: what was predicted, and the regions found; last, what is left.

    `names` stand beside the rows. A note under a picture that says `rim` marks a round whose regions are all rims.
    Raises `RecordError` without runs or for images that aren't two-dimensional.
    """
    shapes = [run.source.geometry.model_shape for run in runs]
    if not runs or any(len(shape) != 2 for shape in shapes):
        others = [f"one on a grid {'x'.join(map(str, shape))}" for shape in shapes if len(shape) != 2]
        got = others[0] if others else "0 runs"
        raise RecordError("runs of two-dimensional images", got, "draw volumes one by one with Run.figure")
    columns = 2 + max(len(run.of_track(run.tracks[0])) for run in runs)
    with mpl.rc_context(STYLE):
        width = MARGIN + columns * (SIDE + GAP)
        height = 0.1 + len(runs) * (SIDE + HEAD + GAP)
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        for row, run in enumerate(runs):
            name = legible(names[row]) if names else ""
            bottom = height - (row + 1) * (SIDE + HEAD + GAP) + GAP
            figure.text(
                0.12 / width, (bottom + SIDE / 2) / height, name, rotation=90, va="center", ha="center", color=FAINT
            )
            boxes = [
                figure.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
                for left in (MARGIN + column * (SIDE + GAP) for column in range(columns))
            ]
            _draw_row(boxes, run)
    return figure


def _draw_row(boxes: list[Axes], run: Run) -> None:
    track = run.tracks[0]
    done, colors = run.of_track(track), color_of_targets(run, track)
    image = done[0].image if done else run.final_images[track]
    _caption(boxes[0], "image", run, run.first)
    boxes[0].imshow(rgb(image))
    for axes, one in zip(boxes[1:], done, strict=False):
        show_regions(axes, image, one, colors)
        mark = " · rim" if one.regions and all(region.is_rim for region in one.regions) else ""
        _caption(axes, f"round {one.index}{mark}", run, one.before)
    last = boxes[1 + len(done)]
    _caption(last, "after", run, done[-1].after if done else run.first)
    last.imshow(rgb(run.final_images[track]))
    for axes in boxes[2 + len(done) :]:
        axes.axis("off")


def _caption(axes: Axes, title: str, run: Run, prediction: Prediction) -> None:
    """Above a picture: its name, the leading label and its probability, in another color once it isn't the first
    one."""
    bare(axes)
    leading, first = prediction.leading(1)[0], run.first.leading(1)[0]
    said = f"{short(run.classifier.labels[leading], NAME_CHARS)} {percent(float(prediction.probabilities[leading]))}"
    axes.text(0, 1.1, title, transform=axes.transAxes, fontsize=6, color=FAINT, va="bottom")
    axes.text(0, 1.01, said, transform=axes.transAxes, fontsize=6, color=INK if leading == first else GONE, va="bottom")
