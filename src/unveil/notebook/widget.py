"""The interactive viewer as a Jupyter widget: the only module that imports anywidget and traitlets.

The state of a widget is a few hundred bytes, and so is what a notebook saves of it. The frontend asks for the rest: for
the run when a view of it is drawn, and for the viewer's code once per page.
"""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import uuid4

import anywidget
import traitlets

from unveil.errors import UnveilError
from unveil.images.preview import Preview
from unveil.records import Run
from unveil.view import make_view, viewer_code

PROCESS = uuid4().hex  # a page waits for the viewer's code of this kernel alone


@cache
def code_and_hash() -> tuple[bytes, str]:
    """The viewer's code, and the name under which a page keeps it."""
    code = viewer_code().encode("ascii")
    return code, hashlib.sha256(code).hexdigest()[:16]


class RunWidget(anywidget.AnyWidget):
    """The interactive viewer of one run, or of two side by side; `Run.show` makes it.

    It is an ipywidget, so it can be a child of a layout such as `ipywidgets.VBox`.

    Attributes:
        runs: The run, and the one beside it if there is one.
        previews: The pixels of their images, in the same order; None for those of the runs themselves.
        code: Name of the viewer's code.
        process: Name of this process.
        picture_size: Width and height of the picture that the viewer takes the place of, in px; empty without one.
    """

    _esm = files("unveil.notebook").joinpath("static", "stub.js").read_text(encoding="ascii")
    code = traitlets.Unicode().tag(sync=True)
    process = traitlets.Unicode().tag(sync=True)
    picture_size = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, run: Run, preview: Preview | None = None, compare: Run | None = None) -> None:
        super().__init__(code=code_and_hash()[1], process=PROCESS)
        self.runs = (run,) if compare is None else (run, compare)
        # The second run has the first one's image, or another.
        self.previews = tuple(preview if one.source.sha256 == run.source.sha256 else None for one in self.runs)
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        """One line; the runs by their own."""
        return f"<RunWidget of {self.runs[0]!r}>"

    def _ipython_display_(self) -> None:
        """A picture, and the viewer, which takes its place while the kernel runs."""
        from unveil.notebook.output import display_widget  # noqa: PLC0415 (it imports this module)

        display_widget(self, self.runs[0])

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        """Send what a frontend asks for; anything else is no question of the stub."""
        asked = content.get("ask") if isinstance(content, dict) else None
        if asked == "code":
            self.send({"answer": asked}, [code_and_hash()[0]])
        if asked == "view":
            try:
                pairs = zip(self.runs, self.previews, strict=True)
                texts = [make_view(run, preview=preview).to_bytes() for run, preview in pairs]
                self.send({"answer": asked}, texts)
            except UnveilError as error:
                self.send({"answer": asked, "error": str(error)})
