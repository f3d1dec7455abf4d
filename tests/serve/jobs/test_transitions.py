"""The states of a job: a walk through all that may be asked of it in any order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.errors import UnveilError
from unveil.serve.jobs import Job, JobRequest, JobState, StateError
from unveil.serve.jobs.job_table import JobRow
from unveil.serve.jobs.transitions import after_restart, begun, ended, queued_again, stop_asked

NEW = JobRow(Job("0" * 16, JobRequest("i", "m"), JobState.QUEUED, 1.0, None, None, 0, None, "a.png", 1), 1)
STEPS = {
    "stop": stop_asked,
    "go on": lambda row: queued_again(row, 2),
    "resume": lambda row: queued_again(row, 0),
    "begin": lambda row: begun(row, computed=False),
    "restart": after_restart,
    "finish": lambda row: replace(
        ended(row, JobState.FINISHED, "done").with_job(rounds=3, can_continue=True), recorded=3, longest=3
    ),
    "fail": lambda row: ended(row, JobState.FAILED, "no"),
}
# What the worker does is only asked of a running job, and a restart only finds running ones.
OF_RUNNING = ("restart", "finish", "fail")


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=14))
def test_any_order_of_steps_leaves_a_job_that_makes_sense(steps):
    row = NEW
    for step in steps:
        if step in OF_RUNNING and row.job.state is not JobState.RUNNING:
            continue
        before = row
        try:
            row = STEPS[step](row)
        except UnveilError:
            assert row == before
            continue
        job = row.job
        assert not job.can_continue or job.state.is_over
        assert not job.stopping or job.state is JobState.RUNNING
        assert (job.finished is not None) == job.state.is_over
        assert (job.message is not None) == job.state.is_over
        assert job.request == NEW.job.request
        assert row.goal is None or row.goal >= 2
        if step in ("go on", "resume"):
            assert job.state is JobState.QUEUED
            assert row.goal == (before.longest + 2 if step == "go on" else before.goal)


def test_a_job_that_was_asked_to_stop_does_not_run_again_after_a_restart():
    running = begun(NEW, computed=False).with_job(rounds=2)
    asked = stop_asked(running)
    assert (asked.job.state, asked.job.stopping) == (JobState.RUNNING, True)
    later = after_restart(asked).job
    # Its rounds were never recorded, so there are none; they can be computed again.
    assert (later.state, later.rounds, later.can_continue) == (JobState.STOPPED, 0, True)
    again = after_restart(replace(running, recorded=1)).job
    assert (again.state, again.rounds, again.stopping) == (JobState.QUEUED, 1, False)


def test_a_job_begins_once():
    with pytest.raises(StateError):
        begun(begun(NEW, computed=False), computed=False)
    with pytest.raises(StateError):
        begun(stop_asked(NEW), computed=False)
