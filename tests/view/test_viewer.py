"""The viewer in a browser: what it draws is what the record holds, everything can be done by keys, names are text."""

import base64
import gzip
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from labeled_runs import three_labels
from tiny_runs import image, run
from unveil.images import Image
from unveil.images.preview import make_preview
from unveil.masks import Mask, iou
from unveil.view import make_view, viewer_code
from view_pages import canvas_of, press, serious_problems, settle

pytestmark = pytest.mark.browser


@cache
def text() -> str:
    return make_view(run(spacing=False), preview=make_preview(image())).to_json()


def drawn_rectangle(page) -> tuple[float, float, float]:
    """Where the whole image lies on the canvas: left, top, and pixels per pixel of the source, as it is fitted."""
    height, width = canvas_of(page).shape[:2]
    scale = min(width / 50, height / 40)
    return (width - 50 * scale) / 2, (height - 40 * scale) / 2, scale


def on_canvas(page, values: np.ndarray) -> np.ndarray:
    """An array on the source, at the pixels of the canvas, by the nearest; zeros outside."""
    height, width = canvas_of(page).shape[:2]
    left, top, scale = drawn_rectangle(page)
    y, x = (
        np.floor((np.arange(side) + 0.5 - first) / scale).astype(int) for side, first in ((height, top), (width, left))
    )
    result = values[np.ix_(y.clip(0, 39), x.clip(0, 49))]
    result[(y < 0) | (y > 39)] = 0
    result[:, (x < 0) | (x > 49)] = 0
    return result


def test_all_regions_are_there_at_once(show):
    page = show(text())
    assert page.locator("tr[data-region]").count() == len(run().regions)
    assert page.get_by_role("heading", name="array").is_visible()
    assert page.locator("output").first.inner_text() == f"All {len(run().rounds)} rounds"
    for region, reason in zip(run().regions, page.locator(".reason").all_inner_texts(), strict=True):
        assert run().card(region).reason == reason


def test_without_overlays_the_image_is_exact(show):
    page = show(text())
    page.locator(".stage canvas").focus()
    page.keyboard.down("h")
    settle(page)
    shown = canvas_of(page)[..., :3]
    left, top, scale = drawn_rectangle(page)
    y, x = (np.floor(first + (np.arange(side) + 0.5) * scale).astype(int) for side, first in ((40, top), (50, left)))
    assert np.array_equal(shown[np.ix_(y, x)], make_preview(image()).to_array())
    page.keyboard.up("h")
    settle(page)
    assert not np.array_equal(canvas_of(page)[..., :3], shown)


GRID_Y, GRID_X = np.mgrid[:32, :32]
DISC = np.hypot(GRID_Y - 17, GRID_X - 14) < 9
MASKS = {
    "disc": DISC,
    "ring": DISC & (np.hypot(GRID_Y - 17, GRID_X - 14) > 4),
    "two parts": (abs(GRID_Y - 16) < 12) & (abs(abs(GRID_X - 16) - 9) < 4),
    "at the border": (GRID_X < 9) & (GRID_Y > 14),
}


@pytest.mark.parametrize("shape", MASKS)
def test_drawn_masks_are_those_of_the_record(show, shape):
    """An active region is tinted: 22 % of its color, here the first one. Its line covers 2.7 px of the tint's edge."""
    geometry = run().source.geometry
    inside = geometry.region_to_source(MASKS[shape])
    first = run().rounds[0]
    changes = {"mask": Mask.from_array(inside), "model_mask": Mask.from_array(MASKS[shape])}
    region = replace(first.regions[0], **changes)
    shown = replace(run(), rounds=(replace(first, regions=(region,)),), trust=None)
    page = show(make_view(shown, preview=make_preview(image())).to_json())
    press(page, "ArrowDown")
    page.keyboard.down("Shift")
    settle(page)
    without = canvas_of(page)
    page.keyboard.up("Shift")
    settle(page)
    tinted = 0.78 * without[..., :3] + 0.22 * np.array([0xE6, 0x9F, 0x00])
    tint = (np.abs(canvas_of(page)[..., :3] - tinted).max(axis=2) <= 2) & (without[..., 3] > 0)
    tint = ndimage.binary_opening(tint, iterations=2)  # without single pixels that have this color anyway
    drawn = ndimage.distance_transform_edt(~tint) <= 3
    assert iou(drawn, on_canvas(page, inside) > 0) >= 0.98


