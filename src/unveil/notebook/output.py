"""What a notebook shows of a run. The only module that imports IPython.

A run is two outputs: a picture, and the viewer. A frontend that finds a widget in an output shows nothing else of it,
not even where the widget can't be shown: in a notebook that was opened again, or without a network. So the picture is
an output of its own, and the viewer hides it while it is drawn.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.errors import ImageError, MissingLibraryError, RecordError
from unveil.images import Image, read_image
from unveil.images.preview import Preview, make_preview
from unveil.notebook.page import RunPage, make_run_page, run_picture
from unveil.records import Run

if TYPE_CHECKING:
    from unveil.notebook.widget import RunWidget

PLAIN, PNG = "text/plain", "image/png"


def show_run(
    run: Run, *, static: bool = False, image: str | Path | Image | None = None, compare: Run | None = None
) -> RunWidget | RunPage:
    """The viewer of a run for a notebook; `Run.show` is the same.

    Args:
        run: The run.
        static: Whether to make a page that works without a kernel and without widgets, in place of a widget.
        image: The image of the run, which the viewer then shows at up to 2048 px; None for the run's own preview.
        compare: A second run, which is shown beside the first; widgets only.

    Raises `MissingLibraryError` for a widget without anywidget, `ImageError` for another image than the run's, and
    `RecordError` for `compare` with `static`.
    """
    preview = None if image is None else _preview_of(run, image)
    if static:
        if compare is not None:
            raise RecordError("one run for a static page", "two", "leave out static, or show the runs one by one")
        return make_run_page(run, preview)
    return _make_widget(run, preview, compare)


def display_run(run: Run) -> None:
    """Show a `run` in the notebook: a picture and the viewer, or without anywidget a picture, tables, and a hint.

    Raises `NotImplementedError` in a console, where IPython then prints the run as one line.
    """
    try:
        widget = _make_widget(run)
    except MissingLibraryError as error:
        display, _ = _display_picture(run)
        display({"text/html": run._repr_html_(), PLAIN: ""})
        display({PLAIN: f"A picture and tables only: {error}"})
    else:
        display_widget(widget, run)


def display_widget(widget: RunWidget, run: Run) -> None:
    """Show a picture of the `run`, and the `widget`. Raises `NotImplementedError` in a console."""
    display, size = _display_picture(run)
    widget.picture_size = size
    bundle = widget._repr_mimebundle_()
    data, metadata = ({}, {}) if bundle is None else bundle
    display({**data, PLAIN: ""}, metadata)


def _make_widget(run: Run, preview: Preview | None = None, compare: Run | None = None) -> RunWidget:
    try:
        from unveil.notebook.widget import RunWidget  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("anywidget", "notebook", "interactive runs in notebooks") from error
    return RunWidget(run, preview, compare)


def _display_picture(run: Run) -> tuple[Callable[..., None], list[int]]:
    """Show the figure of the run; also what shows more outputs, and its width and height in px."""
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 (there is one where something is displayed)

    shell: Any = get_ipython()
    if shell is None or shell.display_formatter.active_types == [PLAIN]:
        raise NotImplementedError("a console shows text")
    png = run_picture(run)
    publish = shell.display_pub.publish
    publish({PNG: base64.b64encode(png).decode("ascii"), PLAIN: repr(run)})
    return publish, list(struct.unpack(">II", png[16:24]))


def _preview_of(run: Run, image: str | Path | Image) -> Preview | None:
    source = image if isinstance(image, Image) else read_image(image)
    if source.sha256 != run.source.sha256:
        expected = f"the image of this run, {run.source.name} with SHA-256 {run.source.sha256[:12]}…"
        raise ImageError(
            expected, f"{source.source} with {source.sha256[:12]}…", "name the file that the run was made of"
        )
    return make_preview(source)
