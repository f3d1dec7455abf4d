"""Dots with intervals, one row per group and one panel per measure."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unveil.errors import RecordError
from unveil.render.curves import LINE_COLORS
from unveil.render.parts import FAINT, drawable_text, style_plot
from unveil.render.style import figure_style

_WIDE, _ROW, _GAP, _HEAD, _FOOT, _CHAR, _EDGE = 2.3, 0.26, 0.3, 0.72, 0.36, 0.062, 0.15  # inches


@dataclass(frozen=True)
class DotRow:
    """The values of one group.

    Attributes:
        mean: None where there is none.
        interval: Its lower and upper bound.
        values: What the mean is of, drawn small.
        reference: What to hold the mean against, such as chance; drawn as a line across the row.
    """

    mean: float | None
    interval: Sequence[float] | None = None
    values: Sequence[float] = ()
    reference: float | None = None


@dataclass(frozen=True)
class DotPanel:
    """One measure: its rows in the order of the groups, and the range of its axis, from the data where None."""

    title: str
    rows: Sequence[DotRow]
    note: str = ""
    limits: tuple[float, float] | None = None


def draw_dots(groups: Sequence[str], panels: Sequence[DotPanel], title: str = "") -> Figure:
    """A panel beside the other; the names of the groups stand at the left. Raises `RecordError` without any panel."""
    if not panels or not groups:
        raise RecordError("at least one group and one panel", "none", "give something to draw")
    names = _EDGE + _CHAR * max(map(len, groups))
    width = names + len(panels) * (_WIDE + _GAP)
    height = _HEAD + _ROW * len(groups) + _FOOT
    with figure_style():
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels):
            left = names + number * (_WIDE + _GAP)
            place = (left / width, _FOOT / height, _WIDE / width, _ROW * len(groups) / height)
            _draw_panel(figure.add_axes(place), panel, groups if number == 0 else [""] * len(groups))
        figure.text(0.1 / width, 1 - 0.1 / height, drawable_text(title), fontsize=8, fontweight="bold", va="top")
    return figure


def _draw_panel(axes: Axes, panel: DotPanel, names: Sequence[str]) -> None:
    style_plot(axes)
    for place, row in enumerate(panel.rows):
        color = LINE_COLORS[place % len(LINE_COLORS)]
        if row.reference is not None:
            axes.plot([row.reference] * 2, [place - 0.35, place + 0.35], color=FAINT, linewidth=1, linestyle=":")
        axes.plot(row.values, [place + 0.22] * len(row.values), "o", color=color, markersize=2, alpha=0.5, mew=0)
        if row.interval is not None:
            axes.plot(row.interval, [place] * 2, color=color, linewidth=1.6, solid_capstyle="butt")
        if row.mean is not None:
            axes.plot([row.mean], [place], "o", color=color, markersize=4.5, mew=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [drawable_text(name) for name in names])
    axes.tick_params(axis="y", length=0)
    if panel.limits is not None:
        axes.set_xlim(*panel.limits)
    axes.set_title(drawable_text(panel.title), fontsize=7, loc="left", pad=14)
    above = 1 + 0.06 / (_ROW * len(names))
    axes.text(0, above, drawable_text(panel.note), transform=axes.transAxes, fontsize=6.5, color=FAINT, va="bottom")
