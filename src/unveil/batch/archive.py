"""An archive on disk: what is planned, what is published, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.batch import compaction
from unveil.batch.base import Outcome, parse_name, retry_of, split_name
from unveil.batch.items import (
    Items,
    read_items,
)
from unveil.batch.lock import archive_lock
from unveil.batch.plan import BatchPlan
from unveil.batch.retries import add_retry, read_retries
from unveil.batch.rows import FAILED, KILLED, failure_as_rows
from unveil.batch.shards import SHARDS, publish
from unveil.errors import BatchError

if TYPE_CHECKING:
    from pyarrow import Table  # noqa: TID251 (a type only)


class Archive:
    """An archive: a folder with a plan, items in fixed shards, and the shards that are done.

    Attributes:
        folder: The folder.
        plan: What all rows are a function of, besides the images.
    """

    def __init__(self, folder: Path, plan: BatchPlan) -> None:
        """Take a folder that holds an archive with this plan; `open_archive` and `read_archive` check that."""
        self.folder, self.plan = folder, plan

    @property
    def items(self) -> Items:
        """The items, read when they are first asked for."""
        return read_items(self.folder)

    @property
    def item_count(self) -> int:
        """The number of items."""
        return len(self.items)

    @property
    def retries(self) -> dict[str, tuple[int, ...]]:
        """The shards of retries with the indices of their items."""
        return read_retries(self.folder, self.item_count)

    def shards(self) -> list[str]:
        """The names of all planned shards in their order, those of retries last."""
        return [*self.items.shards, *self.retries]

    def items_of(self, shard: str) -> Sequence[int]:
        """The indices of the items of a shard, also of one that was split off another.

        Raises `BatchError` for a shard that isn't planned.
        """
        base, one = parse_name(shard)
        found = self.retries.get(base) if base.startswith("retry-") else self.items.shards.get(base)
        if found is None or (one is not None and one not in found):
            raise BatchError("a planned shard", shard, "take it from Archive.missing()")
        return found if one is None else [one]

    def published(self) -> set[str]:
        """The names in the folder of shards. Raises `BatchError` if it can't be listed."""
        try:
            return {path.name for path in (self.folder / SHARDS).iterdir()}
        except OSError as error:
            got = f"{self.folder / SHARDS}: {error.strerror}"
            raise BatchError("an archive with a folder of shards", got, "check the path") from error

    def is_published(self, shard: str) -> bool:
        """Whether the folder of a shard is there."""
        return (self.folder / SHARDS / shard).is_dir()

    def missing(self) -> list[str]:
        """The names of planned shards that are neither there as a whole nor item by item; lists one folder."""
        return [name for name, parts in self.parts().items() if parts is None]

    def parts(self) -> dict[str, tuple[str, ...] | None]:
        """For each planned shard the folders that its items are in: its own, or those of its single items.

        None for a shard that isn't there, or not with all of its items.
        """
        there = self.published()
        split = {name.partition(".")[0] for name in there if ".i" in name}
        found: dict[str, tuple[str, ...] | None] = {}
        for name, indices in (*self.items.shards.items(), *self.retries.items()):
            pieces = tuple(split_name(name, index) for index in indices) if name in split else ()
            if name in there:
                found[name] = (name,)
            else:
                found[name] = pieces if pieces and there.issuperset(pieces) else None
        return found

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing, and the tables of the whole archive are written."""
        return not self.missing() and compaction.is_current(self)

    def tables(self, name: str, columns: Sequence[str] | None = None) -> Table:
        """A table, sorted by the index of the item: `images`, `rounds`, `regions` or `labels`.

        Of an archive that isn't finished, the rows of the shards so far. An item that was tried several times has the
        rows of the try that succeeded, or of the last one.

        Args:
            name: The name of the table.
            columns: The columns that are read; None for all.

        Raises `BatchError` for unknown names, and for tables that are damaged.
        """
        return compaction.read_rows(self, name, columns)

    def failed(self) -> list[int]:
        """The indices of items that failed, and weren't tried again with success."""
        return self.with_status(FAILED)

    def with_status(self, status: str) -> list[int]:
        """The indices of items whose best try is `done` or `failed`."""
        table = self.tables("images", ["index", "status"])
        found = zip(table.column("index").to_pylist(), table.column("status").to_pylist(), strict=True)
        return [index for index, one in found if one == status]

    def retry_failed(self) -> list[str]:
        """Plan new shards for the items that failed, and return their names; none if no item did.

        Items that are in a retry that isn't finished aren't planned again. Raises `BatchError` if another process works
        on the archive.
        """
        with archive_lock(self.folder):
            waiting = {index for name in self.missing() for index in self.items_of(name)}
            indices = [index for index in self.failed() if index not in waiting]
            return list(add_retry(self.folder, self.retries, indices, self.plan.shard_size)) if indices else []

    def publish_failure(self, shard: str, index: int, text: str, kind: str = KILLED) -> Outcome:
        """Publish the row of an item that killed its worker, or that can't be tried at all.

        Args:
            shard: The shard of this single item, as `split_name` names it, or a shard that has no other.
            index: The index of the item.
            text: Why, for the column `error`.
            kind: For the column `error_kind`.

        Raises `BatchError` for a shard with other items.
        """
        if list(self.items_of(shard)) != [index]:
            raise BatchError(f"a shard of item {index} alone", shard, "split the shard first")
        rows = failure_as_rows(self.items[index], kind, text, 1 + retry_of(shard), 0.0)
        return publish(self.folder, self.plan.id, shard, [index], rows)

    def verify(self) -> list[str]:
        """Compare every shard with its hashes; damaged ones are moved away, so that they are missing again.

        Returns their names. Tables of the whole archive that are damaged are written again by `compact`.
        """
        return compaction.verify(self)

    def compact(self) -> list[str]:
        """Write the tables of the whole archive from its shards, each in one step; nothing if they are current.

        Returns the names of damaged shards: they are moved away and missing again, and no table is written. Raises
        `DiskFullError`, or `BatchError` for whatever else the disk refuses.
        """
        return compaction.compact(self)


def read_archive(folder: str | Path) -> Archive:
    """The archive in `folder`, to be read. Raises `BatchError` if there is none, or if plan or items are damaged."""
    path = Path(folder)
    archive = Archive(path, BatchPlan.read(path))
    read_items(path)
    return archive
