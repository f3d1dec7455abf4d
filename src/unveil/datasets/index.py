"""Index files: tables and lists as rows that say where they stand, so that a bad one can be named."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from unveil.datasets.base import DatasetError, Sample, as_value


@dataclass(frozen=True)
class Row:
    """One row of an index: the cells asked for, stripped, or the error that keeps them from being read.

    `number` counts from 1 and includes the header, as a spreadsheet shows it.
    """

    file: Path
    number: int
    cells: tuple[str, ...] = ()
    error: DatasetError | None = None

    def wrong(self, expected: str, got: str, do: str = "mend the row") -> DatasetError:
        """An error that names file and row."""
        return DatasetError(expected, f"{got} in {shown(self.file)}, row {self.number}", do)

    def located(self, error: DatasetError) -> DatasetError:
        """The same error with file and row."""
        return self.wrong(error.expected, error.got, error.do)

    def broken(self, error: DatasetError) -> Sample:
        """The sample of a row that names no image."""
        return Sample(f"{self.file.name}:{self.number}", self.file, error=as_value(error))

    def named(self, name: str) -> str:
        """A path that stays where it is put: relative and without `..`, whatever the system. Raises `DatasetError`.

        Links are followed when the file is read: who lays one below the root means it.
        """
        pure = PureWindowsPath(name)  # It knows both kinds of separators, and drives.
        if not pure.parts or pure.anchor or ".." in pure.parts or not name.isprintable():
            raise self.wrong("the relative path of a file below the dataset's folder", shown(name))
        return name

    def bare(self, name: str) -> str:
        """The name of a file without any folder. Raises `DatasetError`."""
        if len(PureWindowsPath(self.named(name)).parts) != 1:
            raise self.wrong("the bare name of a file", shown(name))
        return name


def shown(value: str | Path, most: int = 300) -> str:
    """A text from a file as one printable line."""
    text = str(value)
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= most else f"{text[:most]}…"


def existing_folder(root: str | Path, what: str) -> Path:
    """The folder. Raises `DatasetError` where there is none."""
    folder = Path(root)
    try:
        if folder.is_dir():
            return folder
        got = f"{shown(folder)}, which is a file" if folder.exists() else f"{shown(folder)}, which does not exist"
    except OSError as error:
        got = f"{shown(folder)}: {error.strerror}"
    raise DatasetError(what, got, "check the path")


def listing(folder: Path) -> list[Path]:
    """What is in a folder, but for hidden files and folders, in no order. Raises `DatasetError`."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: OSError) -> DatasetError:
    """What to say of a folder whose files can't be listed."""
    return DatasetError("a folder that can be read", f"{shown(folder)}: {error.strerror}", "check its permissions")


def read_table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """The rows of a comma-separated table with a header, with the cells of `columns` in this order.

    A byte order mark, any line ends and quoted cells are understood; empty rows are left out. A row with more or
    fewer cells than the header, or with a quote that doesn't end, has an `error`; unnamed columns at the end may be
    there or not if they are empty. Raises `DatasetError` for a file that can't be read, isn't UTF-8, or lacks a column.
    """
    records = list(_records(path))
    if not records:
        raise DatasetError("a table with a header", f"{shown(path)} without any row", "fetch or write the file again")
    _, header = records[0]
    if isinstance(header, DatasetError):
        raise header
    names = [name.strip() for name in _without_empty_end(header)]
    wrong = [name for name in columns if names.count(name) != 1]
    if wrong:
        raise DatasetError(
            f"one column {shown(wrong[0])} in {shown(path)}",
            f"the columns {shown(', '.join(names))}",
            "name the column, or save the table with a header and with commas",
        )
    places = [names.index(name) for name in columns]
    rows = [_row(path, number, cells, len(names), places) for number, cells in records[1:]]
    if not rows:
        raise DatasetError("at least one row", f"{shown(path)} with a header only", "fetch or write the file again")
    return rows


def read_list(path: Path) -> list[Row]:
    """The lines of a text file as rows of one cell; empty lines are left out.

    Raises `DatasetError` for a file that can't be read, isn't UTF-8, or has no line.
    """
    # Not splitlines(): it also breaks at characters that a name may hold.
    lines = [line.strip() for line in io.StringIO(_text(path), newline=None)]
    rows = [Row(path, number, (line,)) for number, line in enumerate(lines, 1) if line]
    if not rows:
        raise DatasetError("a list with at least one line", f"{shown(path)}, which is empty", "fetch the file again")
    return rows


def samples_of(rows: Iterable[Row], make: Callable[[Row], Sample]) -> list[Sample]:
    """One sample a row. A row with an error, one that `make` refuses, or one whose id was there before is a broken
    sample; none is left out, so that counts stay true."""
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for row in rows:
        try:
            if row.error is not None:
                raise row.error
            sample = make(row)
            if sample.id in seen:
                got = f"{shown(sample.id)}, which row {seen[sample.id]} names too,"
                raise row.wrong("every image once", got, "join the rows")
        except DatasetError as error:
            samples.append(row.broken(error))
        else:
            seen[sample.id] = row.number
            samples.append(sample)
    return samples


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"{shown(path)}, which isn't (byte {error.start})"
        raise DatasetError("a text file in UTF-8", got, "save it as UTF-8") from error
    except (OSError, ValueError) as error:
        got = f"{shown(path)}: {getattr(error, 'strerror', None) or error}"
        raise DatasetError("a text file that can be read", got, "check the path") from error


def _records(path: Path) -> Iterable[tuple[int, list[str] | DatasetError]]:
    # `strict`, because a quote that doesn't end would otherwise swallow the rest of the file without a word.
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Row(path, number).wrong("a row of a table", f"one that can't be read ({error})")
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _row(path: Path, number: int, cells: list[str] | DatasetError, named: int, places: list[int]) -> Row:
    if isinstance(cells, DatasetError):
        return Row(path, number, error=cells)
    row = Row(path, number)
    if not len(_without_empty_end(cells)) <= named <= len(cells):
        return Row(path, number, error=row.wrong(f"{named} cells, as the header has", str(len(cells))))
    return Row(path, number, tuple(cells[place].strip() for place in places))


def _without_empty_end(cells: list[str]) -> list[str]:
    filled = [place for place, cell in enumerate(cells, 1) if cell.strip()]
    return cells[: filled[-1]] if filled else []
