"""A sheet of several runs, to compare images, recipes or classifiers: one row per run and one column per round."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.predictions import Prediction
from unveil.records import Run
from unveil.render.marks import mark_rounds
from unveil.render.parts import (
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

_SIDE, _GAP, _HEAD, _MARGIN = (
    1.35,
    0.06,
    0.34,
    0.3,
)  # inches
NAME_CHARS = 22


def draw_sheet(runs: Sequence[Run], names: Sequence[str] | None = None) -> Figure:
    """Draw the first track of all `runs`: the image, each round with its regions, and the image after all rounds.

    Above each image is the label predicted before the round with its probability; `rim` marks a round whose regions
    all follow the border of an erased area. `names` are written beside the rows.

    Raises `RecordError` without runs and for images that aren't two-dimensional.
    """
    shapes = [run.source.geometry.model_shape for run in runs]
    if not runs or any(len(shape) != 2 for shape in shapes):
        volumes = [f"one on a grid {'x'.join(map(str, shape))}" for shape in shapes if len(shape) != 2]
        got = volumes[0] if volumes else "0 runs"
        raise RecordError("runs of two-dimensional images", got, "draw volumes one by one with Run.figure")
    columns = 2 + max(len(run.of_track(run.tracks[0])) for run in runs)
    with figure_style():
        width = _MARGIN + columns * (_SIDE + _GAP)
        height = 0.1 + len(runs) * (_SIDE + _HEAD + _GAP)
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        for row, run in enumerate(runs):
            name = "" if names is None else drawable_text(names[row])
            bottom = height - (row + 1) * (_SIDE + _HEAD + _GAP) + _GAP
            figure.text(
                0.12 / width, (bottom + _SIDE / 2) / height, name, rotation=90, va="center", ha="center", color=FAINT
            )
            boxes = [
                figure.add_axes((left / width, bottom / height, _SIDE / width, _SIDE / height))
                for left in (_MARGIN + column * (_SIDE + _GAP) for column in range(columns))
            ]
            _draw_row(boxes, run)
    return figure


def _draw_row(boxes: list[Axes], run: Run) -> None:
    track = run.tracks[0]
    rounds, colors = run.of_track(track), target_colors(run, track)
    image = rounds[0].image if rounds else run.final_images[track]
    _draw_caption(boxes[0], "image", run, run.first)
    boxes[0].imshow(to_rgb_pixels(image))
    for axes, round_, marked in zip(boxes[1:], rounds, mark_rounds(run, track), strict=False):
        draw_regions(axes, image, round_, marked, colors)
        mark = " · rim" if round_.regions and all(region.is_rim for region in round_.regions) else ""
        _draw_caption(axes, f"round {round_.index}{mark}", run, round_.before)
    last = boxes[1 + len(rounds)]
    _draw_caption(last, "after", run, rounds[-1].after if rounds else run.first)
    last.imshow(to_rgb_pixels(run.final_images[track]))
    for axes in boxes[2 + len(rounds) :]:
        axes.axis("off")


def _draw_caption(axes: Axes, title: str, run: Run, prediction: Prediction) -> None:
    """Draw the title and the leading label with its probability, colored if the label isn't the first one."""
    hide_axes(axes)
    leading, first = prediction.leading(1)[0], run.first.leading(1)[0]
    label = shorten_label(run.classifier.labels[leading], NAME_CHARS)
    text = f"{label} {format_percent(float(prediction.probabilities[leading]))}"
    color = INK if leading == first else DISAPPEARED
    axes.text(0, 1.1, title, transform=axes.transAxes, fontsize=6, color=FAINT, va="bottom")
    axes.text(0, 1.01, text, transform=axes.transAxes, fontsize=6, color=color, va="bottom")
