"""The tables of a whole archive: read from its shards, and written as one file each when all of them are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unveil.atomic import write_durably
from unveil.batch.columns import TABLES
from unveil.batch.parquet import TableFile, from_parquet, join_tables, rows_where
from unveil.batch.rows import DONE
from unveil.batch.shards import TMP, DamagedShardError, check_shard, read_shard, set_aside
from unveil.errors import BatchError

if TYPE_CHECKING:
    from pyarrow import Table  # noqa: TID251 (a type only)

    from unveil.batch.archive import Archive

SEALS, FORMAT, VERSION = "tables.json", "unveil tables", 1
GROUP = 1024  # items of a row group, whatever the shards were, so that equal rows are equal bytes


def read_rows(archive: Archive, name: str, columns: Sequence[str] | None = None) -> Table:
    """A table of an archive; see `Archive.tables`."""
    if name not in TABLES:
        raise BatchError(f"a table {', '.join(TABLES)}", repr(name)[:60], "choose one of them")
    seal = _current(archive)
    if seal is not None:
        path = archive.folder / f"{name}.parquet"
        _check_hash(path, path.stat().st_mtime_ns, seal[name]["sha256"])
        with path.open("rb") as file:
            return from_parquet(name, file, columns)
    wanted = columns if columns is None or "index" in columns else ["index", *columns]
    table = join_tables(name, list(_shard_tables(archive, name, wanted)), wanted)
    return table if columns is None else table.select(list(columns))


def is_current(archive: Archive) -> bool:
    """Whether the tables of the whole archive are those of all shards that are there."""
    return _current(archive) is not None


def verify(archive: Archive) -> list[str]:
    """Check all shards and all tables; see `Archive.verify`."""
    damaged, there = [], archive.parts()
    _remove_superfluous(archive, there)
    for name, parts in there.items():
        for part in parts or ():
            try:
                check_shard(archive.folder, part, archive.plan.id, archive.items_of(part))
            except DamagedShardError:
                set_aside(archive.folder, part)
                damaged.append(name)
    seal = _current(archive)
    if seal is not None:
        for name in TABLES:
            if _digest(archive.folder / f"{name}.parquet") != seal[name]["sha256"]:
                (archive.folder / SEALS).unlink(missing_ok=True)
    return list(dict.fromkeys(damaged))


def compact(archive: Archive) -> list[str]:
    """Write all tables; see `Archive.compact`."""
    if is_current(archive):
        return []
    damaged = verify(archive)
    if damaged:
        return damaged
    state, tables = _state(archive), {}
    for name in TABLES:
        path = archive.folder / f"{name}.parquet"
        counts: list[int] = []
        write_durably(
            path,
            archive.folder / TMP,
            lambda file, name=name, counts=counts: counts.append(_write(archive, name, file)),
        )
        tables[name] = {"rows": counts[0], "bytes": path.stat().st_size, "sha256": _digest(path)}
    values = {"format": FORMAT, "version": VERSION, "plan": archive.plan.id, "shards": state, "tables": tables}
    text = json.dumps(values)
    write_durably(archive.folder / SEALS, archive.folder / TMP, lambda file: file.write(text.encode()))
    return []


def _write(archive: Archive, name: str, file: BufferedIOBase) -> int:
    """Write one table, a group of `GROUP` items at a time; return its number of rows."""
    count, waiting, group = 0, [], 0
    with TableFile(name, file) as writer:
        for table in _shard_tables(archive, name):
            waiting.append(table)
            last = table.column("index")[-1].as_py() if table.num_rows else -1
            if last // GROUP > group:
                joined = join_tables(name, waiting)
                ends = np.searchsorted(
                    joined.column("index").to_numpy(), np.arange(group + 1, last // GROUP + 1) * GROUP
                )
                for start, stop in zip((0, *ends[:-1]), ends, strict=True):
                    writer.write(joined.slice(start, stop - start))
                waiting, group = [joined.slice(ends[-1])], last // GROUP
            count += table.num_rows
        writer.write(join_tables(name, waiting))
    return count


def _shard_tables(archive: Archive, name: str, columns: Sequence[str] | None = None) -> Iterator[Table]:
    """The rows of each planned shard that is there, sorted by index, with those of retries in their place."""
    parts = archive.parts()
    again = _tried_again(archive, {shard: found for shard, found in parts.items() if shard in archive.retries})
    for shard, indices in archive.items.shards.items():
        found = parts[shard]
        if found is None:
            continue
        table = _joined(archive, name, found, columns)
        better = {index: again[index] for index in indices if index in again}
        if better:
            better = _failed_before(archive, found, better)
        if better:
            kept = rows_where(table, [index not in better for index in table.column("index").to_pylist()])
            taken = []
            for part in dict.fromkeys(better.values()):
                other = _joined(archive, name, (part,), columns)
                taken.append(
                    rows_where(other, [better.get(index) == part for index in other.column("index").to_pylist()])
                )
            table = join_tables(name, [kept, *taken])
            table = table.take(np.argsort(table.column("index").to_numpy(), kind="stable"))
        yield table


def _remove_superfluous(archive: Archive, parts: dict[str, tuple[str, ...] | None]) -> None:
    """Move single items away whose shard is there as a whole: a worker that was given up published it after all."""
    for shard in sorted(archive.published()):
        base, dot, _ = shard.partition(".")
        if dot and parts.get(base) == (base,):
            set_aside(archive.folder, shard)


def _tried_again(archive: Archive, parts: dict[str, tuple[str, ...] | None]) -> dict[int, str]:
    """For each item of a retry, the folder that holds its best try: one that succeeded, or else the last."""
    best: dict[int, tuple[bool, str]] = {}
    for found in parts.values():
        for part in found or ():
            table = _joined(archive, "images", (part,), ["index", "status"]).to_pydict()
            for index, status in zip(table["index"], table["status"], strict=True):
                if not best.get(index, (False, ""))[0]:
                    best[index] = (status == DONE, part)
    return {index: part for index, (_, part) in best.items()}


def _failed_before(archive: Archive, found: tuple[str, ...], better: dict[int, str]) -> dict[int, str]:
    """Those items that failed in their first try: a success isn't replaced by a later failure."""
    table = _joined(archive, "images", found, ["index", "status"]).to_pydict()
    done = {index for index, status in zip(table["index"], table["status"], strict=True) if status == DONE}
    return {index: part for index, part in better.items() if index not in done}


