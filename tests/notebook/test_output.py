"""Outputs of a cell: with and without anywidget, in a console, and what is refused."""

import builtins
from dataclasses import replace

import pytest

from tiny_runs import image, run
from unveil.errors import ImageError, MissingLibraryError, RecordError
from unveil.images import Image
from unveil.images.preview import make_preview
from unveil.notebook import display_run, show_run
from unveil.notebook.page import run_picture

pytest.importorskip("IPython")
pytest.importorskip("anywidget")
PNG, PLAIN, WIDGET = "image/png", "text/plain", "application/vnd.jupyter.widget-view+json"


class Shell:
    """What IPython calls a shell: in a notebook it takes any output, in a console only text."""

    def __init__(self, active: list[str]) -> None:
        self.active_types, self.shown = active, []
        self.display_formatter = self.display_pub = self

    def publish(self, data: dict, metadata: dict | None = None) -> None:
        self.shown.append(data)


@pytest.fixture
def shell(monkeypatch) -> Shell:
    one = Shell([PLAIN, PNG, "text/html"])
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: one)
    return one


@pytest.fixture
def bare(monkeypatch) -> None:
    """An installation without anywidget."""
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name in ("anywidget", "unveil.notebook.widget"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_a_run_is_a_picture_and_a_widget(shell):
    run()._ipython_display_()
    picture, widget = shell.shown
    assert set(picture) == {PNG, PLAIN}
    assert picture[PLAIN] == repr(run())
    assert set(widget) == {WIDGET, PLAIN}
    assert widget[PLAIN] == ""


def test_without_anywidget_there_are_a_picture_tables_and_a_hint(shell, bare):
    display_run(run())
    picture, tables, hint = shell.shown
    assert set(picture) == {PNG, PLAIN}
    assert tables["text/html"] == run()._repr_html_()
    assert "pip install 'unveil[notebook]'" in hint[PLAIN]
    assert "\n" not in hint[PLAIN]
    with pytest.raises(MissingLibraryError, match="anywidget"):
        run().show()
    assert run().show(static=True).png == run_picture(run())


def test_a_console_prints_one_line(shell):
    shell.active_types = [PLAIN]
    with pytest.raises(NotImplementedError):
        run()._ipython_display_()
    assert shell.shown == []


def test_the_pixels_of_the_image_are_taken_where_they_are_given():
    source = image()
    assert show_run(run(), image=source).previews == (make_preview(source),)
    two = run().show(image=source, compare=run("plain, separate tracks"))
    assert two.previews == (make_preview(source),) * 2
    other = replace(run(), source=replace(run().source, sha256="0" * 64))
    assert run().show(image=source, compare=other).previews == (make_preview(source), None)


def test_what_cannot_be_shown_is_refused():
    other = Image.from_array(255 - (image().pixels[0] * 255).astype("uint8"), source="other.png")
    with pytest.raises(ImageError, match=r"the image of this run, array .*; got other\.png"):
        run().show(image=other)
    with pytest.raises(ImageError, match=r"missing\.png"):
        run().show(image="missing.png")
    with pytest.raises(RecordError, match="one run for a static page; got two"):
        run().show(static=True, compare=run())
