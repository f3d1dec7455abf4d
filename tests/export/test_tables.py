"""CSV: what was written reads back, and nothing from outside becomes a formula."""

import csv
import io

import pytest

from tiny_runs import run
from unveil.export import COLUMNS, run_rows, write_rows


def read(rows):
    """The table as Python's csv module reads it back."""
    file = io.StringIO(newline="")
    assert write_rows(rows, file) == len(rows)
    return list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))


def test_numbers_read_back_to_the_same_bits():
    rows = run_rows(run(spacing=True))
    again = read(rows)
    for row, cells in zip(rows, again, strict=True):
        for name, kind in COLUMNS.items():
            if kind is not str:
                assert (cells[name] and kind(cells[name])) == ("" if row[name] is None else row[name])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_texts_that_look_like_formulas_are_texts(text):
    (cells,) = read([{"image": text, "target": text, "reason": text}])
    for name in ("image", "target", "reason"):
        assert cells[name].startswith("'")
        assert cells[name].removeprefix("'").endswith(text.lstrip("\t\r"))


def test_numbers_below_zero_stay_numbers():
    (cells,) = read([{"drop": -1.5, "image": "husky - wolf"}])
    assert (cells["drop"], cells["image"]) == ("-1.5", "husky - wolf")


def test_names_can_not_forge_rows_or_move_the_cursor():
    name = 'a\n"b",\x1b[2J\u2028\udcff'
    (cells,) = read([{"image": name}])
    assert cells["image"] == 'a\\n"b",\\x1b[2J\\u2028\\udcff'
