"""Hidden files and folders that become something else when they are finished, and what killed processes leave of them.

Each is locked as long as its process writes to it, and the system drops the lock of a process that ends, however it
ends. So a hidden file or folder without a lock is a leftover.
"""

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from types import ModuleType

try:
    import fcntl as _fcntl
except ImportError:  # Windows: nothing is locked, and nothing is removed.
    _fcntl = None
_locks: ModuleType | None = _fcntl

_MAX_BYTES = 200
_HIDDEN = re.compile(r"\.(?P<name>.+)\.(?P<what>part|old)-[0-9a-f]{8}(\.\w{1,10})?", re.DOTALL)


def hidden_sibling(target: Path, what: str, suffix: str = "") -> Path:
    """A new hidden path beside `target`, as for its next content (`what` = "part") or for its former one ("old")."""
    name = target.name if not suffix else target.stem
    # Cut, so that a long name doesn't become too long.
    while len(os.fsencode(name)) > _MAX_BYTES:
        name = name[:-1]
    return target.parent / f".{name}.{what}-{secrets.token_hex(4)}{suffix}"


class Marks:
    """Locks that mark files and folders as being written to by this process."""

    def __init__(self) -> None:
        """Hold no lock."""
        self._numbers: list[int] = []

    def hold(self, path: Path) -> bool:
        """Lock a file or folder; False if it is gone, because another process had taken it for a leftover.

        Where the system or the disk has no locks, nothing is locked.
        """
        if _locks is None:
            return True
        try:
            number = os.open(path, os.O_RDONLY)
        except OSError:
            return path.exists()
        self._numbers.append(number)
        with contextlib.suppress(OSError):
            # Another process holds it only until it has removed it.
            _locks.flock(number, _locks.LOCK_EX)
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(number), path.stat())
        return False

    def release(self) -> None:
        """Drop all locks."""
        while self._numbers:
            os.close(self._numbers.pop())


def exclusive_lock(number: int) -> bool:
    """Lock an open file for this process; False if another one holds it. `number` is its file descriptor.

    Where the system or the disk has no locks, nothing is locked, and the answer is True.
    """
    if _locks is None:
        return True
    try:
        _locks.flock(number, _locks.LOCK_EX | _locks.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder; a folder that one of them had moved away is moved back.

    What a living process is writing stays, and whatever can't be locked or removed.
    """
    if _locks is None:
        return
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if (parts := _HIDDEN.fullmatch(path.name)) and not path.is_symlink():
                with contextlib.suppress(OSError):
                    _remove_unless_locked(path, folder / parts["name"], parts["what"], _locks)


def _remove_unless_locked(path: Path, target: Path, what: str, locks: ModuleType) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        locks.flock(number, locks.LOCK_EX | locks.LOCK_NB)
        if what == "old" and not target.exists():
            # A cut name isn't the target's: its former content stays where it is.
            if len(os.fsencode(target.name)) < _MAX_BYTES - 4:
                path.replace(target)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(number)