def test_rounds_and_regions_by_keys(show):
    page = show(text())
    slider = page.get_by_role("slider", name="Round")
    press(page, "ArrowRight", "ArrowRight")
    assert slider.input_value() == "2"
    assert page.locator("[aria-live]").inner_text().startswith("Round 2 of")
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert slider.input_value() == "0"
    press(page, "3")
    assert slider.input_value() == "3"
    press(page, "1", "ArrowDown", "ArrowDown")
    pressed = page.locator("tr.active button[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["2"]
    assert f"Region 2, {run().regions[1].target}" in page.locator("[aria-live]").inner_text()
    press(page, "ArrowUp", "ArrowUp")
    assert pressed.all_inner_texts() == [str(len(run().regions))]
    press(page, "Escape")
    assert pressed.count() == 0


def test_layers_window_and_inversion_by_keys(show):
    page = show(text())
    original = canvas_of(page)
    press(page, "s")
    assert page.get_by_role("slider", name="Threshold").is_visible()
    saliency = canvas_of(page)
    press(page, "m")
    model = canvas_of(page)
    assert not np.array_equal(original, saliency)
    assert not np.array_equal(model, saliency)
    press(page, "o")
    assert np.array_equal(canvas_of(page), original)
    page.keyboard.down("h")
    press(page, "i")
    inverted = canvas_of(page)
    press(page, "i")
    assert np.abs(inverted[..., :3] + canvas_of(page)[..., :3] - 255)[canvas_of(page)[..., 3] > 0].max() <= 1
    page.keyboard.up("h")


def test_the_view_is_kept_and_reset(show):
    page = show(text())
    percent = page.locator(".corner.scale")
    whole = percent.inner_text()
    press(page, "+", "+")
    zoomed = percent.inner_text()
    assert zoomed != whole
    press(page, "ArrowRight", "s", "ArrowDown")
    assert percent.inner_text() == zoomed
    press(page, "0")
    assert percent.inner_text().startswith("100")
    press(page, "Space")
    assert percent.inner_text() == whole


def test_the_wheel_scrolls_the_page_until_the_image_has_the_focus(show):
    page = show(text(), width=700)
    percent = page.locator(".corner.scale")
    whole = percent.inner_text()
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, 200)
    settle(page)
    assert page.evaluate("scrollY") > 0
    assert percent.inner_text() == whole
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    settle(page)
    assert percent.inner_text() != whole


def test_a_click_gives_the_image_the_focus_and_dragging_moves_it(show):
    page = show(text())
    original = canvas_of(page)
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("slider", name="Round").input_value() == "1"
    page.keyboard.press("ArrowLeft")
    page.keyboard.down("h")
    settle(page)
    before = canvas_of(page)
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 330, steps=3)
    page.mouse.up()
    settle(page)
    assert np.array_equal(canvas_of(page)[100:300, 100:300], before[70:270, 140:340])
    page.keyboard.up("h")
    press(page, "Space", "Escape")
    assert np.array_equal(canvas_of(page), original)


def test_dragging_with_the_right_button_sets_the_window(show):
    page = show(text())
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=4)
    page.mouse.up(button="right")
    settle(page)
    # 100 px are a quarter of the range, 255: the window is wider by it, around the same middle.
    assert page.locator(".corner.window").inner_text() == "W 319  C 128"
    press(page, "Space")
    assert page.locator(".corner.window").inner_text() == ""


def test_pointing_at_a_region_marks_it_everywhere(show):
    page = show(text())
    left, top, scale = drawn_rectangle(page)
    box = page.locator(".stage canvas").bounding_box()
    region = run().regions[0]
    others = np.any([one.mask.to_array() for one in run().regions[1:]], axis=0)
    y, x = np.argwhere(region.mask.to_array() & ~others)[0]
    page.mouse.move(box["x"] + left + (x + 0.5) * scale, box["y"] + top + (y + 0.5) * scale)
    settle(page)
    assert page.locator("tr.active").first.get_attribute("data-region") == "r1.1"
    assert page.locator("g.label.active .name").text_content() == region.target


def test_tables_are_sorted_by_any_column(show):
    page = show(text())
    page.get_by_role("button", name="Drop").click()
    numbers = [int(one) for one in page.locator("tr[data-region] .badge").all_inner_texts()]
    drops = [run().regions[number - 1].drop for number in numbers]
    assert drops == sorted(drops, reverse=True)
    assert page.locator("th.drop").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Most suspicious first").click()
    suspicion = {one["number"]: one["suspicion"] for one in json.loads(text())["regions"]}
    values = [suspicion[int(one)] for one in page.locator("tr[data-region] .badge").all_inner_texts()]
    assert values == sorted(values, reverse=True)


