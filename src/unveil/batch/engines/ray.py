"""Actors of Ray Core, on an existing cluster or on one that is started here.

Only names of shards go through Ray: workers write to the folder, which all nodes share. Ray Data isn't used, because it
drops failed blocks and keeps what it has written per block, which for slow items with small results loses most of them.
"""

import contextlib
import os
import platform
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from unveil.batch.engines.base import (
    WORKER_ENTRY,
    ShardDone,
    ShardWork,
    WorkerDied,
    WorkerEvent,
    WorkerReady,
    error_from_parts,
    error_parts,
)
from unveil.batch.engines.spawn import thread_variables
from unveil.batch.engines.worker import find_entry
from unveil.errors import BatchError, MissingLibraryError, UnveilError, named_line

_STORE_BYTES = 100 * 2**20  # nothing but names goes through Ray's object store
_PRINTING = "print_to_stdstream"


class RayActors:
    """Workers as actors, each a process on some node of the cluster."""

    def __init__(
        self,
        folder: Path,
        workers: int,
        *,
        threads: int = 1,
        gpus_per_worker: float = 0.0,
        address: str | None = None,
        entry: str = WORKER_ENTRY,
    ) -> None:
        """Prepare; Ray is imported and started with the first worker.

        Args:
            folder: The archive, on a disk that every node sees at the same path.
            workers: How many actors.
            threads: Threads of each, and the CPUs that Ray reserves for it.
            gpus_per_worker: GPUs that Ray reserves for each; 0.25 puts four workers on each GPU.
            address: A running cluster, such as `auto` or `ray://host:10001`; None starts one on this machine.
            entry: The function that opens the archive in a worker, as `module:name`.

        Raises `MissingLibraryError` without Ray.
        """
        self.workers = workers
        self._folder, self._entry, self._address = folder.absolute(), entry, address
        self._threads, self._gpus = threads, gpus_per_worker
        self._ray = import_ray()
        self._started_here = False
        self._printing: Callable[..., None] | None = None
        self._connected = False
        self._actor_class: Any = None
        self._actors: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}  # what was asked of which actor
        self._token = self._folder / f"seen-{secrets.token_hex(8)}"

    def start(self, worker: int) -> None:
        """Ask the cluster for an actor; it comes when there is room."""
        if not self._connected:
            self._connect()
        actor = self._actors[worker] = self._actor_class.remote()
        opening = actor.open.remote(str(self._folder), self._token.name, self._entry, self._threads, sys.path)
        self._pending[opening] = worker

    def ask(self, worker: int, shard: str) -> None:
        """Send a name."""
        self._pending[self._actors[worker].work.remote(shard)] = worker

    def wait(self, timeout_s: float) -> Sequence[WorkerEvent]:
        """What the actors returned, and which of them died. Raises the error that an actor stopped with."""
        pending = list(self._pending)
        if not pending:
            return []
        ready, _ = self._ray.wait(pending, num_returns=1, timeout=timeout_s)
        return [self._event_of(answer) for answer in ready]

    def close(self) -> None:
        """Kill all actors, and Ray if it was started here."""
        for actor in self._actors.values():
            self._kill(actor)
        self._actors.clear()
        self._pending.clear()
        self._connected = False
        with contextlib.suppress(OSError):
            self._token.unlink(missing_ok=True)
        if self._started_here:
            self._started_here = False
            self._ray.shutdown()
            _set_printing(self._printing)

    def _event_of(self, answer: Any) -> WorkerEvent:
        worker = self._pending.pop(answer)
        try:
            message = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            self._kill(self._actors.pop(worker))
            memory = isinstance(error, self._ray.exceptions.OutOfMemoryError)
            return WorkerDied(worker, "out of memory" if memory else "its process or its node ended", str(error))
        if "error" in message:
            raise error_from_parts(*message["error"])
        if "exception" in message:
            self._kill(self._actors.pop(worker))
            return WorkerDied(worker, message["exception"])
        return ShardDone(worker, *message["counts"]) if "counts" in message else WorkerReady(worker)

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(actor)

    def _connect(self) -> None:
        """Find or start the cluster, and leave a file that shows each worker that it sees the same folder."""
        if not self._ray.is_initialized():
            with _kept_sigterm():
                self._init()
        self._check_room()
        try:
            self._token.touch()
        except OSError as error:
            do = "check the disk and its permissions"
            raise BatchError("an archive that can be written to", f"{self._folder}: {error.strerror}", do) from error
        # Restarts are the driver's: so it counts deaths, and a new actor may go to another node.
        self._connected = True
        self._actor_class = self._ray.remote(ShardActor).options(
            num_cpus=self._threads,
            num_gpus=self._gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )

    def _init(self) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
        if self._address is None:
            options |= {"address": "local", "num_cpus": self.workers * self._threads, "include_dashboard": False}
            options |= {"object_store_memory": _STORE_BYTES}
        else:
            options |= {"address": self._address}
        try:
            try:
                self._ray.init(**options)
            except Exception:
                # A busy machine may be slower to start it than Ray waits.
                if self._address is not None:
                    raise
                self._ray.shutdown()
                self._ray.init(**options)
        except Exception as error:
            do = "check the address, RAY_AUTH_TOKEN, and that versions of Ray and Python are equal"
            where = "a Ray cluster on this machine" if self._address is None else f"a Ray cluster at {self._address}"
            raise BatchError(where, named_line(error), do) from error
        self._started_here = True
        self._printing = _set_printing(lambda data, ignore_prefix: None)

    def _check_room(self) -> None:
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self._threads and node.get("GPU", 0) >= self._gpus for node in nodes):
            wanted = f"a node with {self._threads} CPUs and {self._gpus:g} GPUs for each worker"
            told = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes[:4])
            raise BatchError(wanted, f"nodes with {told or 'nothing'}", "ask for fewer threads or GPUs per worker")


