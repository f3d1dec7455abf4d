"""`unveil summarize`: what it prints, writes and refuses."""

import csv
import json

import numpy as np
import pytest

from archive_columns import archive, random_regions, regions_of, square
from batch_sets import do_all, finished, quick_archive
from unveil import batch
from unveil.batch import summary as room
from unveil.batch.summary.columns import RegionColumns

LABELS = ("cat\x1b[2J", "[red]dog[/red]", "=effusion")


@pytest.fixture
def with_marker(monkeypatch):
    """Whatever the folder, an archive of 100 images; the third label has a marker."""
    marks = regions_of(*({"image": image, "label": 2, "cells": square(1, 25)} for image in range(90)))
    others = random_regions(100, 3, np.random.default_rng(0), side=4)
    names = RegionColumns.__dataclass_fields__
    regions = RegionColumns(**{name: np.concatenate([getattr(one, name) for one in (others, marks)]) for name in names})
    summary = room.summarize_columns(archive(LABELS, 100, regions))
    monkeypatch.setattr(batch, "read_archive", lambda folder: None)
    monkeypatch.setattr(room, "summarize_archive", lambda archive, *, anonymous=False: summary)
    monkeypatch.setattr(room, "example_pictures", lambda archive, places: {})
    return summary


def test_a_possible_shortcut_is_printed_first(shell, with_marker, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = shell("summarize", "archive")
    assert code == 0
    lines = [line for line in out.splitlines() if line]
    (place,) = with_marker.shortcuts
    share = f"{100 * place.share:.0f} %"
    assert lines[1].startswith(f"possible shortcut upper right corner: regions of =effusion lie here in {share} of 100")
    assert "[red]dog[/red]" in out
    assert "\x1b[2J" not in out
    assert "\\x1b[2J" in out


def test_json_and_the_table_hold_the_numbers(shell, with_marker):
    path = shell.folder / "labels.csv"
    code, out, err = shell("summarize", "archive", "--json", "--table", path)
    assert code == 0
    values = json.loads(out)
    assert [place["where"] for place in values["places"]] == ["upper right corner"]
    assert "3 labels" in err
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"cat\\x1b[2J", "[red]dog[/red]", "'=effusion"}
    for one in with_marker.labels:
        row = next(row for name, row in rows.items() if name.endswith(one.label[-5:]) or one.label[:3] == name[:3])
        assert int(row["regions"]) == one.regions
        assert float(row["mean_drop"]) == one.mean_drop
    assert float(rows["'=effusion"]["place_share"]) == with_marker.places[0].share
    assert rows["[red]dog[/red]"]["place"] == ""


def test_the_page_has_the_name_of_the_folder_or_a_title(shell, with_marker):
    page = shell.folder / "page.html"
    for words, title in (((), "chest"), (("--title", "One & all"), "One &amp; all")):
        code, _, err = shell("summarize", shell.folder / "chest", "--out", page, *words)
        assert code == 0
        assert "page.html" in err
        assert f"<h1>{title}</h1>" in page.read_text(encoding="utf-8")


def test_a_real_archive_is_summarized_before_and_after_its_end(shell):
    made = quick_archive(shell.folder, 6, {2: "damaged"})
    do_all(made, made.missing()[:1])
    code, out, _ = shell("summarize", made.folder)
    assert code == 0
    assert "3 images done; 1 failed (ImageError 1); 2 not done yet" in out
    finished(made)
    code, out, _ = shell("summarize", made.folder)
    assert out.startswith("5 images done; 1 failed (ImageError 1); ")
    assert "no possible shortcut" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nowhere",), "archive"),
        (("archive", "--title", "x"), "--out"),
        (("archive", "--out", "page.txt"), ".html"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shell, words, expected):
    code, out, err = shell("summarize", *words)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert expected in err