def test_a_region_that_speaks_against_its_target_is_said_to(show):
    document = json.loads(text())
    document["regions"][0].update(drop=-1.5, opposes=True)
    page = show(json.dumps(document))
    assert page.locator("tr[data-region='r1.1'] .against").inner_text() == "speaks against it"
    assert page.locator("tr[data-region='r1.1'] .drop").inner_text() == "−1.50"
    assert page.locator(".against").count() == 1 + sum(region.drop < 0 for region in run().regions[1:])


def test_labels_of_erasing_are_marked(show):
    page = show(make_view(three_labels()).to_json())
    assert page.locator(".label.artifact .note").all_text_contents() == ["artifact of erasing"]
    assert "dog → red [fox]" in page.locator("td.label").all_inner_texts()


HOSTILE = '</script><img src=x onerror="alert(1)"><b>bold</b>\u2028${1}'


def test_names_are_text(show):
    labels = (HOSTILE, *run().classifier.labels[1:])
    shown = run()
    regions = [replace(one, target_score=replace(one.target_score, name=HOSTILE)) for one in shown.rounds[0].regions]
    rounds = (replace(shown.rounds[0], regions=tuple(regions)), *shown.rounds[1:])
    shown = replace(
        shown,
        rounds=rounds,
        source=replace(shown.source, name=HOSTILE),
        classifier=replace(shown.classifier, labels=labels, name=HOSTILE),
    )
    page = show(make_view(shown).to_json())
    page.on("dialog", lambda dialog: pytest.fail("a name was run"))
    assert page.locator("img, b").count() == 0
    assert HOSTILE.replace("\u2028", " ") in page.locator(".title p").inner_text().replace("\u2028", " ")


def test_another_format_is_refused_in_words(show):
    page = show(text(), '{"format": "other"}')
    assert "expected a view of a run; got something else" in page.locator(".body").inner_text()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("keys", [(), ("s", "1", "ArrowDown"), ("d", "2"), ("?",)])
def test_accessibility(show, dark, keys):
    page = show(make_view(three_labels(), preview=make_preview(image())).to_json(), dark=dark)
    press(page, *keys)
    assert serious_problems(page) == []


@pytest.mark.parametrize("data", ["", "bm90IGEgcGljdHVyZQ==", "!"])
def test_damaged_pixels_are_said_to_be(show, data):
    document = json.loads(text())
    document["preview"]["image"]["data"] = data
    page = show(json.dumps(document))
    assert page.get_by_role("alert").inner_text().startswith("This view can't be drawn: ")
    assert page.locator("tr[data-region]").count() == len(run().regions)


def test_more_pixels_than_promised_are_not_read(show):
    document = json.loads(text())
    bomb = gzip.compress(bytes(1 << 22))
    image_ = {"type": "application/gzip", "dtype": "uint16", "shape": [40, 50], "data": base64.b64encode(bomb).decode()}
    document["preview"] = {"image": image_, "window": None}
    page = show(json.dumps(document))
    assert "longer than its shape" in page.get_by_role("alert").inner_text()


def test_help_lists_the_keys(show):
    page = show(text())
    press(page, "?")
    assert page.get_by_role("dialog").get_by_text("hide all overlays while held").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_16_bits_are_windowed_in_original_values(show):
    pixels = np.linspace(10000, 30000, 2000).reshape(40, 50).astype(np.uint16)
    page = show(make_view(run(), preview=make_preview(Image.from_array(pixels))).to_json())
    page.locator(".stage canvas").focus()
    page.keyboard.down("h")
    press(page, "f")
    assert page.locator(".corner.window").inner_text() == "W 255  C 128"  # the range of the record, of 8 bits
    left, top, scale = drawn_rectangle(page)
    y, x = (np.floor(first + (np.arange(side) + 0.5) * scale).astype(int) for side, first in ((40, top), (50, left)))
    assert np.abs(canvas_of(page)[np.ix_(y, x)][..., 0] - pixels / 257).max() <= 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_can_be_given(show, theme):
    page = show(text(), dark=theme == "light", theme=theme)
    ink = page.evaluate("getComputedStyle(document.querySelector('#place > div').shadowRoot.querySelector('h2')).color")
    assert (sum(map(int, ink.removeprefix("rgb(").removesuffix(")").split(", "))) > 3 * 128) == (theme == "dark")


def test_what_was_drawn_can_be_removed(show):
    page = show(text())
    page.evaluate("stop()")
    assert page.locator("#place > *").count() == 0


def test_the_module_can_stand_in_a_page():
    code = viewer_code()
    assert code.isascii()
    assert "</script" not in code.lower()
    assert "<!--" not in code
