"""Runs in JupyterLab and Jupyter Notebook: masks equal the record's, the picture stays, the code is loaded once."""

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from notebooks import KERNEL_IDLE, RUN_ALL, SAVE, write_notebook
from tiny_runs import image, run
from unveil.images.preview import make_preview
from unveil.masks import Mask, iou
from unveil.notebook.page import run_picture
from unveil.records import Run
from unveil.store import load_run
from view_pages import settle

nbformat = pytest.importorskip("nbformat")
pytestmark = pytest.mark.browser
CELLS = (
    "import unveil\nrun = unveil.load_run('record')\nrun",
    "shown = run.show()\nshown",
    "run.show(static=True)",
)
EXECUTE = "(code) => { jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.requestExecute({ code }); }"
PIXELS = """(canvas) => { const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let text = ""; for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
return [canvas.height, canvas.width, btoa(text)]; }"""
DISC = np.hypot(*(np.mgrid[:32, :32] - np.array([17, 14])[:, None, None])) < 9


def record_in(jupyter) -> Path:
    """A new folder of the server with the record of a run with one region, a disc, and a preview."""
    first = run().rounds[0]
    inside = run().source.geometry.region_to_source(DISC)
    region = replace(first.regions[0], mask=Mask.from_array(inside), model_mask=Mask.from_array(DISC))
    one = replace(run(), rounds=(replace(first, regions=(region,)),), trust=None, preview=make_preview(image()))
    place = jupyter.folder / f"n{len(list(jupyter.folder.iterdir()))}"
    one.save(place / "record")
    return place


@pytest.fixture
def folder(jupyter) -> Path:
    """A folder with a record, for a notebook."""
    return record_in(jupyter)


def outputs_of(path: Path) -> list[list[dict]]:
    return [cell["outputs"] for cell in nbformat.read(path, as_version=4)["cells"]]


def canvas_of(canvas) -> np.ndarray:
    """The pixels of a canvas: h w RGBA."""
    height, width, content = canvas.evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(content), np.uint8).reshape(height, width, 4).astype(int)


def tinted(page, canvas) -> np.ndarray:
    """Where the active region is drawn: tinted by 22 % of its color, without the line that covers the tint's edge."""
    canvas.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.down("Shift")
    settle(page)
    without = canvas_of(canvas)
    page.keyboard.up("Shift")
    settle(page)
    expected = 0.78 * without[..., :3] + 0.22 * np.array([0xE6, 0x9F, 0x00])
    tint = (np.abs(canvas_of(canvas)[..., :3] - expected).max(axis=2) <= 2) & (without[..., 3] > 0)
    return ndimage.distance_transform_edt(~ndimage.binary_opening(tint, iterations=2)) <= 3


def on_canvas(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array on the source as the viewer fits it into a canvas, by the nearest pixel."""
    (height, width), (rows, columns) = shape, values.shape
    scale = min(width / columns, height / rows)
    y = np.floor((np.arange(height) + 0.5 - (height - rows * scale) / 2) / scale).astype(int)
    x = np.floor((np.arange(width) + 0.5 - (width - columns * scale) / 2) / scale).astype(int)
    inside = ((y >= 0) & (y < rows))[:, None] & ((x >= 0) & (x < columns))
    return values[np.ix_(y.clip(0, rows - 1), x.clip(0, columns - 1))] & inside


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_a_run_shows_itself_in_both_applications(visit, folder, application):
    path = write_notebook(folder / "runs.ipynb", *CELLS)
    page, sent = visit(application, path)
    page.wait_for_function(KERNEL_IDLE, timeout=120_000)
    page.evaluate(RUN_ALL)
    viewers = page.locator(".viewer .stage canvas")
    viewers.nth(1).wait_for(timeout=120_000)
    # Both widgets, and the page in the iframe, draw the region of the record.
    inside = run().source.geometry.region_to_source(DISC)
    framed = page.frame_locator("iframe[srcdoc]").locator(".viewer .stage canvas")
    frame = page.locator("iframe[srcdoc]")
    for outer, canvas in ((viewers.nth(0), viewers.nth(0)), (viewers.nth(1), viewers.nth(1)), (frame, framed)):
        outer.evaluate("one => one.scrollIntoView()")  # a frame out of sight doesn't paint
        drawn = tinted(page, canvas)
        assert iou(drawn, on_canvas(inside, drawn.shape)) >= 0.98
    # The code came once, the run twice.
    assert [sum(f'"ask":"{name}"' in one for one in sent) for name in ("code", "view")] == [1, 2]
    # The picture is there, and seen when the viewer is gone.
    picture = page.locator(".jp-OutputArea img").nth(1)
    assert not picture.is_visible()
    page.evaluate(SAVE)
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate(EXECUTE, "shown.close()")
    picture.wait_for(state="visible")
    assert viewers.count() == 1
    check_saved(path, load_run(folder / "record"))


def check_saved(path: Path, one: Run) -> None:
    """The outputs of a saved notebook: pictures, references to widgets, and nothing of the viewer."""
    first, second, static = outputs_of(path)
    png = base64.b64encode(run_picture(one)).decode()
    for picture, widget in (first, second):
        assert picture["data"] == {"image/png": png, "text/plain": repr(one)}
        assert set(widget["data"]) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
        assert widget["data"]["text/plain"] == ""
    assert set(static[0]["data"]) == {"text/html", "image/png", "text/plain"}


@pytest.fixture(scope="module")
def executed(jupyter) -> dict:
    """A notebook that ran, with the state of its widgets."""
    folder = record_in(jupyter)
    path = write_notebook(folder / "executed.ipynb", CELLS[0])
    jupyter.execute(path)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("application", "state", "trusted"),
    [
        ("lab", False, False),
        ("lab", False, True),
        ("lab", True, True),
        ("notebook", False, True),
        ("notebook", True, True),
    ],
)
def test_without_a_kernel_the_picture_is_left(visit, jupyter, executed, application, state, trusted):
    widgets = executed["metadata"]["widgets"]
    assert len(json.dumps(widgets)) < 10_000, "neither the run nor the viewer's code"
    # Neither a name nor a language that a kernel here has: Jupyter would start the one that speaks it, without a word.
    metadata = {"kernelspec": {"name": "absent", "display_name": "Absent"}}
    if state:
        metadata["widgets"] = widgets
    path = jupyter.folder / f"{application}-{state}-{trusted}.ipynb"
    path.write_text(json.dumps(executed | {"metadata": metadata}))
    if trusted:
        jupyter.trust(path)
    page, _ = visit(application, path)
    page.locator(".jp-Dialog button.jp-mod-reject", has_text="No Kernel").click(timeout=120_000)
    picture = page.locator(".jp-OutputArea img")
    picture.wait_for(state="visible")
    page.wait_for_timeout(1000)
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert picture.is_visible()
    assert page.locator(".viewer").count() == 0
    assert page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel ?? null") is None


@pytest.mark.parametrize("state", [False, True])
def test_a_converted_notebook_has_the_picture(browser, jupyter, executed, state, tmp_path):
    metadata = executed["metadata"] if state else {}
    (tmp_path / "one.ipynb").write_text(json.dumps(executed | {"metadata": metadata}))
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "one.ipynb"]
    subprocess.run(command, env=jupyter.environment, cwd=tmp_path, check=True, capture_output=True)
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "one.html").as_uri())
    assert page.locator("img").is_visible()
    context.close()
