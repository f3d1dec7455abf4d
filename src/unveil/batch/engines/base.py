"""What the driver needs of an engine, and what an engine tells the driver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from unveil.errors import BatchError, DiskFullError, RecordError, UnveilError

# What a worker does with a shard: it calls the function with the number of items that are finished so far, and returns
# how many items are done and how many failed. It publishes the shard itself.
ShardWork = Callable[[str, Callable[[int], None]], tuple[int, int]]
# The function that opens an archive in a worker, as module:name.
WORKER_ENTRY = "unveil.batch.engines.opening:open_shard_work"


@dataclass(frozen=True)
class WorkerReady:
    """A worker has loaded the model and can be given a shard.

    Attributes:
        worker: Its number.
    """

    worker: int


@dataclass(frozen=True)
class ShardDone:
    """A worker published the shard it was given.

    Attributes:
        worker: Its number.
        done: Items with a result.
        failed: Items that failed.
    """

    worker: int
    done: int
    failed: int


@dataclass(frozen=True)
class ItemsDone:
    """A worker has finished some items of the shard it works on.

    Attributes:
        worker: Its number.
        items: Finished items of this shard so far.
    """

    worker: int
    items: int


@dataclass(frozen=True)
class WorkerDied:
    """A worker is gone.

    Attributes:
        worker: Its number.
        reason: How it ended, such as "signal 9, probably out of memory".
        detail: The last lines it wrote to its error stream.
    """

    worker: int
    reason: str
    detail: str = ""


WorkerEvent = WorkerReady | ShardDone | ItemsDone | WorkerDied


@runtime_checkable
class Engine(Protocol):
    """Workers that do shards; the driver decides which.

    Attributes:
        workers: How many there can be, numbered from 0.
    """

    workers: int

    def start(self, worker: int) -> None:
        """Start a worker that isn't alive; `WorkerReady` follows when it has loaded the model, or `WorkerDied`."""
        ...

    def ask(self, worker: int, shard: str) -> None:
        """Give a worker that is ready, and has nothing in hand, a shard."""
        ...

    def wait(self, timeout_s: float) -> Sequence[WorkerEvent]:
        """What happened, after at most `timeout_s`. Raises the `UnveilError` that makes further work useless."""
        ...

    def close(self) -> None:
        """Kill all workers: what they published is whole, and the rest is done again. Called at the end of each job."""
        ...


def error_parts(error: UnveilError) -> list[str]:
    """An error as plain texts that can be sent to another process: its kind and its three parts."""
    return [type(error).__name__, error.expected, error.got, error.do]


def error_from_parts(kind: str, expected: str, got: str, do: str) -> UnveilError:
    """The error of another process; kinds that no caller tells apart are a `BatchError`.

    >>> error_from_parts(*error_parts(DiskFullError("space", "none", "free some")))
    DiskFullError('expected space; got none; free some')
    """
    kinds = {one.__name__: one for one in (DiskFullError, RecordError)}
    return kinds.get(kind, BatchError)(expected, got, do)
