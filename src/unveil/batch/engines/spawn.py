"""Processes of this machine, each with a pipe: the death of one is an event and costs one shard."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from unveil.batch.engines.base import (
    WORKER_ENTRY,
    ItemsDone,
    ShardDone,
    WorkerDied,
    WorkerEvent,
    WorkerReady,
    error_from_parts,
)

# Every library that counts its threads once, when it is imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# The search path comes from the driver; the folder it runs in isn't added to it.
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.readline()); "
    "from unveil.batch.engines.worker import worker_main; worker_main()"
)
_KEPT_LINES = 12
_GRACE_S = 5.0
_REASON_LENGTH = 200


class Spawn:
    """Workers as processes of their own, started afresh (never forked: torch doesn't survive that)."""

    def __init__(self, folder: Path, workers: int, *, threads: int = 1, entry: str = WORKER_ENTRY) -> None:
        """Prepare; no process is started yet.

        Args:
            folder: The archive.
            workers: How many processes.
            threads: Threads of each; more than the machine's cores in all make every worker slower.
            entry: The function that opens the archive in a worker, as `module:name`.
        """
        self.workers = workers
        self._folder, self._threads, self._entry = folder, threads, entry
        self._events: queue.Queue[tuple[_Child, dict[str, Any] | None]] = queue.Queue()
        self._children: dict[int, _Child] = {}

    def start(self, worker: int) -> None:
        """Start a process. It imports torch with the right number of threads, and loads the model."""
        environment = {**os.environ, **thread_variables(self._threads)}
        self._children[worker] = _Child(worker, self._folder, self._entry, environment, self._events)

    def ask(self, worker: int, shard: str) -> None:
        """Send a name; the worker reads it when it is ready."""
        self._children[worker].ask(shard)

    def wait(self, timeout_s: float) -> Sequence[WorkerEvent]:
        """What the processes wrote, and which of them ended. Raises the error that a worker stopped with."""
        events: list[WorkerEvent] = []
        try:
            arrived = [self._events.get(timeout=timeout_s)]
            with contextlib.suppress(queue.Empty):
                while True:
                    arrived.append(self._events.get_nowait())
        except queue.Empty:
            arrived = [(child, None) for child in self._children.values() if child.process.poll() is not None]
        for child, message in arrived:
            if self._children.get(child.worker) is child:
                events.append(self._event_of(child, message))
        return events

    def close(self) -> None:
        """Kill all processes."""
        children, self._children = list(self._children.values()), {}
        for child in children:
            child.kill()
        for child in children:
            child.end()

    def _event_of(self, child: "_Child", message: dict[str, Any] | None) -> WorkerEvent:
        if message is None:
            del self._children[child.worker]
            return WorkerDied(child.worker, child.end(), child.last_lines())
        if message["event"] == "error":
            raise error_from_parts(*message["parts"])
        if message["event"] == "ready":
            return WorkerReady(child.worker)
        if message["event"] == "items":
            return ItemsDone(child.worker, message["items"])
        return ShardDone(child.worker, message["done"], message["failed"])


class _Child:
    """A process, and the threads that read from it."""

    def __init__(
        self,
        worker: int,
        folder: Path,
        entry: str,
        environment: Mapping[str, str],
        events: "queue.Queue[tuple[_Child, dict[str, Any] | None]]",
    ) -> None:
        self.worker = worker
        command = [sys.executable, "-P", "-c", _BOOT, str(folder.absolute()), entry, str(os.getpid())]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(  # noqa: S603 (this interpreter, without a shell)
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=os.name == "posix"
        )
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._readers = [
            threading.Thread(target=self._read_events, args=(self.process.stdout, events), daemon=True),
            threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._write(sys.path)

    def ask(self, shard: str) -> None:
        self._write({"shard": shard})

    def end(self) -> str:
        """Wait until it is gone, and make sure of it; says how it ended."""
        self._close_input()
        try:
            code = self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join(1.0)  # a grandchild may hold the pipe
        told = f": {self._lines[-1]}" if code > 0 and self._lines else ""
        return describe_exit(code) + told[:_REASON_LENGTH]

    def last_lines(self) -> str:
        return "\n".join(self._lines)

    def _close_input(self) -> None:
        # What a dead process didn't read can't be written any more.
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)  # its own children too
            else:
                self.process.kill()

    def _write(self, message: Any) -> None:
        # A dead process is noticed by the readers.
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def _read_events(self, stream: IO[bytes], events: queue.Queue) -> None:
        with stream:
            for line in stream:
                # The last line of a killed process may be a part of one.
                with contextlib.suppress(ValueError):
                    events.put((self, json.loads(line)))
        events.put((self, None))

    def _read_errors(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.append(line.decode("utf-8", "replace").rstrip()[:500])


def thread_variables(threads: int) -> dict[str, str]:
    """What the environment of a worker must hold before torch is imported, so that it uses so many threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def describe_exit(code: int) -> str:
    """How a process ended, from its exit code.

    >>> describe_exit(-9), describe_exit(-11), describe_exit(1)
    ('signal 9, probably out of memory', 'signal 11', 'exit code 1')
    """
    if code >= 0:
        return f"exit code {code}"
    return f"signal {-code}, probably out of memory" if code == -9 else f"signal {-code}"
