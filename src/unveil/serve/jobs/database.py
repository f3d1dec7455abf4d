"""One SQLite file in the folder of a server: the only module that imports sqlite3.

Every change is one transaction that is on the disk when it returns, so a process may be killed at any moment. A second
file is locked as long as the server runs. A third one only takes up space, which is given back when the disk is full,
so that it can still be written down that a job failed for this reason.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from unveil.errors import DiskFullError, RecordError
from unveil.serve.jobs.errors import FolderInUseError, StateError

T = TypeVar("T")
Connection = sqlite3.Connection

DATABASE, LOCK, RESERVE = "jobs.sqlite", "lock.sqlite", "reserve"
RESERVE_BYTES, PIECE = 1 << 20, 1 << 14
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, state TEXT NOT NULL,
    created REAL NOT NULL, started REAL, finished REAL, rounds INTEGER NOT NULL, message TEXT, image_name TEXT NOT NULL,
    version INTEGER NOT NULL, can_continue INTEGER NOT NULL, stopping INTEGER NOT NULL,
    place INTEGER NOT NULL, goal INTEGER, recorded INTEGER, longest INTEGER NOT NULL
);
CREATE INDEX waiting ON jobs (state, place);
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, shape TEXT NOT NULL,
    channels INTEGER NOT NULL, bytes INTEGER NOT NULL, created REAL NOT NULL, warning TEXT
);
"""


class Database:
    """The tables of a server: one connection that writes and one that reads, both usable from any thread."""

    def __init__(self, folder: Path) -> None:
        """Open or make the tables in `folder`, and lock it.

        Raises `FolderInUseError` if another process has locked it, `DiskFullError`, and `RecordError` for a file that
        isn't such a database, or comes from a newer version.
        """
        self.folder = folder
        self._writing, self._reading = threading.RLock(), threading.RLock()
        self._lock = _lock(folder / LOCK)
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        try:
            with self._translated():
                self._writer, self._reader = _connect(folder / DATABASE), _connect(folder / DATABASE)
                self._prepare(self._writer)
        except BaseException:
            self.close()
            raise
        self.restore_reserve()

    def write(self, body: Callable[[Connection], T], *, durable: bool = True, urgent: bool = False) -> T:
        """Run `body` in one transaction and return its result; nothing is changed if it raises.

        Args:
            body: Called with the connection; once more if the disk is full and space was reserved.
            durable: False doesn't wait for the disk: it survives the end of the process, but not a power failure.
            urgent: Whether the reserved space may be used.

        Raises `DiskFullError`, `RecordError`, `StateError` after `close`, and what `body` raises.
        """
        with self._writing, self._translated():
            try:
                return self._transaction(body, durable=durable)
            except sqlite3.OperationalError as error:
                if not (urgent and is_full(error) and self._release_reserve()):
                    raise
                return self._transaction(body, durable=durable)

    def rows(self, query: str, values: tuple = ()) -> list[tuple]:
        """All rows of a query. Raises `RecordError`."""
        with self._reading, self._translated():
            if self._reader is None:
                raise closed_error()
            return self._reader.execute(query, values).fetchall()

    def restore_reserve(self) -> bool:
        """Reserve space again if it was given back; False if the disk hasn't enough: then what it has is reserved."""
        path = self.folder / RESERVE
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size == RESERVE_BYTES:
                return True
        try:
            with path.open("wb", buffering=0) as file:
                # No zeros, which some file systems don't store; in pieces, so that it takes what there is.
                for _ in range(RESERVE_BYTES // PIECE):
                    if file.write(os.urandom(PIECE)) < PIECE:
                        return False
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the tables, and unlock the folder."""
        with self._writing, self._reading:
            for connection in (self._reader, self._writer, self._lock):
                if connection is not None:
                    with contextlib.suppress(sqlite3.Error):
                        connection.close()
            self._reader = self._writer = None

    def _transaction(self, body: Callable[[Connection], T], *, durable: bool) -> T:
        writer = self._writer
        if writer is None:
            raise closed_error()
        writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        writer.execute("BEGIN IMMEDIATE")
        try:
            result = body(writer)
            writer.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already.
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise
        return result

    def _release_reserve(self) -> bool:
        """Give the reserved space back; False if there was none."""
        try:
            (self.folder / RESERVE).unlink()
        except OSError:
            return False
        return True

    def _prepare(self, writer: Connection) -> None:
        (version,) = writer.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            got = f"version {version} in {self.folder}"
            raise RecordError(
                f"jobs of version {SCHEMA_VERSION} at most", got, "update unveil, or use another --folder"
            )
        if version == 0:
            writer.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of SQLite as our own."""
        try:
            yield
        except sqlite3.Error as error:
            if is_full(error):
                do = "free some space"
                raise DiskFullError(f"space for the jobs in {self.folder}", str(error), do) from error
            raise RecordError(f"jobs in {self.folder / DATABASE}", str(error), "use another --folder") from error


def is_full(error: BaseException) -> bool:
    """Whether an error of SQLite means that the disk is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def closed_error() -> StateError:
    """The error for whatever is asked after the server has ended."""
    return StateError("a server that is running", "one that has ended", "start it, and try again")


def _connect(path: Path) -> Connection:
    # No transactions of Python's own, and any thread: our locks let one in at a time.
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _lock(path: Path) -> Connection:
    """A connection that holds the only write lock of a file; the system drops it when the process ends."""
    connection = None
    try:
        # For its owner alone: others on the machine have no business with the images in it.
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN EXCLUSIVE")
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            got = f"{path.parent}, where another server works"
            raise FolderInUseError(
                "a folder of one server", got, "stop the other one, or use another --folder"
            ) from error
        got = f"{path.parent}: {getattr(error, 'strerror', None) or error}"
        raise RecordError("a folder that jobs can be kept in", got, "use another --folder") from error
    return connection
