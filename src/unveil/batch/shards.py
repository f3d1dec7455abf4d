"""Shards on disk: a folder of four tables, complete or not there at all, and `done.json` with the hash of each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.atomic import publish_once
from unveil.batch.base import Outcome, parse_name
from unveil.batch.columns import TABLES
from unveil.batch.parquet import from_parquet, to_parquet
from unveil.batch.rows import FAILED, Rows
from unveil.errors import BatchError
from unveil.leftovers import hidden_sibling

if TYPE_CHECKING:
    from pyarrow import Table  # noqa: TID251 (a type only)

SHARDS, TMP, SEAL = "shards", "tmp", "done.json"
FORMAT, VERSION, MAX_SEAL_BYTES = "unveil shard", 1, 1 << 24


class DamagedShardError(BatchError):
    """A shard isn't as it was written; it is done again."""


@dataclass(frozen=True)
class ShardSeal:
    """What `done.json` says of a shard.

    Attributes:
        shard: Its name.
        plan: The id of the plan.
        items: The indices of its items.
        failed: The number of items that failed.
        tables: For each table its number of rows, its size in bytes and its SHA-256.
    """

    shard: str
    plan: str
    items: tuple[int, ...]
    failed: int
    tables: dict[str, dict[str, Any]]

    def outcome(self, seconds: float = 0.0, *, kept: bool = True) -> Outcome:
        """What a worker reports of it."""
        return Outcome(self.shard, len(self.items) - self.failed, self.failed, seconds, kept)


def publish(
    folder: Path, plan: str, shard: str, items: Sequence[int], rows: Rows, extra: Callable[[Path], Any] | None = None
) -> Outcome:
    """Publish the rows of a shard by one rename. A shard that is there already stays: it has the same rows.

    Args:
        folder: The archive.
        plan: The id of its plan.
        shard: The name of the shard.
        items: The indices of its items.
        rows: The rows of its tables.
        extra: Given the hidden folder, to put records beside the tables.

    Raises `DiskFullError` if the disk is full, and `BatchError` for whatever else it refuses; nothing of the shard is
    there then.
    """
    base, one = parse_name(shard)
    contents = {name: to_parquet(name, rows[name]) for name in TABLES}
    seal = {
        "format": FORMAT,
        "version": VERSION,
        "shard": shard,
        "plan": plan,
        "items": list(items),
        "failed": sum(row["status"] == FAILED for row in rows["images"]),
        "tables": {
            name: {"rows": len(rows[name]), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
    }

    def write(part: Path) -> None:
        for name, content in contents.items():
            (part / f"{name}.parquet").write_bytes(content)
        if extra is not None:
            extra(part)
        (part / SEAL).write_text(json.dumps(seal), encoding="ascii")

    # An item that was split off a shard that is there by now would be there twice.
    if one is not None and (folder / SHARDS / base).is_dir():
        made = False
    else:
        made = publish_once(folder / SHARDS / shard, folder / TMP, write)
    failed = seal["failed"]
    return Outcome(shard, len(items) - failed, failed, 0.0, kept=not made)


def read_seal(folder: Path, shard: str) -> ShardSeal:
    """What `done.json` says of a shard of the archive in `folder`. Raises `DamagedShardError`."""
    path = folder / SHARDS / shard / SEAL
    try:
        if path.stat().st_size > MAX_SEAL_BYTES:
            raise _damaged(shard, f"{SEAL} is too large")
        values = json.loads(path.read_bytes())
        seal = ShardSeal(
            values["shard"], values["plan"], tuple(values["items"]), values["failed"], dict(values["tables"])
        )
        sound = (
            (values["format"], values["version"], seal.shard) == (FORMAT, VERSION, shard)
            and isinstance(seal.failed, int)
            and all(isinstance(index, int) for index in seal.items)
            and all(isinstance(seal.tables[name][key], kind) for name in TABLES for key, kind in _KEYS.items())
        )
    except PermissionError as error:
        raise _forbidden(path) from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise _damaged(shard, f"{SEAL}: {type(error).__name__}") from error
    if not sound:
        raise _damaged(shard, f"{SEAL} says something else")
    return seal


_KEYS = {"rows": int, "bytes": int, "sha256": str}


def read_shard(folder: Path, shard: str, name: str, columns: Sequence[str] | None = None) -> Table:
    """A table of a shard; its hash is compared with that in `done.json`. Raises `DamagedShardError`."""
    content = _content(folder, read_seal(folder, shard), name)
    return from_parquet(name, content, columns)


def check_shard(folder: Path, shard: str, plan: str, items: Sequence[int]) -> None:
    """Check a shard completely: the plan and the items that it belongs to, and the hash of each table.

    Raises `DamagedShardError`, which says what is damaged.
    """
    seal = read_seal(folder, shard)
    if seal.plan != plan or list(seal.items) != list(items):
        raise _damaged(shard, "it belongs to another plan, or has other items")
    for name in TABLES:
        _content(folder, seal, name)


def set_aside(folder: Path, shard: str) -> None:
    """Move a shard out of the way, which is damaged or not needed; the next call that opens the archive removes it.

    Raises `BatchError` if it can't be moved.
    """
    try:
        os.replace(folder / SHARDS / shard, hidden_sibling(folder / TMP / shard, "part"))  # noqa: PTH105
    except OSError as error:
        raise BatchError(
            f"to move the shard {shard} out of the way", str(error.strerror), "remove it by hand"
        ) from error


def _content(folder: Path, seal: ShardSeal, name: str) -> bytes:
    path = folder / SHARDS / seal.shard / f"{name}.parquet"
    try:
        content = path.read_bytes() if path.stat().st_size == seal.tables[name]["bytes"] else b""
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise _damaged(seal.shard, f"{path.name}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != seal.tables[name]["sha256"]:
        raise _damaged(seal.shard, f"{path.name} was changed or cut")
    return content


def _forbidden(path: Path) -> BatchError:
    return BatchError("a shard that may be read", f"{path}: permission denied", "check the permissions")


def _damaged(shard: str, how: str) -> DamagedShardError:
    return DamagedShardError(
        f"the shard {shard} as it was written", how, "make the same call again, which does it again"
    )
