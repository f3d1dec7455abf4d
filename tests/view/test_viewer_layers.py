"""Layers, rounds and margins in a browser: what erasing changed, small pictures of rounds, and what the model never saw."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tiny_runs import image, run
from unveil.images.preview import make_preview
from unveil.masks import Mask
from unveil.view import make_view
from view_pages import canvas_of, press, settle

pytestmark = pytest.mark.browser
RUN = run(spacing=False)


@cache
def text() -> str:
    return make_view(RUN, preview=make_preview(image())).to_json()


def on_grid(page, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The pixels of the canvas at the middle of pixels of the model's grid: n RGB."""
    shown = canvas_of(page)
    height, width = shown.shape[:2]
    scale = min(width / 50, height / 40)
    left, top = (width - 50 * scale) / 2, (height - 40 * scale) / 2
    geometry = RUN.source.geometry
    down, across = (geometry.offset[axis] + geometry.scale[axis] * (at + 0.5) for axis, at in enumerate((y, x)))
    return shown[(top + down * scale).astype(int), (left + across * scale).astype(int), :3]


def without_regions() -> str:
    """The run without regions, so that nothing but layers is drawn over the image."""
    rounds = tuple(replace(one, regions=()) for one in RUN.rounds)
    return make_view(replace(RUN, rounds=rounds, trust=None), preview=make_preview(image())).to_json()


def test_the_difference_is_what_was_erased(show):
    page = show(without_regions())
    press(page, "d", "2")
    page.get_by_role("slider", name="Opacity").fill("1")
    settle(page)
    first, second = (one.image.astype(float).mean(axis=0) for one in RUN.rounds[:2])
    change = first - second
    y, x = (axis.ravel() for axis in np.mgrid[:32, :32])
    red, _, blue = on_grid(page, y, x).T
    change = change.ravel()
    assert (change > 2).sum() > 10
    assert (change < -2).sum() > 10
    assert (red > blue)[change > 2].all()  # brighter before: orange
    assert (red < blue)[change < -2].all()
    kept = on_grid(page, y, x)[np.abs(change) < 1]
    press(page, "o")
    assert np.array_equal(on_grid(page, y, x)[np.abs(change) < 1], kept)  # nothing is drawn where nothing was erased


def test_the_limit_of_the_difference_stays_from_round_to_round(show):
    page = show(text())
    press(page, "d")
    bar = page.locator(".corner.bar")
    last = RUN.final_images[None] if None in RUN.final_images else next(iter(RUN.final_images.values()))
    largest = np.abs(RUN.rounds[0].image.astype(float).mean(axis=0) - last.astype(float).mean(axis=0)).max()
    limits = [bar.inner_text()]
    assert float(limits[0].split("\n")[0]) == pytest.approx(largest, rel=0.01)
    press(page, "2")
    limits.append(bar.inner_text())
    assert len(set(limits)) == 1
    press(page, "1")
    assert page.locator(".corner.top").inner_text() == "Nothing was erased before round 1"


def test_the_strip_jumps_to_a_round_and_back(show):
    page = show(text())
    buttons = page.locator(".strip button")
    assert buttons.count() == len(RUN.rounds)
    count = len(RUN.rounds[1].regions)
    name = f"Round 2: {count} region{'s' * (count != 1)}"
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("slider", name="Round").input_value() == "2"
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    press(page, "ArrowLeft")
    assert buttons.nth(0).get_attribute("aria-pressed") == "true"
    buttons.nth(0).click()
    assert page.get_by_role("slider", name="Round").input_value() == "0"


def test_the_strip_shows_what_the_model_saw(show):
    page = show(without_regions())
    pixels = page.evaluate(
        """() => [...document.querySelector("#place > div").shadowRoot.querySelectorAll(".strip canvas")].map((one) =>
        [one.width, one.height, [...one.getContext("2d").getImageData(0, 0, one.width, one.height).data]])"""
    )
    for (width, height, values), round_ in zip(pixels, RUN.rounds, strict=True):
        shown = np.reshape(values, (height, width, 4))[..., :3].mean(axis=(0, 1))
        assert shown == pytest.approx(round_.image.mean(axis=(1, 2)), abs=4)


