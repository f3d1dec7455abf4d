"""No process at all: the driver itself does one shard after another."""

import threading
from collections.abc import Callable, Sequence

from unveil.batch.engines.base import ItemsDone, ShardDone, ShardWork, WorkerEvent, WorkerReady


class Inline:
    """One worker, which is the calling process. A shard that kills it ends the call."""

    def __init__(self, open_work: Callable[[], ShardWork], stop: threading.Event | None = None) -> None:
        """Prepare.

        Args:
            open_work: Loads the model and returns what does a shard; called at the first shard.
            stop: Once it is set, the shard in hand is left unfinished.
        """
        self.workers = 1
        self._open, self._work = open_work, None
        self._stop = threading.Event() if stop is None else stop
        self._shard: str | None = None
        self._items = 0

    def start(self, worker: int) -> None:
        """Load the model."""
        self._work = self._open()

    def ask(self, worker: int, shard: str) -> None:
        """Remember the shard; `wait` does it."""
        self._shard = shard

    def wait(self, timeout_s: float) -> Sequence[WorkerEvent]:
        """Do the shard, however long it takes. Raises what the work raises."""
        shard, self._shard = self._shard, None
        if shard is None or self._work is None:
            return [] if self._work is None else [WorkerReady(0)]
        self._items = 0
        try:
            done, failed = self._work(shard, self._count)
        except _StopAsked:
            return [ItemsDone(0, self._items)]
        return [ShardDone(0, done, failed)]

    def close(self) -> None:
        """Drop the model."""
        self._work = None

    def _count(self, items: int) -> None:
        self._items = items
        if self._stop.is_set():
            raise _StopAsked


class _StopAsked(BaseException):
    """Not an `Exception`: what fails in a stranger's network is caught and becomes a row, this isn't."""
