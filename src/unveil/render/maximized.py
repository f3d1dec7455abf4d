"""The figure of a maximized image, with the curve of its score beside it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from unveil.atomic import written_atomically
from unveil.render.parts import (
    COLORS,
    FAINT,
    drawable_text,
    hide_axes,
    shorten_label,
    style_plot,
    to_rgb_pixels,
)
from unveil.render.style import INK, figure_style

_SIDE, _CURVE, _MARGIN, _GAP, _HEAD, _FOOT = 2.5, 2.6, 0.12, 0.5, 0.58, 0.36  # inches
GOAL_CHARS = 38
_LINE = COLORS[5]


def draw_maximized(
    image: UInt8[np.ndarray, "c h w"], scores: Sequence[float], goal: str, note: str, yaxis: str = "score"
) -> Figure:
    """Draw the `image`, and its `scores` from the start (step 0) to the end, whose axis has the label `yaxis`.

    `goal` is the title, and `note` is written to its right.
    """
    tall = min(_SIDE * image.shape[1] / image.shape[2], 2 * _SIDE)
    wide = tall * image.shape[2] / image.shape[1]
    width, height = _MARGIN + wide + _GAP + _CURVE + _MARGIN, _HEAD + tall + _FOOT
    with figure_style():
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((_MARGIN / width, _FOOT / height, wide / width, tall / height))
        hide_axes(axes)
        axes.imshow(to_rgb_pixels(image), interpolation="lanczos")
        left = (_MARGIN + wide + _GAP) / width
        _draw_scores(figure.add_axes((left, _FOOT / height, _CURVE / width, tall / height)), scores, yaxis)
        top = 1 - 0.12 / height
        figure.text(_MARGIN / width, top, shorten_label(goal, GOAL_CHARS), fontsize=9, fontweight="bold", va="top")
        figure.text(1 - _MARGIN / width, top - 0.02 / height, drawable_text(note), color=FAINT, va="top", ha="right")
    return figure


def write_image(image: UInt8[np.ndarray, "c h w"], path: Path) -> Path:
    """Write the pixels of `image` to `path` as a .png of 8 bits, in one step. Raises `RecordError`."""
    with written_atomically(path, "an image") as part:
        imsave(part, np.ascontiguousarray(to_rgb_pixels(image)), format="png")
    return path


def _draw_scores(axes: Axes, scores: Sequence[float], yaxis: str) -> None:
    steps = len(scores) - 1
    style_plot(axes)
    axes.plot(scores, color=_LINE, linewidth=1.3, solid_capstyle="round", clip_on=False)
    axes.plot([steps], [scores[-1]], "o", color=_LINE, markersize=3.5, clip_on=False)
    axes.set_xlim(0, steps)
    axes.set_xlabel("step", color=FAINT, labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(yaxis, fontsize=7, color=FAINT, loc="left", pad=3)
    axes.set_title(f"{_number(scores[0])} → {_number(scores[-1])}", fontsize=7, color=INK, loc="right", pad=3)


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
