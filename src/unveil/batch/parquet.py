"""Tables as Parquet files: the only module that imports pyarrow.

Files are written through Python's own file objects, so that a full or failing disk is an ordinary error.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any

from unveil.batch.columns import ITEM_COLUMNS, TABLE_COLUMNS
from unveil.errors import BatchError, MissingLibraryError

if TYPE_CHECKING:
    from pyarrow import Schema, Table

Row = dict[str, Any]
MIN_THREADED_BYTES = 1 << 22


@cache
def _arrow() -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 (optional)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("pyarrow", "batch", "archives of many images") from error
    return pa


@cache
def schema_of(name: str) -> Schema:
    """The schema of the table `name`: `items`, `images`, `rounds`, `regions` or `labels`; every column is nullable."""
    pa = _arrow()
    kinds = {
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
        "binary": pa.binary(),
    }
    lists = {f"list<{kind}>": pa.list_(one) for kind, one in kinds.items()}
    columns = ITEM_COLUMNS if name == "items" else TABLE_COLUMNS[name]
    return pa.schema([pa.field(column, (kinds | lists)[kind]) for column, kind in columns.items()])


def make_table(name: str, rows: Iterable[Row]) -> Table:
    """Rows as a table with all columns of its schema; what a row lacks is null.

    Texts with bytes that no text has (file names may) get escapes in their place.
    """
    pa, given = _arrow(), list(rows)
    try:
        return pa.Table.from_pylist(given, schema=schema_of(name))
    except UnicodeEncodeError:
        cleaned = [{key: _clean(value) for key, value in row.items()} for row in given]
        return pa.Table.from_pylist(cleaned, schema=schema_of(name))


def to_parquet(name: str, rows: Iterable[Row]) -> bytes:
    """The content of the Parquet file of some rows."""
    buffer = io.BytesIO()
    with TableFile(name, buffer) as file:
        file.write(make_table(name, rows))
    return buffer.getvalue()


class TableFile:
    """A Parquet file that is written group by group, through an open Python file."""

    def __init__(self, name: str, file: BufferedIOBase) -> None:
        """Begin the file of the table `name`; it has its schema even if nothing is written."""
        self._writer = _arrow().parquet.ParquetWriter(
            file, schema_of(name), compression="zstd", use_dictionary=True, store_schema=True
        )

    def write(self, table: Table) -> None:
        """Append the rows of a table as one group."""
        if table.num_rows:
            self._writer.write_table(table.combine_chunks(), row_group_size=table.num_rows)

    def __enter__(self) -> TableFile:
        return self

    def __exit__(self, *raised: object) -> None:
        self._writer.close()


def from_parquet(name: str, content: bytes | BufferedIOBase, columns: Sequence[str] | None = None) -> Table:
    """Read a table, or some of its columns, from the content of a file or an open file.

    Raises `BatchError` for anything but a Parquet file with the schema of the table, and for columns that it hasn't.
    """
    pa, schema = _arrow(), schema_of(name)
    if columns is not None and (unknown := [column for column in columns if column not in schema.names]):
        raise BatchError(f"columns of the table {name}", ", ".join(unknown), f"choose from {', '.join(schema.names)}")
    try:
        source = pa.BufferReader(content) if isinstance(content, bytes) else content
        # Handing a few rows to other threads takes longer than reading them.
        is_large = not isinstance(content, bytes) or len(content) > MIN_THREADED_BYTES
        file = pa.parquet.ParquetFile(source)
        sound = file.schema_arrow.remove_metadata().equals(schema)
        table = file.read(None if columns is None else list(columns), use_threads=is_large) if sound else None
    # Whatever a damaged file makes its readers raise.
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
        raise BatchError(
            f"a table {name} in Parquet", f"{type(error).__name__}: {error}".splitlines()[0][:160], _DO
        ) from error
    if table is None:
        raise BatchError(f"a table {name} with its columns", "other columns", _DO)
    return table


_DO = "make the same call again, which makes it anew"


def join_tables(name: str, tables: Sequence[Table], columns: Sequence[str] | None = None) -> Table:
    """One table of several; an empty one of the same columns for none."""
    pa, schema = _arrow(), schema_of(name)
    if not tables:
        chosen = schema if columns is None else pa.schema([schema.field(column) for column in columns])
        return chosen.empty_table()
    return pa.concat_tables(tables)


def rows_where(table: Table, keep: Any) -> Table:
    """The rows of a table where a list or an array of booleans is true."""
    return table.filter(_arrow().array(keep, type=_arrow().bool_()))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value


def readable(text: str) -> str:
    """A text in which bytes that aren't text, as file names may have them, are escapes.

    >>> print(readable("scan\\udcff.png"))
    scan\\udcff.png
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
