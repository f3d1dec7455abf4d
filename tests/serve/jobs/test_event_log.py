"""Events: none is lost, none comes twice, whatever id a reader begins with."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.serve.jobs.database import Database
from unveil.serve.jobs.errors import JobError
from unveil.serve.jobs.event_log import GAP, KEPT_EVENTS, KEPT_PROGRESS, EventLog, Throttle

KINDS = ("state", "progress", "round")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("events"))
    yield EventLog(database), database
    database.close()


def add(log: EventLog, database: Database, job: str | None, kind: str = "round", **data):
    event = database.write(lambda connection: log.add(connection, job, kind, data), durable=False)
    log.wake()
    return event


@given(
    jobs=st.lists(st.sampled_from(["a", "b", None]), max_size=12), pieces=st.integers(1, 5), skipped=st.integers(0, 12)
)
def test_reading_in_pieces_from_any_id_gives_what_was_added(log, jobs, pieces, skipped):
    events, database = log
    start = events.last
    added = [add(events, database, job, number=number) for number, job in enumerate(jobs)]
    after = start + skipped
    for job in (None, "a", "b"):
        found, at = [], after
        while piece := events.read(at, job, pieces):
            found.extend(piece)
            at = piece[-1].id
        assert found == [event for event in added if event.id > after and (job is None or event.job == job)]


def test_readers_that_follow_while_others_write_see_everything_once(log):
    events, database = log
    start, seen, total = events.last, [], 200

    def follow():
        at = start
        while len(seen) < total:
            assert events.wait(at, 30)
            for event in events.read(at, None, 10):
                seen.append(event.id)
                at = event.id

    reader = threading.Thread(target=follow)
    writers = [
        threading.Thread(target=lambda: [add(events, database, "a") for _ in range(total // 4)]) for _ in range(4)
    ]
    for thread in (reader, *writers):
        thread.start()
    for thread in (*writers, reader):
        thread.join(60)
    assert seen == sorted(set(seen))
    assert len(seen) == total


def test_ids_are_never_given_again_after_a_restart(tmp_path):
    database = Database(tmp_path)
    first = add(EventLog(database), database, "a")
    database.close()
    database = Database(tmp_path)
    log = EventLog(database)
    assert log.last >= first.id
    assert add(log, database, "a").id > first.id + GAP
    assert [event.job for event in log.read(0, None, 10)] == ["a", "a"]
    database.close()


def test_nothing_is_told_of_a_transaction_that_failed(log):
    events, database = log
    before = events.last

    def body(connection):
        events.add(connection, "a", "round", {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(body)
    events.wake()
    assert events.last == before
    assert events.read(before, None, 10) == []


def test_old_events_are_removed_and_old_progress_sooner(tmp_path):
    database = Database(tmp_path)
    log = EventLog(database)

    def many(connection):
        for number in range(KEPT_EVENTS + 1000):
            log.add(connection, "a", KINDS[number % 3], {"number": number})

    database.write(many, durable=False)
    log.wake()
    events = log.read(0, None, 10**6)
    last = log.last
    progress = [event.id for event in events if event.kind == "progress"]
    others = [event.id for event in events if event.kind != "progress"]
    assert last - KEPT_EVENTS - 256 <= others[0] <= last - KEPT_EVENTS + 256
    assert last - KEPT_PROGRESS - 256 <= progress[0] <= last - KEPT_PROGRESS + 256
    assert [number for number in range(progress[0], last + 1) if (number - 1) % 3 == 1] == progress
    database.close()


def test_large_data_are_refused(log):
    events, database = log
    with pytest.raises(JobError, match="8192"):
        add(events, database, "a", text="x" * 9000)
    with pytest.raises(ValueError, match="JSON"):
        add(events, database, "a", value=float("nan"))


def test_waiting_ends_with_the_time_or_the_log(tmp_path):
    database = Database(tmp_path)
    log = EventLog(database)
    assert not log.wait(0, 0.01)
    event = add(log, database, None)
    assert log.wait(event.id - 1, 0)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(log.wait(event.id, 60)))
    waiting.start()
    log.close()
    waiting.join(30)
    assert answers == [False]
    database.close()


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=60))
def test_a_throttle_lets_few_through_in_any_window(steps):
    now, times = [0.0], []
    throttle = Throttle(0.1, lambda: now[0])
    for step in steps:
        now[0] += step
        if throttle.passes():
            times.append(now[0])
    assert times[0] == steps[0]
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(times))
    # And no fewer than that: whatever comes that late goes through.
    at, expected = 0.0, []
    for step in steps:
        at += step
        if not expected or at >= expected[-1] + 0.1:
            expected.append(at)
    assert times == expected
