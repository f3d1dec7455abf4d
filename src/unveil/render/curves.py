"""Curves over the rounds, in panels side by side: what is measured with its interval, and what to hold it against."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from unveil.errors import RecordError
from unveil.render.parts import COLORS, FAINT, drawable_text, style_plot
from unveil.render.style import figure_style

_SIDE, _TALL, _GAP, _MARGIN, _HEAD, _FOOT = 2.7, 2.2, 0.62, 0.42, 0.62, 0.42  # inches
# Dark enough for a line on white; the region's colors are made for areas.
LINE_COLORS = (COLORS[5], COLORS[6], COLORS[2], COLORS[3], COLORS[0])


@dataclass(frozen=True)
class PlotCurve:
    """A value for every round from 1 on, None where there is none; perhaps an interval for each, and a curve that is
    drawn dashed in the same color, such as chance."""

    name: str
    values: Sequence[float | None]
    intervals: Sequence[Sequence[float] | None] = ()
    against: Sequence[float | None] = ()


@dataclass(frozen=True)
class Panel:
    """Curves on one scale; the note stands below the title. `share`: from 0 to 1, drawn in per cent."""

    title: str
    curves: Sequence[PlotCurve]
    share: bool = False
    note: str = ""


def draw_curves(panels: Sequence[Panel], title: str = "") -> Figure:
    """A panel beside the other, the names of curves in a legend. Raises `RecordError` without any panel."""
    if not panels:
        raise RecordError("at least one panel", "none", "give something to draw")
    width = _MARGIN + len(panels) * _SIDE + (len(panels) - 1) * _GAP + 0.15
    height = _HEAD + _TALL + _FOOT
    with figure_style():
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels):
            left = _MARGIN + number * (_SIDE + _GAP)
            axes = figure.add_axes((left / width, _FOOT / height, _SIDE / width, _TALL / height))
            _draw_panel(axes, panel)
        figure.text(0.1 / width, 1 - 0.1 / height, drawable_text(title), fontsize=8, fontweight="bold", va="top")
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    rounds = max((len(curve.values) for curve in panel.curves), default=1)
    style_plot(axes)
    for number, curve in enumerate(panel.curves):
        # A little apart, so that intervals don't lie on one another.
        _draw_curve(axes, curve, LINE_COLORS[number % len(LINE_COLORS)], 0.05 * (number - (len(panel.curves) - 1) / 2))
    axes.set_xlim(0.8, max(rounds, 1) + 0.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("round", color=FAINT, labelpad=2)
    if panel.share:
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    elif axes.get_ylim()[0] > 0:
        axes.set_ylim(bottom=0)
    axes.set_title(drawable_text(panel.title), fontsize=7, loc="left", pad=14)
    axes.text(0, 1.03, drawable_text(panel.note), transform=axes.transAxes, fontsize=6.5, color=FAINT, va="bottom")
    if panel.curves:
        axes.legend(fontsize=6, frameon=False, labelcolor="linecolor", handlelength=1.2, borderpad=0, labelspacing=0.3)


def _draw_curve(axes: Axes, curve: PlotCurve, color: str, aside: float) -> None:
    places = [index + 1 + aside for index in range(len(curve.values))]
    there = [(x, y) for x, y in zip(places, curve.values, strict=True) if y is not None]
    axes.plot(
        *_split_points(there),
        "o-",
        color=color,
        linewidth=1.3,
        markersize=3,
        label=drawable_text(curve.name),
        clip_on=False,
    )
    for x, interval in zip(places, curve.intervals, strict=False):
        if interval is not None:
            axes.plot([x, x], interval, color=color, linewidth=0.9, alpha=0.55, solid_capstyle="butt")
    chance = [(x, y) for x, y in zip(places, curve.against, strict=False) if y is not None]
    if chance:
        axes.plot(*_split_points(chance), "--", color=color, linewidth=0.9, alpha=0.8)


def _split_points(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
