"""Figures, made from records alone: a run as Figure 3 of Bordes et al. 2018, one column a round."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.records import Run
from unveil.render.columns import FigureColumn, draw_note, layout_figure, make_columns
from unveil.render.parts import (
    COLUMN_WIDTH,
    color_limit,
    draw_contour,
    draw_regions,
    hide_axes,
    max_saliency,
    target_colors,
    to_rgb_pixels,
)
from unveil.render.triplanar import draw_volume


def draw_run(run: Run, track: str | None = None) -> Figure:
    """The figure of one track. Rows: what the classifier was shown; saliency; regions; leading labels.

    Of a volume, three slices a round: see `draw_volume`. The last column shows what is left after all rounds. Raises
    `RecordError` for an image with another number of axes.
    """
    shape = run.source.geometry.model_shape
    if len(shape) == 3:
        return draw_volume(run, track)
    if len(shape) != 2:
        raise RecordError("a run of an image or a volume", f"one on a grid {shape}", "draw slices of it")
    columns, colors = make_columns(run, track), target_colors(run, track)
    tall = shape[0] / shape[1] * (COLUMN_WIDTH - 0.08)
    rows = {"shown": tall, "saliency": tall, "region": tall, "note": 0.3} if len(columns) > 1 else {"shown": tall}

    def show(axes: Axes, row: str, column: FigureColumn) -> None:
        match row:
            case "shown":
                hide_axes(axes)
                axes.imshow(to_rgb_pixels(column.image), interpolation="lanczos")
            case "saliency":
                _draw_saliency(axes, column)
            case "region" if column.found:
                draw_regions(axes, columns[0].image, column.found, colors)
            case "region":
                axes.axis("off")
            case _:
                draw_note(axes, column)

    return layout_figure(run, track, columns, rows, show)


def _draw_saliency(axes: Axes, column: FigureColumn) -> None:
    if column.found is None:
        axes.axis("off")
        return
    hide_axes(axes)
    values = max_saliency(column.found)
    axes.imshow(values, cmap="magma", vmin=0, vmax=color_limit(values), interpolation="bilinear")
    draw_contour(axes, column.found.erased.to_array(), "white", 0.5, 0.55)
