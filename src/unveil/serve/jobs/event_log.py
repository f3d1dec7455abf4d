"""What happened, in the order in which it happened: rows with growing ids, which readers may follow from any id on."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from unveil.serve.jobs.database import Connection, Database
from unveil.serve.jobs.errors import JobError
from unveil.serve.jobs.job import Event

MAX_EVENT_BYTES = 8192
KEPT_EVENTS, KEPT_PROGRESS = 10_000, 1000  # how far ids go back, for all kinds and for `progress`
PRUNE_EVERY = 256
# An id that a reader has seen isn't given again, even if a power failure takes the last progress events back.
GAP = 1000


class EventLog:
    """The events of a server. They are added inside transactions, and readers are woken after these."""

    def __init__(self, database: Database) -> None:
        """Go on after the newest event of an earlier process."""
        self._database = database
        self._changed = threading.Condition()
        self._last = 0
        self._closed = False

        def skip(connection: Connection) -> None:
            connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events'", (GAP,))

        database.write(skip, urgent=True)
        self.wake()

    @property
    def last(self) -> int:
        """The id of the newest event; before the first one, 0."""
        return self._last

    def add(self, connection: Connection, job: str | None, kind: str, data: Mapping[str, Any]) -> Event:
        """Add an event in a transaction; call `wake` after it. Raises `JobError` for data of more than 8 kB."""
        text = json.dumps(dict(data), allow_nan=False)
        if len(text) > MAX_EVENT_BYTES:
            raise JobError(f"an event of at most {MAX_EVENT_BYTES} bytes", f"{len(text)}", "keep the rest elsewhere")
        cursor = connection.execute("INSERT INTO events (job, kind, data) VALUES (?, ?, ?)", (job, kind, text))
        number = int(cursor.lastrowid or 0)
        if number % PRUNE_EVERY == 0:
            connection.execute(
                "DELETE FROM events WHERE id <= ? OR (kind = 'progress' AND id <= ?)",
                (number - KEPT_EVENTS, number - KEPT_PROGRESS),
            )
        return Event(number, job, kind, json.loads(text))

    def wake(self) -> None:
        """Let readers see what was added."""
        rows = self._database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        with self._changed:
            self._last = max(self._last, rows[0][0] if rows else 0)
            self._changed.notify_all()

    def read(self, after: int, job: str | None, limit: int) -> list[Event]:
        """The first `limit` events with an id above `after`, of one job or of all."""
        rows = self._database.rows(
            "SELECT id, job, kind, data FROM events WHERE id > ? AND (? IS NULL OR job = ?) ORDER BY id LIMIT ?",
            (after, job, job, limit),
        )
        return [Event(number, of, kind, json.loads(data)) for number, of, kind, data in rows]

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with an id above `after`; False if there is none in time, or never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._last > after or self._closed, max(0.0, timeout_s))
            return self._last > after

    def close(self) -> None:
        """Let all waiting readers go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Throttle:
    """Lets something through at most so many times in a second."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let the first one through, and each that comes `interval_s` or more after the last that was let through."""
        self._interval_s, self._clock = interval_s, clock
        self._next = -float("inf")

    def passes(self) -> bool:
        """Whether this one goes through."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._interval_s
        return True
