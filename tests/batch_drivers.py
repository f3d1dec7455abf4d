"""A driver of an archive as a process of its own, to be killed: `python batch_drivers.py FOLDER ENGINE WORKERS [ADDRESS]`.

It prints the number of shards that it saw done, each on a line, and ends with the exit code of the command line.
"""

import os
import subprocess
import sys
from pathlib import Path

from unveil.batch import Archive, read_archive
from unveil.batch.driver import BatchResult, run_archive
from unveil.batch.engines import Engine, Inline, Spawn
from unveil.batch.engines.opening import open_shard_work
from unveil.batch.interrupts import stop_on_signals
from unveil.batch.progress import BatchProgress
from unveil.errors import UnveilError


def make_engine(archive: Archive, kind: str, workers: int = 1, address: str | None = None) -> Engine:
    """An engine by its name: inline, spawn or ray."""
    if kind == "inline":
        return Inline(lambda: open_shard_work(archive.folder))
    if kind == "spawn":
        return Spawn(archive.folder, workers, threads=archive.plan.threads)
    from unveil.batch.engines.ray import RayActors  # noqa: PLC0415

    return RayActors(archive.folder, workers, threads=archive.plan.threads, address=address)


def drive(archive: Archive, kind: str = "inline", workers: int = 1) -> BatchResult:
    """Do what is missing, in this process."""
    return run_archive(archive, make_engine(archive, kind, workers))


def start_driver(
    folder: Path, kind: str, workers: int, *, address: str | None = None, command: tuple[str, ...] = ()
) -> subprocess.Popen:
    """Start a driver as a process; `command` goes before it."""
    search = os.pathsep.join(dict.fromkeys([str(Path(__file__).parent), *sys.path]))
    words = [*command, sys.executable, __file__, str(folder), kind, str(workers), *([address] if address else [])]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )


def main(folder: str, kind: str, workers: str, address: str | None = None) -> int:
    archive = read_archive(folder)
    seen = 0

    def tell(progress: BatchProgress) -> None:
        nonlocal seen
        if progress.shards_done > seen:
            seen = progress.shards_done
            print(seen, flush=True)  # noqa: T201

    try:
        with stop_on_signals() as stop:
            result = run_archive(
                archive, make_engine(archive, kind, int(workers), address), on_progress=tell, stop=stop
            )
    except UnveilError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0 if result.complete else stop.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
