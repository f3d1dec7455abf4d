"""How a job goes from one state to the next: functions of its row, applied in one transaction each."""

import time
from dataclasses import replace

from unveil.errors import RecipeError
from unveil.serve.jobs.errors import StateError
from unveil.serve.jobs.job import JobState
from unveil.serve.jobs.job_table import JobRow
from unveil.stopping import MaxRounds


def begun(row: JobRow, *, computed: bool) -> JobRow:
    """A queued job runs; unless it is `computed` already, it begins with its first round or with what is recorded.

    Raises `StateError` for a job that doesn't wait any more.
    """
    if row.job.state is not JobState.QUEUED:
        raise StateError("a waiting job", str(row.job.state), "try again")
    rounds = row.job.rounds if computed else row.recorded or 0
    return row.with_job(
        state=JobState.RUNNING,
        started=time.time(),
        finished=None,
        message=None,
        rounds=rounds,
        can_continue=False,
        stopping=False,
    )


def ended(row: JobRow, state: JobState, message: str) -> JobRow:
    """The job is over, with this `state` and `message`."""
    more = state is JobState.STOPPED
    return row.with_job(state=state, finished=time.time(), message=message, stopping=False, can_continue=more)


def stop_asked(row: JobRow) -> JobRow:
    """A queued job is stopped at once; a running one is asked to. Raises `StateError` for one that is over."""
    if row.job.state is JobState.QUEUED:
        return ended(row, JobState.STOPPED, "stopped before it began")
    if row.job.state is JobState.RUNNING:
        return row.with_job(stopping=True)
    raise StateError("a job that waits or runs", f"one that is {row.job.state}", "nothing is left to stop")


def queued_again(row: JobRow, rounds: int) -> JobRow:
    """A job that is over waits again, for `rounds` more rounds than it has; 0 goes on with the rules it had.

    Raises `StateError` for a job that can't continue, and `RecipeError` for a number out of range.
    """
    job = row.job
    if not job.can_continue:
        got = f"one that is {job.state}" + (", and has nothing more to find" if job.state is JobState.FINISHED else "")
        raise StateError("a job that was stopped or is finished", got, "submit a new one")
    if isinstance(rounds, bool) or rounds < 0:
        raise RecipeError("a number of further rounds, from 0 on", str(rounds), "3 is usual")
    if rounds == 0 and job.state is JobState.FINISHED:
        raise RecipeError("at least 1 further round", "0", "3 is usual")
    goal = MaxRounds(row.longest + rounds).rounds if rounds else row.goal
    changed = row.with_job(state=JobState.QUEUED, finished=None, message=None, can_continue=False)
    return replace(changed, goal=goal)


def after_restart(row: JobRow) -> JobRow:
    """A job that was running when its process ended waits again, unless it was asked to stop."""
    rounds = row.recorded or 0
    if row.job.stopping:
        return ended(row, JobState.STOPPED, "stopped when the server ended").with_job(rounds=rounds)
    return row.with_job(state=JobState.QUEUED, rounds=rounds)
