"""The page of an archive: it says what was found, runs nothing, and shows texts from outside as texts."""

import base64
import re
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from archive_columns import archive, pairs, random_regions, regions_of, square
from unveil.batch.summary import ArchiveSummary, save_summary, summarize_columns
from unveil.batch.summary.columns import RegionColumns
from unveil.errors import RecordError

ATTACKS = (
    "</style><script>globalThis.hacked = 1</script>",
    "<img src=x onerror='globalThis.hacked = 2'>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;\"'`",
    "\x1b[2J\u202e\u2028<svg onload=globalThis.hacked=3>",
    '" autofocus onfocus="globalThis.hacked = 4',
)


def marked_summary(labels: tuple[str, ...] = ("cat", "dog", "effusion"), marks: int = 80) -> ArchiveSummary:
    """An archive of 100 images in which the third label has a marker in the upper right corner of some."""
    marked = regions_of(*({"image": image, "label": 2, "cells": square(1, 25)} for image in range(marks)))
    others = random_regions(100, 3, np.random.default_rng(0), side=4)
    names = RegionColumns.__dataclass_fields__
    regions = RegionColumns(
        **{name: np.concatenate([getattr(one, name) for one in (others, marked)]) for name in names}
    )
    columns = archive(
        labels, 104, regions, predicted=pairs(*((image, image % 3) for image in range(100))), later=pairs((3, 1))
    )
    columns.images.error_kinds[100:103] = "ImageError"
    return summarize_columns(replace(columns, waiting=7))


def page_text(summary: ArchiveSummary, folder: Path) -> str:
    return save_summary(summary, folder / "page.html", title="chest").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_page_names_the_shortcut_its_place_and_what_it_is_compared_with(tmp_path):
    summary = marked_summary()
    words = words_of(page_text(summary, tmp_path))
    (place,) = summary.shortcuts
    assert "Upper right corner: effusion" in words
    assert f"Regions of effusion lie here in {place.count} % of 100 images" in words
    assert f"those of other labels in {100 * (place.others_share or 0):.0f} %" in words
    assert "3 images failed: ImageError (3)." in words
    assert "7 images of the archive aren't done yet" in words


def test_without_a_marker_the_page_says_what_was_tested(tmp_path):
    words = words_of(page_text(marked_summary(marks=0), tmp_path))
    assert "No label has a place of its own. 3 labels were tested" in words
    few = summarize_columns(archive(("cat",), 1, regions_of({})))
    assert "Too few images to say more" in words_of(page_text(few, tmp_path))


def test_an_empty_archive_has_a_page(tmp_path):
    words = words_of(page_text(summarize_columns(archive((), 0, regions_of())), tmp_path))
    assert "No label was predicted." in words


def test_the_map_of_a_label_is_brightest_where_its_regions_are(tmp_path):
    """The picture of the marked label, decoded: its brightest place is that of the marker."""
    page = page_text(marked_summary(), tmp_path)
    found = re.search(r'<svg class="map"[^>]*effusion"><image href="data:image/png;base64,([^"]+)"', page)
    assert found is not None
    light = np.asarray(Pillow.open(BytesIO(base64.b64decode(found[1])))).sum(axis=-1)
    y, x = np.unravel_index(light.argmax(), light.shape)
    assert 1 <= y < 5
    assert 25 <= x < 29


@pytest.mark.parametrize("attack", ATTACKS)
def test_texts_from_outside_are_texts(tmp_path, attack):
    summary = marked_summary((attack, f"b{attack}", f"c{attack}"))
    summary = replace(
        summary,
        failed={attack: 1},
        suspicious=tuple(replace(one, sample=attack) for one in summary.suspicious),
        places=tuple(replace(one, examples=(attack,), example_items=(0,)) for one in summary.places),
        groups=tuple(replace(one, examples=(attack,)) for one in summary.groups),
    )
    page = save_summary(summary, tmp_path / "page.html", title=attack).read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("<style") == page.count("</style") == 1
    assert "<img src=x" not in page
    assert "<svg onload" not in page
    assert 'onfocus="' not in page
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL)[0]


def test_the_page_allows_nothing_but_its_style_and_pictures(tmp_path):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page_text(marked_summary(), tmp_path))
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in unescape(policy[1]).split(";"))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy[1]


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(RecordError, match="html"):
        save_summary(marked_summary(), tmp_path / "page.txt")


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_into_a_narrow_window_and_runs_nothing(tmp_path, browser, dark):
    summary = marked_summary(tuple(f"{letter}{ATTACKS[0]}" for letter in "abc"))
    path = save_summary(summary, tmp_path / "page.html", title=ATTACKS[1])
    context = browser.new_context(
        viewport={"width": 360, "height": 700}, color_scheme="dark" if dark else "light", offline=True
    )
    try:
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("globalThis.hacked") is None
        # Pictures are there, and are as wide as the style says.
        assert page.evaluate("document.querySelector('.labels .map').getBoundingClientRect().width") == 72
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(20, 23, 28)") == dark
        assert problems == []
    finally:
        context.close()
