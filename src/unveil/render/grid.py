"""A grid of maps: one row per image, one column per method."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unveil.render.parts import FAINT, hide_axes, shorten_label, to_rgb_pixels
from unveil.render.style import figure_style

_SIDE, _GAP, _HEAD, _MARGIN = 1.5, 0.06, 0.22, 0.3  # inches

GridRow = tuple[str, UInt8[np.ndarray, "c h w"], Sequence[Float[np.ndarray, "h w"]]]


def draw_grid(rows: Sequence[GridRow], titles: Sequence[str]) -> Figure:
    """Draw maps of images: each of the `rows` has a name, an image and non-negative maps under the `titles`.

    Each map has its own scale, up to its 99.5 % quantile.
    """
    columns = len(titles)
    width, height = _MARGIN + columns * (_SIDE + _GAP), _HEAD + len(rows) * (_SIDE + _GAP)
    with figure_style():
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        for number, (name, image, maps) in enumerate(rows):
            bottom = height - _HEAD - (number + 1) * (_SIDE + _GAP) + _GAP
            middle = (bottom + _SIDE / 2) / height
            figure.text(0.12 / width, middle, shorten_label(name), rotation=90, va="center", ha="center", color=FAINT)
            for column in range(columns):
                left = _MARGIN + column * (_SIDE + _GAP)
                axes = figure.add_axes((left / width, bottom / height, _SIDE / width, _SIDE / height))
                hide_axes(axes)
                if number == 0:
                    axes.set_title(titles[column], fontsize=8, pad=3, loc="left")
                if column == 0:
                    axes.imshow(to_rgb_pixels(image))
                else:
                    values = maps[column - 1]
                    axes.imshow(values, cmap="magma", vmin=0, vmax=float(np.quantile(values, 0.995)) or 1)
    return figure
