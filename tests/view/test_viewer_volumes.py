"""Volumes in a browser: three linked planes, whose slices are chosen by keys, sliders, the mouse and the wheel."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

import cubes
from unveil.masks import components
from unveil.rounds import find_regions
from unveil.view import make_view
from view_pages import canvas_of, press, serious_problems, settle

pytestmark = pytest.mark.browser
SPACING = (2.0, 1.0, 1.0)


@cache
def text() -> str:
    with TemporaryDirectory() as folder:
        path = cubes.nifti(Path(folder) / "scan.nii.gz", cubes.volume(), SPACING)
        return make_view(find_regions(path, cubes.classifier(), cubes.RECIPE)).to_json()


def slices(page) -> list[int]:
    """The numbers of the slices that are shown, from 1: axial, coronal, sagittal."""
    return [int(page.get_by_role("slider", name=name).input_value()) for name in ("axial", "coronal", "sagittal")]


def test_volumes_have_three_planes(show):
    page = show(text(), width=700)
    before = canvas_of(page)
    assert len(components(before[..., 3] > 0)) == 3
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    settle(page)
    assert not np.array_equal(canvas_of(page), before)
    assert "mm" in page.locator(".corner.scale").inner_text()


def test_the_planes_go_through_the_first_region_at_first(show):
    first = json.loads(text())["regions"][0]["box"]
    middle = [int((start + stop) / 2) + 1 for start, stop in zip(first["start"], first["stop"], strict=True)]
    assert slices(show(text())) == middle


def test_page_keys_go_through_slices_of_one_plane(show):
    page = show(text())
    axial, coronal, sagittal = slices(page)
    press(page, "PageDown", "PageDown", "PageUp")
    assert slices(page) == [axial + 1, coronal, sagittal]
    assert page.locator("[aria-live]").inner_text() == f"axial, slice {axial + 1} of 24"
    press(page, "p", "PageUp")
    assert slices(page) == [axial + 1, coronal - 1, sagittal]
    press(page, "p", "End")
    assert slices(page) == [axial + 1, coronal - 1, 24]
    press(page, "Home", "PageUp")
    assert slices(page) == [axial + 1, coronal - 1, 1]


def test_the_slice_that_is_shown_is_that_of_the_volume(show):
    """An axial slice through the weak cube alone: its pixels are those of the volume, and nowhere else is anything."""
    page = show(text())
    page.get_by_role("slider", name="axial").fill(str(cubes.WEAK[0] + 2))
    page.locator(".stage canvas").first.focus()
    page.keyboard.down("h")
    settle(page)
    plane = canvas_of(page)[..., 0]
    page.keyboard.up("h")
    shown = canvas_of(page)[..., 3] > 0
    part = components(shown)[0].to_array() if hasattr(components(shown)[0], "to_array") else components(shown)[0]
    y, x = np.nonzero(part)
    height, width = y.max() + 1 - y.min(), x.max() + 1 - x.min()
    bright = plane[y.min() : y.max() + 1, x.min() : x.max() + 1] > 64
    down, across = np.nonzero(bright)
    expected = cubes.volume()[cubes.WEAK[0] + 1] > 0.2
    rows, columns = np.nonzero(expected)
    for at, side, places in ((down, height, rows), (across, width, columns)):
        assert at.min() / side == pytest.approx(places.min() / 24, abs=0.03)
        assert (at.max() + 1) / side == pytest.approx((places.max() + 1) / 24, abs=0.03)


def test_the_wheel_goes_through_slices_only_with_the_focus(show):
    page = show(text())
    before = slices(page)
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.wheel(0, 100)
    settle(page)
    assert slices(page) == before
    press(page)
    page.mouse.wheel(0, 100)
    settle(page)
    assert [now - then for now, then in zip(slices(page), before, strict=True)] == [2, 0, 0]


def test_the_point_is_given_in_mm_of_the_file(show):
    """The file's voxel (0, 0, 0) is at (40, 30, -20) mm; its axes go to left, back and head."""
    page = show(text())
    axial, coronal, sagittal = (number - 1 for number in slices(page))
    # Sagittal slices are counted from the right, coronal ones from the front, and axial ones from the head.
    right, front, head = 40 - sagittal, 30 - coronal, -20 + 2 * (23 - axial)
    words = page.locator(".place").inner_text().split()
    values = [(1 if words[2 * axis + 1] in "RAS" else -1) * float(words[2 * axis]) for axis in range(3)]
    assert values == pytest.approx([right, front, head], abs=0.51)  # a slice of the model is a voxel here


def test_directions_are_only_named_where_the_file_names_them(show):
    document = json.loads(text())
    assert slices(show(text()))
    document["source"].update(axes=None, affine=None)
    page = show(json.dumps(document))
    assert page.get_by_role("slider", name="axial").count() == 0
    assert page.get_by_role("slider", name="first axis").count() == 1
    assert page.locator(".place").count() == 0


def test_the_difference_of_volumes(show):
    page = show(text())
    press(page, "d", "1")
    nothing = canvas_of(page)
    press(page, "2")
    erased = np.any(canvas_of(page)[..., :3] != nothing[..., :3], axis=2)
    red, blue = canvas_of(page)[..., 0], canvas_of(page)[..., 2]
    assert (red - blue)[erased].max() > 60  # a bright cube was erased: orange


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("keys", [(), ("s", "1", "p", "PageDown"), ("d", "?")])
def test_volumes_are_accessible(show, dark, keys):
    page = show(text(), dark=dark)
    press(page, *keys)
    assert serious_problems(page) == []


def test_the_help_lists_the_keys_of_slices(show):
    page = show(text())
    press(page, "?")
    assert page.get_by_role("dialog").get_by_text("slice before, after").is_visible()
    assert page.get_by_role("dialog").get_by_text("zoom in").count() == 0
