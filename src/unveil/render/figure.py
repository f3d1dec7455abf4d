"""Figures, made from records alone: a run as Figure 3 of Bordes et al. 2018, one column a round."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.records import Run
from unveil.render.columns import Column, columns_of, lay_out, show_note
from unveil.render.parts import WIDTH, bare, color_of_targets, rgb, show_regions, strongest, top_of, trace
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
    columns, colors = columns_of(run, track), color_of_targets(run, track)
    tall = shape[0] / shape[1] * (WIDTH - 0.08)
    rows = {"shown": tall, "saliency": tall, "region": tall, "note": 0.3} if len(columns) > 1 else {"shown": tall}

    def show(axes: Axes, row: str, column: Column) -> None:
        match row:
            case "shown":
                bare(axes)
                axes.imshow(rgb(column.image), interpolation="lanczos")
            case "saliency":
                _show_saliency(axes, column)
            case "region" if column.found:
                show_regions(axes, columns[0].image, column.found, colors)
            case "region":
                axes.axis("off")
            case _:
                show_note(axes, column)

    return lay_out(run, track, columns, rows, show)


def _show_saliency(axes: Axes, column: Column) -> None:
    if column.found is None:
        axes.axis("off")
        return
    bare(axes)
    values = strongest(column.found)
    axes.imshow(values, cmap="magma", vmin=0, vmax=top_of(values), interpolation="bilinear")
    trace(axes, column.found.erased.to_array(), "white", 0.5, 0.55)