class ShardActor:
    """The process of a worker on a cluster: what it returns is plain, and so are its errors."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._work: ShardWork | None = None

    def open(self, folder: str, token: str, entry: str, threads: int, search_path: list[str]) -> dict[str, Any]:
        """Load the model of the archive in `folder`, where the file `token` must be seen.

        Modules are also looked for in the driver's `search_path`, after the node's own.
        """
        os.environ.update(thread_variables(threads))
        sys.path.extend(path for path in search_path if path not in sys.path)
        if not (Path(folder) / token).exists():
            got = f"node {platform.node()}, which sees another folder there or none"
            do = "choose a folder on a disk that all nodes share"
            return {"error": error_parts(BatchError(f"workers that see {folder}", got, do))}
        try:
            self._work = find_entry(entry)(Path(folder))
        except UnveilError as error:
            return {"error": error_parts(error)}
        except Exception as error:  # noqa: BLE001 (as the exit of a process)
            return {"exception": named_line(error)}
        return {}

    def work(self, shard: str) -> dict[str, Any]:
        """Do a shard."""
        try:
            return {"counts": self._work(shard, lambda items: None)}  # type: ignore[misc]
        except UnveilError as error:
            return {"error": error_parts(error)}
        except Exception as error:  # noqa: BLE001 (as the exit of a process)
            return {"exception": named_line(error)}


def import_ray() -> Any:
    """The module of Ray, which then reports nothing to anyone. Raises `MissingLibraryError`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray  # noqa: PLC0415
    except ImportError:
        raise MissingLibraryError("ray", "ray", "archives on a cluster") from None
    return ray


def _set_printing(printing: Callable[..., None] | None) -> Callable[..., None] | None:
    """Replace what prints messages of Ray's nodes, and return what it was; None where Ray has no such function.

    Ray prints deaths of workers to the standard output, where results belong; the driver reports them itself.
    """
    module = sys.modules.get("ray._private.worker")
    before = getattr(module, _PRINTING, None)
    if before is not None and printing is not None:
        setattr(module, _PRINTING, printing)
    return before


@contextlib.contextmanager
def _kept_sigterm() -> Iterator[None]:
    """Ray replaces what the process does at SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
