"""The figure of a run, like Figure 3 of Bordes et al. 2018: one column per round."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.records import Run
from unveil.render.columns import FigureColumn
from unveil.render.page import PictureRows, draw_page
from unveil.render.parts import COLUMN_WIDTH, target_colors
from unveil.render.pictures import draw_regions, show_image, show_saliency
from unveil.render.triplanar import draw_volume

WIDTH = COLUMN_WIDTH - 0.08  # inches of a picture
TALLEST, LOWEST = 1.6, 0.48  # of a row: in widths of a column, in inches


def draw_run(run: Run, track: str | None = None) -> Figure:
    """Draw one `track` of a `run` (None for its first one) from its record, one column per round.

    Above each column stand the labels that the round explains, with their verdicts. Rows: the image with everything
    erased so far; the saliency map; the regions with their numbers, their verdicts as line styles (solid: supported,
    dashed: weak, dotted: artifact), and hatched where they speak against their label; their drops as bars, with the
    verdict in a word; the leading labels. The last column shows what is left after all rounds, and what the marks mean.
    Labels with a label check are listed below. More than `MAX_COLUMNS` columns go on in another band.

    A volume is drawn as three slices per round: see `draw_volume`. Raises `RecordError` for an image with another
    number of axes.
    """
    shape = run.source.geometry.model_shape
    if len(shape) == 3:
        return draw_volume(run, track)
    if len(shape) != 2:
        raise RecordError("a run of an image or a volume", f"one on a grid {shape}", "draw slices of it")
    tall = min(max(shape[0] / shape[1] * WIDTH, LOWEST), TALLEST * WIDTH)
    wide = min(WIDTH, tall * shape[1] / shape[0])
    rounds, colors = run.of_track(track), target_colors(run, track)

    def show(axes: Axes, row: str, column: FigureColumn) -> None:
        if row == "image" or column.round is None:
            show_image(axes, column.image)
        elif row == "saliency":
            show_saliency(axes, column.round)
        else:
            draw_regions(axes, rounds[0].image, column.round, column.marked, colors, wide)
        axes.set_anchor("NW")

    names = ("image", "saliency", "regions") if rounds else ("image",)
    return draw_page(run, track, PictureRows(dict.fromkeys(names, tall), show, last=1))
