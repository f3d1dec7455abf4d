"""What the figures of an archive are measured with: clocked engines, workers without work, drivers alone."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unveil.batch import read_archive
from unveil.batch.engines import Spawn
from unveil.batch.engines.base import ShardDone, WorkerEvent, WorkerReady
from unveil.batch.rows import failure_as_rows, no_rows
from unveil.batch.shards import publish

# A driver alone: its resident memory in MiB, about every 1,000 items.
DRIVE_AND_LOOK = """
import json, resource, sys
from pathlib import Path
from unveil.batch import read_archive
from unveil.batch.driver import run_archive
from unveil.batch.engines import Spawn

seen = []

def look(progress):
    if progress.items_done // 1000 > len(seen):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        seen.append(pages * resource.getpagesize() / 2**20)

archive = read_archive(sys.argv[1])
run_archive(archive, Spawn(archive.folder, 2, entry="batch_chaos.figures:open_empty_work"), on_progress=look)
json.dump(seen, sys.stdout)
"""
# A call on a finished archive, as the command line makes it; prints its seconds.
CALL_AGAIN = """
import sys, time

started = time.monotonic()
from pathlib import Path
from unveil.batch import open_archive, read_archive
from unveil.batch.driver import run_archive
from unveil.batch.engines import Spawn
from unveil.datasets import Sample

plan, paths = read_archive(sys.argv[1]).plan, sorted(Path(sys.argv[2]).iterdir())
archive = open_archive(sys.argv[1], plan, [Sample(f"{n:06d}", path) for n, path in enumerate(paths)])
result = run_archive(archive, Spawn(archive.folder, 2))
assert result.complete and not result.items_done
print(time.monotonic() - started)
"""


class Figure:
    """A measured number with its bar."""

    def __init__(self, name: str, value: float, bar: str, holds: bool, **detail: Any) -> None:
        self.name, self.value, self.bar, self.holds, self.detail = name, round(value, 4), bar, holds, detail

    def __str__(self) -> str:
        detail = json.dumps(self.detail)
        return f"{'holds' if self.holds else 'FAILS':6} {self.name:44}{self.value:10.3f}  (bar: {self.bar})  {detail}"


class Clocked:
    """An engine that notes when workers are ready and how long they are busy."""

    def __init__(self, engine: Spawn) -> None:
        self.engine, self.workers = engine, engine.workers
        self.start, self.ask, self.close = engine.start, engine.ask, engine.close
        self.first_ready: float | None = None
        self.last_done = 0.0

    def wait(self, timeout_s: float) -> Sequence[WorkerEvent]:
        events = self.engine.wait(timeout_s)
        now = time.monotonic()
        for event in events:
            if isinstance(event, WorkerReady) and self.first_ready is None:
                self.first_ready = now
            if isinstance(event, ShardDone):
                self.last_done = now
        return events

    @property
    def seconds(self) -> float:
        """From the first ready worker to the last shard: without loading the model and writing the tables."""
        return self.last_done - (self.first_ready or 0.0)


def open_empty_work(folder: Path) -> Callable[..., tuple[int, int]]:
    """Workers that publish rows without a run, and without waiting for the disk."""
    os.fsync = lambda number: None
    archive = read_archive(folder)

    def do_shard(shard: str, on_item: Callable[[int], None]) -> tuple[int, int]:
        rows, indices = no_rows(), archive.items_of(shard)
        for index in indices:
            for name, new in failure_as_rows(archive.items[index], "StandIn", "no run", 1, 0.0).items():
                rows[name] += new
        outcome = publish(folder, archive.plan.id, shard, indices, rows)
        return outcome.done, outcome.failed

    return do_shard
