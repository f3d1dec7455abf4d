"""An archive without a classifier, for tests of the driver and its engines: each item says what it does to its worker.

What an item does: "ok", "fail" (a row), "kill" (its process, always), "kill once", "raise" (an error that nobody
expects), "memory", "full" (the disk), "slow" (half a second).
"""

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from unveil.batch.engines.base import ShardWork
from unveil.errors import BatchError, DiskFullError

ENTRY = "stand_in_archive:open_work"


class StandInArchive:
    """A folder with `items.json`, and a file per shard in `shards`."""

    def __init__(self, folder: Path, items: Sequence[str] = (), shard_size: int = 4) -> None:
        self.folder = folder
        self.compacted = 0
        if items:
            (folder / "shards").mkdir(parents=True)
            (folder / "items.json").write_text(json.dumps([list(items), shard_size]))
        self.items, self.shard_size = json.loads((folder / "items.json").read_text())

    @property
    def item_count(self) -> int:
        return len(self.items)

    def planned(self) -> list[str]:
        return [f"{number:05d}" for number in range(-(-len(self.items) // self.shard_size))]

    def items_of(self, shard: str) -> list[int]:
        if ".i" in shard:
            return [int(shard.partition(".i")[2])]
        first = int(shard) * self.shard_size
        return list(range(first, min(first + self.shard_size, len(self.items))))

    def is_published(self, shard: str) -> bool:
        return (self.folder / "shards" / shard).exists()

    def missing(self) -> list[str]:
        return [
            shard
            for shard in self.planned()
            if not self.is_published(shard)
            and not all(self.is_published(f"{shard}.i{index:06d}") for index in self.items_of(shard))
        ]

    def publish(self, shard: str, rows: dict[int, str]) -> None:
        part = self.folder / f".{shard}.{os.getpid()}"
        part.write_text(json.dumps(rows))
        part.replace(self.folder / "shards" / shard)

    def publish_failure(self, shard: str, index: int, text: str) -> None:
        self.publish(shard, {index: text})

    def compact(self) -> None:
        self.compacted += 1

    def rows(self) -> list[tuple[int, str]]:
        """All rows of all shards, repeated ones too."""
        found = [json.loads(path.read_text()) for path in (self.folder / "shards").iterdir()]
        return sorted((int(index), text) for rows in found for index, text in rows.items())


def open_work(folder: Path) -> ShardWork:
    """What the workers call."""
    if (folder / "broken").exists():
        print((folder / "broken").read_text(), file=__import__("sys").stderr, flush=True)
        os._exit(3)
    if (folder / "no-weights").exists():
        raise BatchError("the weights of the plan", "others", "use another --out")
    archive = StandInArchive(folder)

    def work(shard: str, on_item: Callable[[int], None]) -> tuple[int, int]:
        rows = {}
        for number, index in enumerate(archive.items_of(shard), 1):
            rows[index] = _do(archive.items[index], folder / f"tried-{index}")
            on_item(number)
        archive.publish(shard, rows)
        failed = sum(text != "ok" for text in rows.values())
        return len(rows) - failed, failed

    return work


def _do(action: str, tried: Path) -> str:
    if action == "fail":
        return "damaged"
    if action == "slow":
        time.sleep(0.5)
    if action == "kill" or (action == "kill once" and not tried.exists()):
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        raise ValueError("unexpected")
    if action == "memory":
        raise MemoryError
    if action == "full":
        raise DiskFullError("space for a shard", "No space left on device", "free some space")
    return "ok"
