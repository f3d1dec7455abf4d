"""The figure of a run, like Figure 3 of Bordes et al. 2018: one column per round."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.records import Run
from unveil.render.columns import FigureColumn, draw_note, layout_figure, make_columns, note_height
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
    """Draw one `track` of a `run` (None for its first one) from its record, one column per round.

    Rows: the image with everything erased so far; the saliency map; the regions, numbered as in tables, with their
    drops and verdicts; the leading labels. The last column shows what is left after all rounds. A volume is drawn as
    three slices per round: see `draw_volume`. Raises `RecordError` for an image with another number of axes.
    """
    shape = run.source.geometry.model_shape
    if len(shape) == 3:
        return draw_volume(run, track)
    if len(shape) != 2:
        raise RecordError("a run of an image or a volume", f"one on a grid {shape}", "draw slices of it")
    columns, colors = make_columns(run, track), target_colors(run, track)
    tall = shape[0] / shape[1] * (COLUMN_WIDTH - 0.08)
    rows = (
        {"image": tall, "saliency": tall, "regions": tall, "note": note_height(columns)}
        if len(columns) > 1
        else {"image": tall}
    )

    def show(axes: Axes, row: str, column: FigureColumn) -> None:
        match row:
            case "image":
                hide_axes(axes)
                axes.imshow(to_rgb_pixels(column.image), interpolation="lanczos")
            case "saliency":
                _draw_saliency(axes, column)
            case "regions" if column.round:
                draw_regions(axes, columns[0].image, column.round, colors, column.numbers)
            case "regions":
                axes.axis("off")
            case _:
                draw_note(axes, column)

    return layout_figure(run, track, columns, rows, show)


def _draw_saliency(axes: Axes, column: FigureColumn) -> None:
    if column.round is None:
        axes.axis("off")
        return
    hide_axes(axes)
    values = max_saliency(column.round)
    axes.imshow(values, cmap="magma", vmin=0, vmax=color_limit(values), interpolation="bilinear")
    draw_contour(axes, column.round.erased.to_array(), "white", 0.5, 0.55)