@pytest.mark.parametrize("preview", [False, True])
def test_margins_that_the_model_never_saw_are_hatched(show, preview):
    """The model sees the middle of the image: 32 of 36 px, resized from 40 x 50."""
    rounds = tuple(replace(one, regions=()) for one in RUN.rounds)
    shown = replace(RUN, rounds=rounds, trust=None)
    page = show(make_view(shown, preview=make_preview(image()) if preview else None).to_json())
    with_overlays = canvas_of(page)
    page.locator(".stage canvas").first.focus()
    page.keyboard.down("h")
    settle(page)
    changed = np.any(with_overlays != canvas_of(page), axis=2)
    page.keyboard.up("h")
    height, width = changed.shape
    scale = min(width / 50, height / 40)
    left, top = (width - 50 * scale) / 2, (height - 40 * scale) / 2
    geometry = RUN.source.geometry
    y, x = np.mgrid[:height, :width] + 0.5
    places = [
        ((at - start) / scale - geometry.offset[axis]) / geometry.scale[axis]
        for axis, (at, start) in enumerate(((y, top), (x, left)))
    ]
    inside = np.all([(place > 0.2) & (place < 31.8) for place in places], axis=0)
    outside = np.any([(place < -0.2) | (place > 32.2) for place in places], axis=0)
    outside &= (x > left + 2) & (x < left + 50 * scale - 2) & (y > top + 2) & (y < top + 40 * scale - 2)
    assert not changed[inside].any()
    assert changed[outside].mean() > 0.9 if preview else changed[outside].mean() > 0.2


def many_regions(count: int) -> str:
    """A run with that many small regions in a grid."""
    first = RUN.rounds[0]
    regions = []
    for place in range(count):
        inside = np.zeros((32, 32), bool)
        inside[3 * (place // 10) : 3 * (place // 10) + 2, 3 * (place % 10) : 3 * (place % 10) + 2] = True
        source = RUN.source.geometry.region_to_source(inside)
        regions.append(replace(first.regions[0], mask=Mask.from_array(source), model_mask=Mask.from_array(inside)))
    shown = replace(RUN, rounds=(replace(first, regions=tuple(regions)),), trust=None)
    return make_view(shown, preview=make_preview(image())).to_json()


def test_many_contours_are_all_drawn_in_the_end(show):
    """Many contours are drawn a few per frame, and move with the image until then."""
    document = json.loads(many_regions(100))
    page = show(json.dumps(document))
    whole = canvas_of(page)
    press(page, "+", "+", "+", "-", "-", "-")
    assert np.array_equal(canvas_of(page), whole)
    page.keyboard.down("h")
    settle(page)
    bare = canvas_of(page)
    page.keyboard.up("h")
    settle(page)
    assert np.array_equal(canvas_of(page), whole)
    height, width = whole.shape[:2]
    scale = min(width / 50, height / 40)
    left, top = (width - 50 * scale) / 2, (height - 40 * scale) / 2
    for region in document["regions"]:
        (y0, x0), (y1, x1) = region["box"]["start"], region["box"]["stop"]
        part = (
            slice(int(top + y0 * scale), int(top + y1 * scale)),
            slice(int(left + x0 * scale), int(left + x1 * scale)),
        )
        assert (whole[part] != bare[part]).any()


def test_scale_bars_stand_only_where_sizes_are_known(show):
    assert "mm" not in show(text()).locator(".corner.scale").inner_text()
    known = make_view(run(spacing=True), preview=make_preview(image())).to_json()
    assert "mm" in show(known).locator(".corner.scale").inner_text()
