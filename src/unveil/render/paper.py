"""A figure that is drawn on in inches, from its upper left corner: texts, bars and keys around the pictures."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from unveil.records import Verdict
from unveil.render.fitting import fit_text, text_width
from unveil.render.marks import DASHES, VERDICT_COLORS, cap_of
from unveil.render.style import INK

DPI = 150


class Paper:
    """A figure of some inches. Pictures have axes of their own; everything else belongs to the figure itself, which is
    several times as fast as axes, and isn't clipped."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI)
        FigureCanvasAgg(self.figure)
        self.inches = Affine2D().scale(1, -1).translate(0, height) + self.figure.dpi_scale_trans

    def picture(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes for a picture."""
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)

    def add(self, *artists: Artist) -> None:
        """Add what is placed in inches."""
        for artist in artists:
            artist.set_transform(self.inches)
            self.figure.add_artist(artist)

    def text(self, x: float, y: float, text: str, size: float, color: str = INK, **style: Any) -> None:
        """A text on the base line `y`."""
        self.add(Text(x, y, text, fontsize=size, color=color, **style))

    def label(self, x: float, y: float, name: str, size: float, width: float, **style: Any) -> float:
        """A name from outside, shortened to `width`; the place where it ends."""
        bold = style.get("fontweight") == "bold"
        shown = fit_text(name, width, size, bold=bold)
        self.text(x, y, shown, size, **style)
        return x + text_width(shown, size, bold=bold)

    def bar(self, left: float, top: float, width: float, height: float, color: str, **style: Any) -> None:
        """A filled rectangle; without a line unless `style` has one."""
        self.add(Rectangle((left, top), width, height, facecolor=color, **{"linewidth": 0, **style}))

    def line(self, x: float, y: float, length: float, color: str, **style: Any) -> None:
        """A line from left to right."""
        self.add(Line2D([x, x + length], [y, y], color=color, **{"linewidth": 1.0, **style}))

    def verdict_line(self, x: float, y: float, length: float, verdict: Verdict | None, color: str) -> None:
        """A piece of a contour in the style of its verdict."""
        cap = {"dash_capstyle": cap_of(verdict), "solid_capstyle": "butt"}
        self.line(x, y, length, color, linewidth=1.4, linestyle=DASHES[verdict], **cap)

    def verdict(self, x: float, y: float, verdict: Verdict, size: float, gid: str | None = None) -> None:
        """A verdict as a line in its style, and in a word."""
        color = VERDICT_COLORS[verdict]
        self.verdict_line(x, y - 0.03, 0.14, verdict, color)
        self.text(x + 0.17, y, str(verdict), size, color, gid=gid)
