"""The items of an archive: one row per image of the data, numbered once and never again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.batch.base import shard_name
from unveil.batch.parquet import from_parquet, readable
from unveil.datasets import Sample
from unveil.errors import BatchError

if TYPE_CHECKING:
    from pyarrow import Table  # noqa: TID251 (a type only)

ITEMS, MAX_ITEMS = "items.parquet", 2**31 - 1
OnCount = Callable[[int], None]
# Path, size, time of the last change, labels, group and error.
Content = tuple[str, int | None, int | None, tuple[str, ...], str | None, str | None]


@dataclass(frozen=True)
class Item:
    """One image of the data.

    Attributes:
        index: Its number, from 0 on.
        sample: The id that the data set gives it.
        path: Its file.
        size_bytes, modified_ns: Size and time of the last change of the file when it was planned; None if there was
            none.
        labels: Its true labels.
        group: Its group, such as a patient.
        error: Why the data set can't use it; None if it can.
        error_kind: The class of that error.
        shard: The shard that it was planned for.
    """

    index: int
    sample: str
    path: str
    size_bytes: int | None
    modified_ns: int | None
    labels: tuple[str, ...]
    group: str | None
    error: str | None
    error_kind: str | None
    shard: str

    @property
    def shown_path(self) -> str:
        """The path as a text, with escapes for bytes that aren't text."""
        return readable(self.path)

    @property
    def content(self) -> Content:
        """All that a row of a run depends on, to be compared with the data as they are now."""
        return (self.shown_path, self.size_bytes, self.modified_ns, self.labels, self.group, self.error)

    def is_changed(self) -> bool:
        """Whether the file has another size or time than when it was planned, or is there only now."""
        return (self.size_bytes, self.modified_ns) != _stamp(self.path)

    def as_row(self) -> dict[str, Any]:
        """The row of `items.parquet`."""
        return {
            "index": self.index,
            "sample": self.sample,
            "path": self.shown_path,
            "size_bytes": self.size_bytes,
            "modified_ns": self.modified_ns,
            "labels": list(self.labels),
            "group": self.group,
            "error": self.error,
            "shard": self.shard,
            "error_kind": self.error_kind,
            "path_bytes": None if self.shown_path == self.path else os.fsencode(self.path),
        }


class Items:
    """The items of an archive in columns; an `Item` is made when it is asked for."""

    def __init__(self, table: Table) -> None:
        """Take the table as it was read; its index must count from 0."""
        self._table = table.combine_chunks()
        if self._table.column("index").to_pylist() != list(range(len(self))):
            raise BatchError("items that are numbered from 0", "others", "restore items.parquet, or use another --out")

    def __len__(self) -> int:
        return self._table.num_rows

    def __getitem__(self, index: int) -> Item:
        """The item with this index. Raises `BatchError` beyond the end."""
        if not 0 <= index < len(self):
            raise BatchError(f"an item below {len(self)}", str(index), "take it from Archive.items_of()")
        return next(iter(self._made(self._table.slice(index, 1))))

    def __iter__(self) -> Iterator[Item]:
        """All items in their order."""
        return iter(self._made(self._table))

    @cached_property
    def shards(self) -> dict[str, range]:
        """The planned shards in their order, with the indices of their items, which follow each other."""
        found: dict[str, range] = {}
        for index, name in enumerate(self._table.column("shard").to_pylist()):
            found[name] = range(found[name].start if name in found else index, index + 1)
        return found

    def contents(self) -> Iterator[tuple[str, Content]]:
        """The sample and the `content` of each item; much faster than making the items."""
        names = ("sample", "path", "size_bytes", "modified_ns", "labels", "group", "error")
        sample, path, size, time, labels, group, error = (self._table.column(name).to_pylist() for name in names)
        contents = zip(path, size, time, map(tuple, labels), group, error, strict=True)
        return zip(sample, contents, strict=True)

    @staticmethod
    def _made(table: Table) -> Iterator[Item]:
        for row in table.to_pylist():
            path_bytes = row.pop("path_bytes")
            path = row["path"] if path_bytes is None else os.fsdecode(path_bytes)
            yield Item(**row | {"path": path, "labels": tuple(row["labels"])})


@lru_cache(maxsize=2)
def _read(path: Path, size: int, modified_ns: int, inode: int) -> Items:
    return Items(from_parquet("items", path.read_bytes()))


