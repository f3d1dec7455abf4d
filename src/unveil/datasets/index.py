"""Index files: tables and lists as rows that know their file and number, which errors name."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from unveil.datasets.base import DatasetError, Sample, without_traceback


@dataclass(frozen=True)
class IndexRow:
    """One row of an index.

    Attributes:
        file: The index file.
        number: The number of the row from 1 on, with the header, as in a spreadsheet.
        cells: The requested cells without surrounding spaces.
        error: Why the row can't be read; None if it can.
    """

    file: Path
    number: int
    cells: tuple[str, ...] = ()
    error: DatasetError | None = None

    def error_for(self, expected: str, got: str, do: str = "correct the row") -> DatasetError:
        """Make an error that names file and row."""
        return DatasetError(expected, f"{got} in {printable(self.file)}, row {self.number}", do)

    def locate(self, error: DatasetError) -> DatasetError:
        """Add file and row to an error."""
        return self.error_for(error.expected, error.got, error.do)

    def broken_sample(self, error: DatasetError) -> Sample:
        """Make the sample of a row that names no image."""
        return Sample(f"{self.file.name}:{self.number}", self.file, error=without_traceback(error))

    def checked_path(self, name: str) -> str:
        """Check that a path is relative and has no `..` on any system, and return it. Raises `DatasetError`.

        Links below the root are followed when a file is read.
        """
        pure = PureWindowsPath(name)  # Knows both kinds of separators, and drives.
        if not pure.parts or pure.anchor or ".." in pure.parts or not name.isprintable():
            raise self.error_for("the relative path of a file below the dataset's folder", printable(name))
        return name

    def checked_file_name(self, name: str) -> str:
        """Check that a name has no folder, and return it. Raises `DatasetError`."""
        if len(PureWindowsPath(self.checked_path(name)).parts) != 1:
            raise self.error_for("the bare name of a file", printable(name))
        return name


def printable(value: str | Path, max_chars: int = 300) -> str:
    """Turn a text from a file into one printable line of at most `max_chars` characters.

    >>> printable("two\\nlines")
    "'two\\\\nlines'"
    """
    text = str(value)
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= max_chars else f"{text[:max_chars]}…"


def require_folder(root: str | Path, what: str) -> Path:
    """Return the folder. Raises `DatasetError` if it doesn't exist; `what` names it in the message."""
    folder = Path(root)
    try:
        if folder.is_dir():
            return folder
        got = (
            f"{printable(folder)}, which is a file" if folder.exists() else f"{printable(folder)}, which does not exist"
        )
    except OSError as error:
        got = f"{printable(folder)}: {error.strerror}"
    raise DatasetError(what, got, "check the path")


def list_folder(folder: Path) -> list[Path]:
    """List the entries of a folder without hidden ones, in arbitrary order. Raises `DatasetError`."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise unreadable_folder(folder, error) from error


def unreadable_folder(folder: Path, error: OSError) -> DatasetError:
    """Make the error of a folder that can't be listed."""
    return DatasetError("a folder that can be read", f"{printable(folder)}: {error.strerror}", "check its permissions")


def read_table(path: Path, columns: tuple[str, ...]) -> list[IndexRow]:
    """Read a comma-separated table with a header; the rows have the cells of `columns` in this order.

    A byte order mark, any line ending and quoted cells are supported; empty rows are skipped. A row with more or fewer
    cells than the header or with an unterminated quote has an `error`; empty cells beyond the header are ignored.
    Raises `DatasetError` for a file that can't be read, isn't UTF-8, or lacks a column.
    """
    records = list(_records(path))
    if not records:
        raise DatasetError(
            "a table with a header", f"{printable(path)} without any row", "fetch or write the file again"
        )
    _, header = records[0]
    if isinstance(header, DatasetError):
        raise header
    names = [name.strip() for name in _without_empty_end(header)]
    missing = [name for name in columns if names.count(name) != 1]
    if missing:
        raise DatasetError(
            f"one column {printable(missing[0])} in {printable(path)}",
            f"the columns {printable(', '.join(names))}",
            "name the column, or save the table with a header and with commas",
        )
    places = [names.index(name) for name in columns]
    rows = [_row(path, number, cells, len(names), places) for number, cells in records[1:]]
    if not rows:
        raise DatasetError("at least one row", f"{printable(path)} with a header only", "fetch or write the file again")
    return rows


def read_list(path: Path) -> list[IndexRow]:
    """Read the lines of a text file as rows of one cell; empty lines are skipped.

    Raises `DatasetError` for a file that can't be read, isn't UTF-8, or has no line.
    """
    # Not splitlines(), which also splits at characters that a name may contain.
    lines = [line.strip() for line in io.StringIO(_text(path), newline=None)]
    rows = [IndexRow(path, number, (line,)) for number, line in enumerate(lines, 1) if line]
    if not rows:
        raise DatasetError(
            "a list with at least one line", f"{printable(path)}, which is empty", "fetch the file again"
        )
    return rows


def make_samples(rows: Iterable[IndexRow], make: Callable[[IndexRow], Sample]) -> list[Sample]:
    """Make one sample per row.

    A row with an error, a row that `make` raises `DatasetError` for, and a row with an id that has occurred before
    give a sample with an error. No row is skipped, so the counts are those of the file.
    """
    samples: list[Sample] = []
    row_of: dict[str, int] = {}
    for row in rows:
        try:
            if row.error is not None:
                raise row.error
            sample = make(row)
            if sample.id in row_of:
                got = f"{printable(sample.id)}, which row {row_of[sample.id]} names too,"
                raise row.error_for("every image once", got, "join the rows")
        except DatasetError as error:
            samples.append(row.broken_sample(error))
        else:
            row_of[sample.id] = row.number
            samples.append(sample)
    return samples


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"{printable(path)}, which isn't (byte {error.start})"
        raise DatasetError("a text file in UTF-8", got, "save it as UTF-8") from error
    except (OSError, ValueError) as error:
        got = f"{printable(path)}: {getattr(error, 'strerror', None) or error}"
        raise DatasetError("a text file that can be read", got, "check the path") from error


def _records(path: Path) -> Iterable[tuple[int, list[str] | DatasetError]]:
    # `strict`, because an unterminated quote would otherwise silently swallow the rest of the file.
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, IndexRow(path, number).error_for("a row of a table", f"one that can't be read ({error})")
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _row(path: Path, number: int, cells: list[str] | DatasetError, width: int, places: list[int]) -> IndexRow:
    if isinstance(cells, DatasetError):
        return IndexRow(path, number, error=cells)
    row = IndexRow(path, number)
    if not len(_without_empty_end(cells)) <= width <= len(cells):
        return IndexRow(path, number, error=row.error_for(f"{width} cells, as the header has", str(len(cells))))
    return IndexRow(path, number, tuple(cells[place].strip() for place in places))


def _without_empty_end(cells: list[str]) -> list[str]:
    filled = [place for place, cell in enumerate(cells, 1) if cell.strip()]
    return cells[: filled[-1]] if filled else []
