"""The table of jobs: every change of a job is one transaction together with its event."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from unveil.serve.jobs.database import Connection, Database
from unveil.serve.jobs.errors import NotFoundError, QueueFullError
from unveil.serve.jobs.event_log import EventLog
from unveil.serve.jobs.job import Event, Job, JobRequest, JobState

COLUMNS = (
    "id, request, state, created, started, finished, rounds, message, image_name, version, can_continue, stopping, "
    "place, goal, recorded, longest"
)
INSERT = f"INSERT INTO jobs ({COLUMNS}) VALUES ({', '.join('?' * 16)})"  # noqa: S608 (a constant)
SELECT = f"SELECT {COLUMNS} FROM jobs"  # noqa: S608 (a constant)
UPDATE = """UPDATE jobs SET state = ?, started = ?, finished = ?, rounds = ?, message = ?, version = ?,
can_continue = ?, stopping = ?, place = ?, goal = ?, recorded = ?, longest = ? WHERE id = ?"""


@dataclass(frozen=True)
class JobRow:
    """A job, and what only the worker needs to know.

    Attributes:
        job: The job as others see it.
        place: Its place in the queue; smaller ones come first.
        goal: The number of rounds of each track that `go_on` asked for; None where the recipe's stop decides.
        recorded: The number of rounds in its record; None while there is no record.
        longest: The number of rounds of the track that has most.
    """

    job: Job
    place: int
    goal: int | None = None
    recorded: int | None = None
    longest: int = 0

    def with_job(self, **changes: Any) -> "JobRow":
        """The row with some fields of its job changed."""
        return replace(self, job=replace(self.job, **changes))


Change = Callable[[JobRow], JobRow]
EventData = Callable[[Job], Mapping[str, Any]]


def describe_state(job: Job) -> dict[str, Any]:
    """The data of a `state` event."""
    return {"state": str(job.state), "message": job.message, "version": job.version}


class JobTable:
    """The jobs of a server."""

    def __init__(self, database: Database, log: EventLog, queue_limit: int) -> None:
        """Keep jobs in `database`, tell `log` about them, and let at most `queue_limit` wait."""
        self._database, self._log, self._queue_limit = database, log, queue_limit

    def add(self, request: JobRequest, image_name: str) -> Job:
        """Queue a new job. Raises `QueueFullError`."""
        job = Job(
            secrets.token_hex(8), request, JobState.QUEUED, time.time(), None, None, 0, None, image_name, version=1
        )

        def insert(connection: Connection) -> None:
            row = JobRow(job, self.place_in_queue(connection))
            connection.execute(INSERT, _values(row))
            self._log.add(connection, job.id, "state", describe_state(job))

        self._database.write(insert)
        self._log.wake()
        return job

    def place_in_queue(self, connection: Connection) -> int:
        """The place after all others. Raises `QueueFullError`."""
        waiting, last = connection.execute(
            "SELECT count(*) FILTER (WHERE state = ?), max(place) FROM jobs", (str(JobState.QUEUED),)
        ).fetchone()
        if waiting >= self._queue_limit:
            raise QueueFullError(f"at most {self._queue_limit} waiting jobs", "one more", "wait until some are done")
        return (last or 0) + 1

    def read(self, job_id: str) -> JobRow:
        """One job. Raises `NotFoundError`."""
        rows = self._database.rows(f"{SELECT} WHERE id = ?", (job_id,))
        if not rows:
            raise missing_job(job_id)
        return _row(rows[0])

    def newest(self, limit: int, before: str | None) -> list[Job]:
        """The newest first; with `before`, only those that are older than this one. Raises `NotFoundError`."""
        if before is None:
            rows = self._database.rows(f"{SELECT} ORDER BY seq DESC LIMIT ?", (limit,))
        else:
            self.read(before)
            older = "WHERE seq < (SELECT seq FROM jobs WHERE id = ?)"
            rows = self._database.rows(f"{SELECT} {older} ORDER BY seq DESC LIMIT ?", (before, limit))
        return [_row(row).job for row in rows]

    def ids(self) -> set[str]:
        """The ids of all jobs."""
        return {job_id for (job_id,) in self._database.rows("SELECT id FROM jobs")}

    def in_state(self, state: JobState, limit: int = -1) -> list[JobRow]:
        """The jobs in a state, in the order of the queue; at most `limit` of them, if it isn't negative."""
        query = f"{SELECT} WHERE state = ? ORDER BY place LIMIT ?"
        return [_row(row) for row in self._database.rows(query, (str(state), limit))]

    def change(
        self,
        job_id: str,
        change: Change,
        events: Mapping[str, EventData] | None = None,
        *,
        requeue: bool = False,
        urgent: bool = True,
    ) -> JobRow:
        """Change a job in one transaction, and give it a new version.

        Args:
            job_id: The id of the job.
            change: Called with the row as it is; what it raises leaves everything as it was.
            events: What is told, by kind; a `state` event if nothing else is given.
            requeue: Whether the job goes to the end of the queue.
            urgent: Whether space that is reserved for a full disk may be used.

        Raises `NotFoundError` for a job that was deleted, and `QueueFullError`.
        """

        def update(connection: Connection) -> JobRow:
            query = f"{SELECT} WHERE id = ?"
            found = connection.execute(query, (job_id,)).fetchone()
            if found is None:
                raise missing_job(job_id)
            before = _row(found)
            row = change(before)
            if requeue:
                row = replace(row, place=self.place_in_queue(connection))
            row = row.with_job(version=before.job.version + 1)
            connection.execute(UPDATE, _changed_values(row))
            for kind, data in ({"state": describe_state} if events is None else events).items():
                self._log.add(connection, job_id, kind, data(row.job))
            return row

        row = self._database.write(update, urgent=urgent)
        self._log.wake()
        return row

    def tell(self, job_id: str, kind: str, data: Mapping[str, Any], *, durable: bool = True) -> Event:
        """Add an event of a job, which stays as it is. Raises `NotFoundError`, and `JobError` for too much data.

        Without `durable`, a power failure may take the event back.
        """

        def add(connection: Connection) -> Event:
            if connection.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone() is None:
                raise missing_job(job_id)
            return self._log.add(connection, job_id, kind, data)

        event = self._database.write(add, durable=durable)
        self._log.wake()
        return event

    def delete(self, job_id: str) -> None:
        """Remove a job and its events; one event says so. Raises `NotFoundError`."""

        def remove(connection: Connection) -> None:
            if connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,)).rowcount == 0:
                raise missing_job(job_id)
            connection.execute("DELETE FROM events WHERE job = ?", (job_id,))
            self._log.add(connection, job_id, "deleted", {})

        self._database.write(remove, urgent=True)
        self._log.wake()


def missing_job(job_id: str) -> NotFoundError:
    """The error for an id that no job has."""
    return NotFoundError("the id of a job", repr(job_id)[:40], "it may have been deleted; list the jobs again")


def _values(row: JobRow) -> tuple:
    job = row.job
    request = json.dumps(asdict(job.request), allow_nan=False)
    times = (job.created, job.started, job.finished)
    shown = (job.rounds, job.message, job.image_name, job.version, job.can_continue, job.stopping)
    return (job.id, request, str(job.state), *times, *shown, row.place, row.goal, row.recorded, row.longest)


def _changed_values(row: JobRow) -> tuple:
    job = row.job
    shown = (str(job.state), job.started, job.finished, job.rounds, job.message, job.version)
    return (*shown, job.can_continue, job.stopping, row.place, row.goal, row.recorded, row.longest, job.id)


def _row(values: tuple) -> JobRow:
    job_id, request, state, created, started, finished, rounds, message, name, version, more, stopping = values[:12]
    job = Job(
        job_id,
        JobRequest(**json.loads(request)),
        JobState(state),
        created,
        started,
        finished,
        rounds,
        message,
        name,
        version,
        can_continue=bool(more),
        stopping=bool(stopping),
    )
    return JobRow(job, *values[12:])
