"""How far an archive is, and how long it will take."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchProgress:
    """The state of an archive while it is worked on.

    Attributes:
        items_done: Items that have a result, failures and those of earlier calls included.
        items_total: All items.
        failed: Items that failed in this call.
        shards_done: Shards that were published in this call.
        items_per_second: Items of this call by its time; None until there is one.
        seconds_left: Time until the last item at this rate; None while the rate isn't known.
        workers: Workers that are alive.
    """

    items_done: int
    items_total: int
    failed: int
    shards_done: int
    items_per_second: float | None
    seconds_left: float | None
    workers: int


class ProgressCount:
    """Counts what is done; what was done before this call isn't in the rate."""

    def __init__(self, items_total: int, items_before: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with what is there. `clock` returns seconds."""
        self.items_total, self.before = items_total, items_before
        self.done = self.failed = self.shards = 0
        self._in_flight: dict[int, int] = {}
        self._clock = clock
        self._began: float | None = None

    def begin(self) -> None:
        """Start the clock: the first worker got its first shard."""
        if self._began is None:
            self._began = self._clock()

    def see(self, worker: int, items: int) -> None:
        """A worker has finished so many items of the shard it works on."""
        self._in_flight[worker] = items

    def drop(self, worker: int) -> None:
        """What a worker had in hand is finished or lost."""
        self._in_flight.pop(worker, None)

    def add(self, done: int, failed: int) -> None:
        """A shard with so many results and failures was published."""
        self.done += done + failed
        self.failed += failed
        self.shards += 1

    def now(self, workers: int) -> BatchProgress:
        """The state at this moment."""
        fresh = self.done + sum(self._in_flight.values())
        elapsed = 0.0 if self._began is None else self._clock() - self._began
        rate = fresh / elapsed if fresh and elapsed > 0 else None
        reached = min(self.before + fresh, self.items_total)
        left = None if rate is None else (self.items_total - reached) / rate
        return BatchProgress(reached, self.items_total, self.failed, self.shards, rate, left, workers)
