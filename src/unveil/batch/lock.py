"""The lock of an archive: one driver at a time, and a driver that died never keeps it."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from unveil.errors import BatchError
from unveil.leftovers import exclusive_lock

_NAME = "lock"
_held: dict[Path, int] = {}


@contextlib.contextmanager
def archive_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the archive in `folder`, which must exist; may be nested in one process.

    The system drops the lock of a process that ends, however it ends, so a lock is never stale. On disks without locks,
    nothing is locked: two drivers then do some shards twice, and the first result of each is kept. Raises `BatchError`
    if another process holds the lock.
    """
    key = folder.resolve()
    if _held.get(key):
        _held[key] += 1
        try:
            yield
        finally:
            _held[key] -= 1
        return
    path = folder / _NAME
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        got = f"{path}: {error.strerror}"
        raise BatchError("an archive that can be written to", got, "check the folder and the disk") from error
    try:
        if not exclusive_lock(number):
            do = "wait until it has finished, or stop it"
            raise BatchError(f"no other process that works on {folder}", _holder(path), do)
        _sign(number)
        _held[key] = 1
        try:
            yield
        finally:
            del _held[key]
    finally:
        os.close(number)


def _sign(number: int) -> None:
    """Write who holds the lock. It is only for people, so a full disk is no reason to stop here."""
    text = json.dumps({"pid": os.getpid(), "host": platform.node()})
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.write(number, text.encode())


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        pid, host = int(told["pid"]), str(told["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "one that does"
    here = "" if host == platform.node() else f" on {host}"
    return f"process {pid}{here}"