def read_items(folder: Path) -> Items:
    """The items of the archive in `folder`; kept in memory until the file changes.

    Raises `BatchError` if they can't be read or are damaged.
    """
    path = folder / ITEMS
    try:
        at = path.stat()
        return _read(path, at.st_size, at.st_mtime_ns, at.st_ino)
    except OSError as error:
        raise BatchError(f"an archive with {ITEMS}", f"{path}: {error.strerror}", "check the path") from error
    except BatchError as error:
        do = "restore the file, or use another --out"
        raise BatchError(f"the items of an archive in {path}", error.got, do) from error


def make_items(samples: Iterable[Sample], start: int, size: int, first_shard: int) -> list[Item]:
    """Items of samples in fixed shards.

    Args:
        samples: The samples.
        start: The index of the first item.
        size: The number of items of a shard.
        first_shard: The number of the first shard.
    """
    return [
        _item(sample, start + place, shard_name(first_shard + place // size)) for place, sample in enumerate(samples)
    ]


@dataclass(frozen=True)
class Comparison:
    """What became of the items of an archive in the data as they are now.

    Attributes:
        new: Samples that the archive doesn't have.
        changed: Items whose path, file, labels, group or error is another one now: before and after.
        gone: The number of items that the data don't have any more.
    """

    new: tuple[Sample, ...]
    changed: tuple[tuple[Item, Item], ...]
    gone: int


def compare_items(items: Items | None, samples: Sequence[Sample], on_count: OnCount) -> Comparison:
    """Compare the data with the items, if there are any; `on_count` gets the number of samples so far, every 1000.

    Raises `BatchError` for two samples of one id.
    """
    known = {} if items is None else dict(items.contents())
    numbers = dict(zip(known, range(len(known)), strict=True))
    seen: set[str] = set()
    new: list[Sample] = []
    changed: list[tuple[int, Sample]] = []
    for place, sample in enumerate(samples):
        if place % 1000 == 0:
            on_count(place)
        name = readable(sample.id)
        if name in seen:
            raise BatchError("samples with ids of their own", f"{name} twice", "name every image once")
        seen.add(name)
        content = known.get(name)
        if content is None:
            new.append(sample)
        elif content != _content(sample):
            changed.append((numbers[name], sample))
    on_count(len(samples))
    found = [] if items is None else [(items[index], sample) for index, sample in changed]
    pairs = tuple((item, _item(sample, item.index, item.shard)) for item, sample in found)
    return Comparison(tuple(new), pairs, len(known.keys() - seen))


def describe_change(before: Item, now: Item) -> str:
    """What of an item is another one now, in words."""
    names = ("path", "size", "time of the last change", "labels", "group", "error")
    differing = [name for name, one, other in zip(names, before.content, now.content, strict=True) if one != other]
    return f"{before.sample} ({', '.join(differing)})"


def first_three(texts: Iterable[str], count: int) -> str:
    """The first three of `count` texts, and how many more there are.

    >>> first_three(["a", "b", "c", "d"], 4)
    'a, b, c and 1 more'
    """
    shown = ", ".join(islice(texts, 3))
    return shown if count <= 3 else f"{shown} and {count - 3} more"


def _item(sample: Sample, index: int, shard: str) -> Item:
    _, size, time, labels, group, error = _content(sample)
    kind = None if sample.error is None else type(sample.error).__name__
    path = os.path.abspath(sample.path)  # noqa: PTH100 (Path.absolute keeps "..")
    return Item(index, readable(sample.id), path, size, time, labels, group, error, kind, shard)


def _content(sample: Sample) -> Content:
    path = os.path.abspath(sample.path)  # noqa: PTH100
    # What a broken row of an index names is the index itself, which may grow.
    size, time = (None, None) if sample.error is not None else _stamp(path)
    return (
        readable(path),
        size,
        time,
        tuple(map(readable, sample.labels)),
        None if sample.group is None else readable(sample.group),
        None if sample.error is None else readable(str(sample.error)),
    )


def _stamp(path: str) -> tuple[int | None, int | None]:
    try:
        at = os.stat(path)  # noqa: PTH116 (a hundred thousand of them)
    except (OSError, ValueError):
        return None, None
    return at.st_size, at.st_mtime_ns
