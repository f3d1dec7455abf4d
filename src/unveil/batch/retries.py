"""Shards of items that are tried again; like all shards they are fixed when they are planned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from unveil.atomic import write_durably
from unveil.batch.base import retry_of, shard_name
from unveil.batch.shards import TMP
from unveil.errors import BatchError

RETRIES, FORMAT = "retries.json", "unveil retries"


def read_retries(folder: Path, count: int) -> dict[str, tuple[int, ...]]:
    """The names of all shards of retries in their order, with the indices of their items, which are below `count`.

    Raises `BatchError` for a damaged file.
    """
    path = folder / RETRIES
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise ValueError("format")
        found = {str(name): tuple(indices) for name, indices in values["shards"].items()}
        if not all(
            retry_of(name) and isinstance(one, int) and 0 <= one < count for name in found for one in found[name]
        ):
            raise ValueError("shards")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        do = "restore the file, or use another --out"
        raise BatchError(f"the retries of an archive in {path}", f"{type(error).__name__}: {error}", do) from error
    return found


def add_retry(folder: Path, known: dict[str, tuple[int, ...]], indices: Sequence[int], size: int) -> tuple[str, ...]:
    """Plan shards of `size` items for the items with these indices, and return their names.

    Args:
        folder: The archive.
        known: The retries so far.
        indices: The items.
        size: The number of items of a shard.

    Raises `BatchError` or `DiskFullError` if they can't be written.
    """
    number = max(map(retry_of, known), default=0) + 1
    made = {
        shard_name(place // size, number): tuple(indices[place : place + size])
        for place in range(0, len(indices), size)
    }
    text = json.dumps({"format": FORMAT, "shards": {name: list(one) for name, one in (known | made).items()}})
    write_durably(folder / RETRIES, folder / TMP, lambda file: file.write(text.encode()))
    return tuple(made)
