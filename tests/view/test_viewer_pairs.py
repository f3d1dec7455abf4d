"""Two runs side by side in a browser: one view of both images, and what is the same in both."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import cubes
from tiny_runs import image, run
from unveil.images.preview import make_preview
from unveil.masks import Mask, iou
from unveil.records import Region
from unveil.rounds import find_regions
from unveil.view import make_view
from view_pages import canvas_of, press, serious_problems, settle

pytestmark = pytest.mark.browser
FIRST, SECOND = "guided, joint, top 2", "plain, separate tracks"


@cache
def text(name: str) -> str:
    return make_view(run(name), preview=make_preview(image())).to_json()


@cache
def with_two_regions(*changed: int) -> str:
    """The first run with two regions far from each other; those that are named are moved by a quarter of their width."""
    first = run(FIRST).rounds[0]
    geometry = run(FIRST).source.geometry
    regions = []
    for place in range(2):
        inside = np.zeros((32, 32), bool)
        inside[4:12, 2 + 16 * place + 2 * (place in changed) :][:, :8] = True
        masks = {"mask": Mask.from_array(geometry.region_to_source(inside)), "model_mask": Mask.from_array(inside)}
        regions.append(replace(first.regions[0], **masks))
    shown = replace(run(FIRST), rounds=(replace(first, regions=tuple(regions)),), trust=None)
    return make_view(shown, preview=make_preview(image())).to_json()


def test_zoom_and_place_are_shared(show):
    page = show(text(FIRST), text(SECOND))
    assert page.locator(".stage canvas").count() == 2
    page.keyboard.down("h")
    press(page, "h", "+", "+", place=1)
    page.locator(".stage canvas").first.focus()
    page.keyboard.down("h")
    settle(page)
    assert np.array_equal(canvas_of(page, 0), canvas_of(page, 1))  # the same image in the same place, without overlays
    page.keyboard.up("h")
    shown = page.locator(".corner.scale").all_inner_texts()
    assert shown[0] == shown[1]


def test_window_and_inversion_are_shared(show):
    page = show(text(FIRST), text(SECOND))
    box = page.locator(".stage canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 180, box["y"] + 130, steps=3)
    page.mouse.up(button="right")
    press(page, "i")
    shown = page.locator(".corner.window").all_inner_texts()
    assert shown[0] == shown[1]
    assert shown[0].endswith("inverted")


def test_rounds_are_shared_by_number(show):
    page = show(text(FIRST), text(SECOND))
    counts = [len(run(FIRST).rounds), 2]  # of the second, those of its first track
    slider = page.get_by_role("slider", name="Round")
    assert slider.count() == 1
    assert int(slider.get_attribute("max")) == max(counts)
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", place=1)
    names = [page.locator(".stage canvas").nth(place).get_attribute("aria-label") for place in (0, 1)]
    for name, count in zip(names, counts, strict=True):
        assert f"round {min(3, max(counts), count)} of {count}" in name


def test_the_table_pairs_regions_by_their_places(show):
    page = show(with_two_regions(), with_two_regions(1))
    rows = page.locator("tr[data-first]")
    assert rows.count() == 2
    masks: list[Region] = [*run(FIRST).rounds[0].regions]
    assert masks
    inside = np.zeros((2, 32, 32), bool)
    inside[0, 4:12, 18:26] = inside[1, 4:12, 20:28] = True
    to_source = run(FIRST).source.geometry.region_to_source
    overlap = iou(to_source(inside[0]), to_source(inside[1]))
    cells = [[one.strip() for one in rows.nth(place).locator("td").all_inner_texts()] for place in (0, 1)]
    assert [cell[:2] for cell in cells] == [["1", "1"], ["2", "2"]]
    assert cells[0][-1].replace("\u202f", "") == "100%"
    assert cells[1][-1].replace("\u202f", "") == f"{overlap:.0%}"
    assert "2 regions in both runs, 0 only in A, 0 only in B" in page.locator(".title").inner_text()


def test_pointing_at_a_region_marks_its_partner(show):
    page = show(with_two_regions(), with_two_regions())
    before = canvas_of(page, 1)
    page.locator("tr[data-first='r1.2'] .badge").first.focus()
    settle(page)
    assert "active" in page.locator("tr[data-first='r1.2']").get_attribute("class")
    assert not np.array_equal(canvas_of(page, 1), before)
    assert np.array_equal(canvas_of(page, 1), canvas_of(page, 0))  # the same run twice: both are marked alike


def test_regions_are_chosen_in_the_run_that_has_the_focus(show):
    page = show(text(FIRST), text(SECOND))
    press(page, "ArrowDown", place=1)
    assert page.locator("button.badge[data-side='1'][aria-pressed=true]").count() == 1
    assert page.locator("button.badge[data-side='0'][aria-pressed=true]").count() == 0
    press(page, "ArrowDown", place=0)
    assert page.locator("button.badge[data-side='1'][aria-pressed=true]").count() == 0
    assert page.locator("button.badge[data-side='0'][aria-pressed=true]").count() == 1


def test_contours_of_the_other_run_by_a_key(show):
    page = show(with_two_regions(), with_two_regions(0, 1))
    before = canvas_of(page)
    press(page, "c")
    button = page.get_by_role("button", name="Other run's contours")
    assert button.get_attribute("aria-pressed") == "true"
    changed = np.any(canvas_of(page) != before, axis=2)
    assert changed.any()
    # The other run's regions are moved to the right, by 2 of the 32 px that the model sees: nothing changes left of them.
    columns = np.flatnonzero(changed.any(axis=0))
    scale = min(before.shape[1] / 50, before.shape[0] / 40)
    left = (before.shape[1] - 50 * scale) / 2
    geometry = run(FIRST).source.geometry
    assert columns[0] >= left + (geometry.offset[1] + geometry.scale[1] * 4) * scale - 4
    press(page, "c")
    assert np.array_equal(canvas_of(page), before)


def test_only_differences(show):
    page = show(with_two_regions(), text(SECOND))
    button = page.get_by_role("button", name="Only differences")
    count, total = (int(part) for part in button.inner_text().split("(")[1].rstrip(")").split(" of "))
    assert page.locator("tr[data-first]").count() == total
    button.click()
    assert page.locator("tr[data-first]").count() == count


def test_settings_that_differ_are_listed(show):
    page = show(text(FIRST), text(SECOND))
    names = page.get_by_role("table").last.locator("tbody th").all_inner_texts()
    assert "stop.rounds" in names or "stop" in names
    assert "joint" in names
    assert "seed" not in names
    page = show(text(FIRST), text(FIRST))
    assert page.get_by_text("The runs have the same image, classifier and settings.").is_visible()


def test_runs_of_different_images_are_said_to_be(show):
    other = run(FIRST)
    other = replace(other, source=replace(other.source, sha256="0" * 64))
    page = show(text(FIRST), make_view(other).to_json())
    assert page.get_by_role("note").inner_text().startswith("These are runs of different images")


def test_labels_have_one_color(show):
    page = show(text(FIRST), text(SECOND))
    colors: dict[str, set[str]] = {}
    for side in (0, 1):
        labels = page.locator(f".charts > [data-side='{side}'] g.label")
        for place in range(labels.count()):
            name = labels.nth(place).locator(".name").text_content()
            kinds = [
                one for one in labels.nth(place).get_attribute("class").split() if one[0] == "c" and one[1:].isdigit()
            ]
            colors.setdefault(name, set()).update(kinds)
    assert all(len(kinds) == 1 for kinds in colors.values())
    assert len(colors) > 1


def test_volumes_share_their_point(show, tmp_path):
    path = cubes.nifti(tmp_path / "scan.nii.gz", cubes.volume(), (2.0, 1.0, 1.0))
    view = make_view(find_regions(path, cubes.classifier(), cubes.RECIPE)).to_json()
    page = show(view, view)
    before = canvas_of(page, 1)
    press(page, "PageDown", "p", "PageDown", place=0)
    assert not np.array_equal(canvas_of(page, 1), before)
    assert np.array_equal(canvas_of(page, 1), canvas_of(page, 0))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("keys", [(), ("c", "s", "1", "ArrowDown"), ("d", "?")])
def test_two_runs_are_accessible(show, dark, keys):
    page = show(text(FIRST), text(SECOND), dark=dark)
    press(page, *keys)
    assert serious_problems(page) == []
