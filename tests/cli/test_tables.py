"""Tables in narrow terminals: whole words, no cut cells, and the columns that are left out are named."""

import io
import re

import pytest
from rich.console import Console

from unveil.cli.tables import TableColumn, fit_table

COLUMNS = (
    TableColumn("round", ("1", "2")),
    TableColumn("target", ("black-footed ferret", "crane (class 134)"), is_text=True),
    TableColumn("fill agreement", ("96%", "100%"), order=1),
    TableColumn("probability", ("100.0% → 99.9%", "99.9% → 0.0%"), order=2),
    TableColumn("revealed", ("0.00", "1.00"), order=3),
    TableColumn("verdict", ("[green]supported[/]", "[red]artifact[/]")),
)


def printed(columns, width, **settings) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(fit_table(columns, width, **settings))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", range(40, 121))
def test_no_line_is_too_long_and_no_word_is_cut(width):
    lines = printed(COLUMNS, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    *body, note = [*lines, ""] if "left out" not in text else [text.split("left out")[0], text.split("left out")[1]]
    left_out = {column.name for column in COLUMNS if column.name in " ".join(note.split())}
    shown = " ".join(body)
    for column in COLUMNS:
        words = [column.name, *column.cells] if column.name not in left_out else []
        for word in " ".join(words).replace("[green]", "").replace("[red]", "").replace("[/]", "").split():
            assert word in shown.split(), (word, lines)


def test_the_least_important_column_goes_first():
    gone = []
    for width in range(120, 30, -1):
        text = " ".join(" ".join(printed(COLUMNS, width)).split())
        note = re.search(r"left out at (\d+) columns: (.*)", text)
        names = note[2].split(", ") if note else []
        assert note is None or int(note[1]) == width
        gone += [name for name in names if name not in gone]
        assert set(names) == set(gone), "a column that is gone doesn't come back in a narrower terminal"
    assert gone == ["revealed", "probability", "fill agreement"]


def test_a_wide_terminal_has_everything_in_one_line_each():
    lines = [line.split() for line in printed(COLUMNS, 120)]
    assert lines[0] == ["round", "target", "fill", "agreement", "probability", "revealed", "verdict"]
    assert lines[1] == ["1", "black-footed", "ferret", "96%", "100.0%", "→", "99.9%", "0.00", "supported"]
    assert len(lines) == 3


def test_columns_that_are_always_shown_break_their_lines_where_nothing_else_helps():
    text = "".join("".join(printed(COLUMNS, 20)).split())
    assert "…" not in text
    assert "probability" not in text.split("leftout")[0]


def test_wide_characters_count_twice():
    columns = (TableColumn("target", ("肺炎" * 5,), is_text=True), TableColumn("n", ("1",)))
    assert [line.split() for line in printed(columns, 23)] == [["target", "n"], ["肺炎" * 5, "1"]]
    assert len(printed(columns, 20)) == 3


def test_a_table_without_rows_has_its_headers():
    assert printed((TableColumn("round", ()), TableColumn("drop", ())), 40)[0].split() == ["round", "drop"]
