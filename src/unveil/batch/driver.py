"""The one loop over the workers: who does which shard, what happens after a death, and when all is done.

The driver only counts. Workers write, and a shard appears by one rename, so this process may die at any moment, and a
shard that two workers finish is there once.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from unveil.batch.base import parse_name, split_name
from unveil.batch.deaths import MOST_DEATHS, DeathCounts
from unveil.batch.engines.base import Engine, ItemsDone, ShardDone, WorkerDied, WorkerEvent
from unveil.batch.lock import archive_lock
from unveil.batch.progress import BatchProgress, ProgressCount
from unveil.errors import BatchError

_WAIT_S = 0.25
_MOST_FALSE_STARTS = 3
_MOST_DEATHS_IN_A_ROW = 30
_MOST_PASSES = 3


@runtime_checkable
class DrivenArchive(Protocol):
    """What the driver asks of an archive; `Archive` is one."""

    @property
    def folder(self) -> Path:
        """Where it is."""
        ...

    @property
    def item_count(self) -> int:
        """How many items it has."""
        ...

    def missing(self) -> Sequence[str]:
        """Names of planned shards that aren't complete."""
        ...

    def items_of(self, shard: str) -> Sequence[int]:
        """Indices of the items of a shard."""
        ...

    def is_published(self, shard: str) -> bool:
        """Whether the folder of this shard, or of this piece of one, is there."""
        ...

    def publish_failure(self, shard: str, index: int, text: str) -> object:
        """Publish a piece whose only item failed."""
        ...

    def compact(self) -> object:
        """Write the tables; shards that turn out to be damaged are missing afterwards."""
        ...


@dataclass(frozen=True)
class BatchResult:
    """How a call ended.

    Attributes:
        complete: Whether nothing is left to do; False if it was stopped.
        items_done: Items of this call with a result, failures included.
        failed: Items of this call that failed.
        shards_done: Shards of this call.
        deaths: Workers that died.
    """

    complete: bool
    items_done: int
    failed: int
    shards_done: int
    deaths: int