def _joined(archive: Archive, name: str, parts: Sequence[str], columns: Sequence[str] | None) -> Table:
    return join_tables(name, [read_shard(archive.folder, part, name, columns) for part in parts])


def _state(archive: Archive) -> str:
    """SHA-256 of the names of all folders that hold rows."""
    names = [part for found in archive.parts().values() for part in found or ()]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _current(archive: Archive) -> dict[str, dict[str, Any]] | None:
    """What `tables.json` says of each table; None unless all of them are there, and made of the shards that are."""
    try:
        values = json.loads((archive.folder / SEALS).read_bytes())
        tables = {name: dict(values["tables"][name]) for name in TABLES}
        known = (values["format"], values["version"], values["plan"]) == (FORMAT, VERSION, archive.plan.id)
        sizes = all((archive.folder / f"{name}.parquet").stat().st_size == tables[name]["bytes"] for name in TABLES)
        return tables if known and sizes and values["shards"] == _state(archive) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


@lru_cache(maxsize=len(TABLES))
def _check_hash(path: Path, modified_ns: int, sha256: str) -> None:
    """Raise `BatchError` for a file that isn't the one that was written; done once for each state of the file."""
    if _digest(path) != sha256:
        do = "check the archive with Archive.verify, after which the table is written anew"
        raise BatchError(f"the table {path.name} as it was written", f"{path}, which was changed", do)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
