"""Rows as CSV text, for spreadsheets and statistics programs."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from unveil.export.rows import COLUMNS, Value
from unveil.texts import spreadsheet_text


def write_rows(rows: Iterable[Mapping[str, Value]], file: Any, columns: Collection[str] = COLUMNS) -> int:
    """Write `rows` as CSV with a header to an open text `file`, and return how many there were.

    `columns` are the keys that are written, those of `run_rows` if none are given.

    Numbers are written so that they read back to the same bits. Texts that a spreadsheet would take for a formula get
    an apostrophe in front, and control characters are escaped; numbers are left as they are. Each row is written when
    it is there, so any number of runs fits into memory.

    >>> import io
    >>> file = io.StringIO()
    >>> write_rows([{"image": "=1+1", "drop": -0.5}], file), file.getvalue().splitlines()[1].strip(",")
    (1, "'=1+1,,,,,,,,,,,,,-0.5")
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(list(_cells(row, columns)))
        count += 1
    return count


def _cells(row: Mapping[str, Value], columns: Collection[str]) -> Iterator[str]:
    for name in columns:
        value = row.get(name)
        if value is None:
            yield ""
        else:
            yield spreadsheet_text(value) if isinstance(value, str) else repr(value)
