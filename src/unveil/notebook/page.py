"""A run as a page inside a notebook: an iframe that works without a kernel and without widgets."""

import base64
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from unveil.images.preview import Preview
from unveil.records import Run
from unveil.render import figure_as_png
from unveil.report import make_report_page

HEIGHT_PX = 780
DPI, COLORS = 96, 256  # of pictures: about 200 kB each for photographs, and 23 of them in a notebook of 8 MB
FRAME_STYLE = "box-sizing:border-box;border:1px solid #8884;border-radius:8px;background:Canvas"
# Without `allow-same-origin`, the page can't reach the notebook; without `allow-popups` and the rest, it can't leave.
SANDBOX = "allow-scripts"


@dataclass(frozen=True)
class RunPage:
    """The report of one run in a sandboxed iframe, with a picture below it for programs that leave iframes out.

    Attributes:
        page: The report, a whole HTML document.
        png: The picture, a PNG file.
        text: One line that names the run.
    """

    page: str = field(repr=False)
    png: bytes = field(repr=False)
    text: str

    def _repr_html_(self) -> str:
        """The iframe covers the picture, in one cell of a grid; where iframes are removed, the picture is left."""
        name, cell = escape(self.text), "grid-area:1/1"
        picture = f'<img src="data:image/png;base64,{self._png_text}" alt="{name}" style="{cell};max-width:100%">'
        style = f"{cell};width:100%;height:{HEIGHT_PX}px;{FRAME_STYLE}"
        page = escape(self.page)
        frame = f'<iframe sandbox="{SANDBOX}" title="{name}" srcdoc="{page}" style="{style}"></iframe>'
        return f'<div style="display:grid;max-height:{HEIGHT_PX}px;overflow:hidden">{picture}{frame}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Also as a picture and as text; a frontend takes what it can show."""
        return {"text/html": self._repr_html_(), "image/png": self._png_text, "text/plain": self.text}

    @property
    def _png_text(self) -> str:
        return base64.b64encode(self.png).decode("ascii")


def make_run_page(run: Run, preview: Preview | None = None) -> RunPage:
    """The page of a `run`, with the source's pixels of a `preview` or its own.

    Raises `RecordError` for a run that is too large for a viewer.
    """
    shown = run if preview is None else replace(run, preview=preview)
    return RunPage(make_report_page(shown), run_picture(run), repr(run))


def run_picture(run: Run) -> bytes:
    """The figure of a run as a small PNG file."""
    return figure_as_png(run.figure(), DPI, COLORS)