def run_archive(
    archive: DrivenArchive,
    engine: Engine,
    *,
    on_progress: Callable[[BatchProgress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> BatchResult:
    """Do what is missing of an archive, and write its tables.

    Args:
        archive: The archive, as `open_archive` returns it.
        engine: The workers; none is started if nothing is missing.
        on_progress: Called after each shard, and at least four times per second with engines that have processes.
        stop: Once it is set, all workers are ended and the call returns; what was published stays.

    A shard whose worker died is tried again after all others. Whoever dies on it twice has it split into items, and an
    item that ends two workers, the second time while nothing else runs, becomes a failure. Raises `BatchError` if
    another process works on the archive, if workers can't start, or if 30 die in a row; `DiskFullError` and
    `RecordError` if results can't be written. After any of them the same call goes on where this one was.
    """
    stop = threading.Event() if stop is None else stop
    with archive_lock(archive.folder):
        deaths = DeathCounts(archive.folder)
        supervisor = _Supervisor(archive, engine, deaths, on_progress, stop)
        for _ in range(_MOST_PASSES):
            missing = archive.missing()
            if missing:
                supervisor.run(missing)
            if stop.is_set():
                return supervisor.result(complete=False)
            archive.compact()
            if not archive.missing():
                deaths.clear()
                return supervisor.result(complete=True)
        got = f"damaged shards after {_MOST_PASSES} passes"
        raise BatchError(f"a disk that keeps what is written to {archive.folder}", got, "check the disk")


class _Supervisor:
    """The state of the loop: what waits, who has what in hand, and who died on what."""

    def __init__(
        self,
        archive: DrivenArchive,
        engine: Engine,
        deaths: DeathCounts,
        on_progress: Callable[[BatchProgress], None],
        stop: threading.Event,
    ) -> None:
        self._archive, self._engine, self._deaths = archive, engine, deaths
        self._on_progress, self._stop = on_progress, stop
        self._waiting: deque[str] = deque()
        self._suspects: deque[str] = deque()  # items that ended a worker before: each is tried while nothing else runs
        self._in_hand: dict[int, str] = {}
        self._starting: set[int] = set()
        self._idle: set[int] = set()
        self._false_starts = [0] * engine.workers
        self._died = self._died_in_a_row = 0
        self._finished: tuple[int, ...] = (0, 0, 0)

    def result(self, *, complete: bool) -> BatchResult:
        items, failed, shards = self._finished
        return BatchResult(complete, items, failed, shards, self._died)

    def run(self, missing: Sequence[str]) -> None:
        """Do these shards. No worker is left, whatever happens."""
        for shard in missing:
            self._queue(shard)
        total = self._archive.item_count
        left = sum(len(self._archive.items_of(shard)) for shard in (*self._waiting, *self._suspects))
        count = ProgressCount(total, max(0, total - left))
        try:
            while self._waiting or self._suspects or self._in_hand:
                if self._stop.is_set():
                    return
                self._assign(count)
                for event in self._engine.wait(_WAIT_S):
                    self._handle(event, count)
                self._on_progress(count.now(len(self._idle) + len(self._in_hand)))
        finally:
            before, new = self._finished, (count.done, count.failed, count.shards)
            self._finished = tuple(old + more for old, more in zip(before, new, strict=True))
            for collection in (self._waiting, self._suspects, self._in_hand, self._starting, self._idle):
                collection.clear()
            self._engine.close()

    def _queue(self, shard: str) -> None:
        if _is_piece(shard):
            (self._suspects if self._deaths.of(shard) else self._waiting).append(shard)
        elif self._deaths.of(shard) < MOST_DEATHS:
            self._waiting.append(shard)
        else:
            for index in self._archive.items_of(shard):
                piece = split_name(shard, index)
                if not self._archive.is_published(piece):
                    self._queue(piece)

    def _assign(self, count: ProgressCount) -> None:
        for worker in sorted(self._idle):
            if (shard := self._next()) is None:
                break
            count.begin()
            self._idle.remove(worker)
            self._in_hand[worker] = shard
            self._engine.ask(worker, shard)
        # No more workers than there are shards for them.
        wanted = len(self._waiting) + bool(self._suspects)
        for worker in range(self._engine.workers):
            if wanted <= len(self._starting) + len(self._idle):
                break
            if worker not in self._starting | self._idle | self._in_hand.keys():
                self._engine.start(worker)
                self._starting.add(worker)

    def _next(self) -> str | None:
        if self._waiting:
            return self._waiting.popleft()
        return self._suspects.popleft() if self._suspects and not self._in_hand else None

    def _handle(self, event: WorkerEvent, count: ProgressCount) -> None:
        worker = event.worker
        if isinstance(event, ItemsDone):
            count.see(worker, event.items)
            return
        count.drop(worker)
        self._starting.discard(worker)
        self._idle.discard(worker)
        shard = self._in_hand.pop(worker, None)
        if not isinstance(event, WorkerDied):
            self._idle.add(worker)
        if isinstance(event, ShardDone):
            self._false_starts[worker] = self._died_in_a_row = 0
            count.add(event.done, event.failed)
        elif isinstance(event, WorkerDied):
            self._check(event, began=shard is not None)
            if shard is not None:
                self._mourn(event, shard, count)

    def _mourn(self, event: WorkerDied, shard: str, count: ProgressCount) -> None:
        """Decide what becomes of a shard whose worker died."""
        if self._archive.is_published(shard):
            # It died between the rename and its report.
            count.add(len(self._archive.items_of(shard)), 0)
        elif self._deaths.add(shard) >= MOST_DEATHS and _is_piece(shard):
            index = self._archive.items_of(shard)[0]
            self._archive.publish_failure(shard, index, f"killed its worker ({event.reason})")
            self._died_in_a_row = 0
            count.add(0, 1)
        else:
            self._queue(shard)

    def _check(self, event: WorkerDied, *, began: bool) -> None:
        """Count the death. Raises `BatchError` where trying again can't help."""
        self._died += 1
        self._died_in_a_row += 1
        detail = f": {event.detail}" if event.detail else ""
        if not began:
            self._false_starts[event.worker] += 1
            if self._false_starts[event.worker] >= _MOST_FALSE_STARTS:
                got = f"one that ended {_MOST_FALSE_STARTS} times before any work ({event.reason}){detail}"
                raise BatchError(
                    "a worker that can start", got, "load the model alone to see why, or use fewer workers"
                )
        else:
            self._false_starts[event.worker] = 0
        if self._died_in_a_row >= _MOST_DEATHS_IN_A_ROW:
            got = f"{self._died_in_a_row} that died one after another ({event.reason}){detail}"
            raise BatchError("workers that finish shards", got, "use fewer workers; the same call goes on")


def _is_piece(shard: str) -> bool:
    """Whether it was split off another one, and so holds one item."""
    return parse_name(shard)[1] is not None
