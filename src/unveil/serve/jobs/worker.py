"""The thread that runs the jobs of a server, one after the other, and answers questions in between."""

import threading
from collections.abc import Callable
from dataclasses import replace

from unveil.context import RunContext
from unveil.errors import RecordError, UnveilError, named_line
from unveil.records import Run
from unveil.serve.jobs.contexts import KeptContext, context_of_record, copy_context
from unveil.serve.jobs.database import Database
from unveil.serve.jobs.errors import NotFoundError, StateError
from unveil.serve.jobs.execution import InterruptReason, JobExecution, JobInterrupt, Tools
from unveil.serve.jobs.job import JobState
from unveil.serve.jobs.job_table import EventData, JobRow, describe_state
from unveil.serve.jobs.questions import Questions
from unveil.serve.jobs.record_files import RecordFiles
from unveil.serve.jobs.transitions import begun, ended
from unveil.store import load_run
from unveil.texts import escape_control

IDLE_S, RETRY_S = 60.0, 1.0
MAX_MESSAGE = 500


class Worker:
    """The thread; `start` and `close` it once. What it does with a job, the table tells."""

    def __init__(self, database: Database, tools: Tools, files: RecordFiles) -> None:
        """Take jobs from the table of `tools`, and write their records to `files`."""
        self._database, self._tools, self._files = database, tools, files
        self._wake, self._closing, self._look = threading.Event(), threading.Event(), threading.Event()
        self.questions = Questions(self.wake)
        self._current: JobExecution | None = None
        self._current_id: str | None = None
        self._thread = threading.Thread(target=self._work, name="unveil-jobs", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self, timeout_s: float = 60.0) -> None:
        """Leave the running job, which will start again next time, and end the thread."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        self.questions.close()

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    def look(self) -> None:
        """Say that the running job may have been stopped or deleted."""
        self._look.set()

    def is_own_thread(self) -> bool:
        """Whether this is called in the worker's thread."""
        return threading.current_thread() is self._thread

    def context_of(self, job_id: str) -> RunContext:
        """A copy of the context of a job, for a question; only for the worker's thread.

        Raises `NotFoundError`, and `StateError` for a job without a prediction.
        """
        running = self._current.context if self._current is not None and self._current_id == job_id else None
        if running is not None:
            return copy_context(running)
        row, kept = self._tools.table.read(job_id), self._tools.kept.get(job_id)
        if kept is None:
            folder = self._files.record(job_id)
            if row.recorded is None or folder is None:
                raise StateError("a job that has begun", f"{job_id}, {row.job.state}", "wait for its first prediction")
            request = row.job.request
            classifier = self._tools.pool.get(request.model)
            image = self._tools.images.read(request.image, classifier.preprocessing.channels)
            kept = KeptContext(context_of_record(load_run(folder), image, classifier), exact=False)
            self._tools.kept.keep(job_id, kept)
        return copy_context(kept.context)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                busy = self._step()
            except JobInterrupt:
                continue
            except (RecordError, StateError):
                # The disk is full, or the table can't be read: nothing to do but to wait.
                busy = False
                self._closing.wait(RETRY_S)
            if not busy:
                self._wake.wait(IDLE_S)
                self._wake.clear()

    def _step(self) -> bool:
        """Do what is to be done next; False if there is nothing."""
        self.questions.answer_all(self.context_of)
        if self._tools.pool.load_next():
            return True
        rows = self._tools.table.in_state(JobState.QUEUED, 1)
        if not rows:
            return False
        if not self._database.restore_reserve():
            # No record could be written: jobs wait until there is space again.
            self._wake.wait(RETRY_S)
            self._wake.clear()
            return True
        self._run_job(rows[0])
        return True

    def _between_batches(self) -> None:
        """Answer questions; leave the running job if it was stopped or deleted, or if the server ends."""
        if self._closing.is_set():
            raise JobInterrupt(InterruptReason.CLOSING)
        if self._look.is_set() and self._current_id is not None:
            self._look.clear()
            try:
                stopping = self._tools.table.read(self._current_id).job.stopping
            except NotFoundError:
                raise JobInterrupt(InterruptReason.DELETED) from None
            if stopping:
                raise JobInterrupt(InterruptReason.STOPPED)
        self.questions.answer_all(self.context_of)
        self._tools.pool.load_next()

    def _run_job(self, row: JobRow) -> None:
        job_id = row.job.id
        kept = self._tools.kept.get(job_id)
        computed = kept is not None and kept.exact
        try:
            row = self._tools.table.change(job_id, lambda found: begun(found, computed=computed))
        except (NotFoundError, StateError):
            return  # deleted or stopped just now
        execution = JobExecution(self._tools, row, self._between_batches)
        self._current, self._current_id = execution, job_id
        try:
            try:
                self._finish(job_id, execution, execution.execute())
            except JobInterrupt as interrupt:
                self._leave(job_id, execution, interrupt.reason)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a network raises ends one job, not all)
            self._fail(job_id, error)
        finally:
            self._current = self._current_id = None

    def _finish(self, job_id: str, execution: JobExecution, run: Run) -> None:
        execution.keep()
        message = _one_line("; ".join(reason.text for reason in run.stops.values()))
        events: dict[str, EventData] = {"state": describe_state, "finished": lambda job: {"version": job.version}}
        self._record(job_id, execution, run, JobState.FINISHED, message, events)

    def _leave(self, job_id: str, execution: JobExecution, reason: InterruptReason) -> None:
        if reason is InterruptReason.CLOSING:
            self._settle(job_id, lambda row: row.with_job(state=JobState.QUEUED, rounds=row.recorded or 0))
            return
        if reason is InterruptReason.DELETED:
            self._discard(job_id)
            return
        execution.keep()
        run = execution.unfinished()
        if run is None:
            self._settle(job_id, lambda row: ended(row, JobState.STOPPED, "stopped before the first round"))
            return
        count = len(run.rounds)
        message = f"stopped after {count} round{'s' * (count != 1)}"
        if all(track.stop is not None for track in (execution.context.tracks if execution.context else ())):
            message += ", before the trust cards were done"
        self._record(job_id, execution, run, JobState.STOPPED, message, {"state": describe_state})

    def _record(
        self,
        job_id: str,
        execution: JobExecution,
        run: Run,
        state: JobState,
        message: str,
        events: dict[str, EventData],
    ) -> None:
        """Write the record, and only then that the job is over."""
        self._files.save(job_id, run)
        # Whoever is told that the job is over gets all of it.
        self._tools.live.show(job_id, run)
        # A stopped job can at least be finished.
        more = state is JobState.STOPPED or execution.can_continue
        rounds, longest = len(run.rounds), execution.longest

        def change(row: JobRow) -> JobRow:
            over = ended(row, state, message).with_job(rounds=rounds, can_continue=more)
            return replace(over, recorded=rounds, longest=longest)

        self._settle(job_id, change, events)
        self._tools.live.drop(job_id)

    def _fail(self, job_id: str, error: BaseException) -> None:
        text = str(error) if isinstance(error, UnveilError) else named_line(error)
        folder = str(self._database.folder)
        message = _one_line(text.replace(f"{folder}/", "").replace(folder, "the server's folder"))
        if self._current is not None:
            self._current.keep()
        self._settle(
            job_id,
            lambda row: ended(row, JobState.FAILED, message).with_job(can_continue=row.job.rounds > 0),
        )

    def _settle(
        self, job_id: str, change: Callable[[JobRow], JobRow], events: dict[str, EventData] | None = None
    ) -> None:
        """Change a job as soon as that can be written; what belongs to a job that was deleted is removed."""
        while True:
            try:
                self._tools.table.change(job_id, change, events)
            except NotFoundError:
                self._discard(job_id)
            except RecordError:
                if not self._closing.wait(RETRY_S):
                    continue
            return

    def _discard(self, job_id: str) -> None:
        self._tools.kept.forget(job_id)
        self._tools.live.drop(job_id)
        self._files.remove(job_id)


def _one_line(text: str) -> str:
    return escape_control(" ".join(text.split()))[:MAX_MESSAGE]
