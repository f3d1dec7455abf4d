"""The loop over the workers, with archives whose items do to their workers what they say."""

import threading

import pytest

from stand_in_archive import ENTRY, StandInArchive, open_work
from unveil.batch.driver import run_archive
from unveil.batch.engines import Inline, Spawn
from unveil.batch.engines.base import ShardDone, WorkerDied, WorkerReady
from unveil.errors import BatchError, DiskFullError


class ScriptedEngine:
    """An engine whose workers die as told: `deaths` names shards and how often their worker dies on them."""

    def __init__(self, archive, workers=2, deaths=None, false_starts=0):
        self.archive, self.workers = archive, workers
        self.deaths, self.false_starts = dict(deaths or {}), false_starts
        self.events, self.asked, self.at_work, self.closed = [], [], {}, 0

    def start(self, worker):
        if self.false_starts:
            self.false_starts -= 1
            self.events.append(WorkerDied(worker, "exit code 1", "no weights"))
        else:
            self.events.append(WorkerReady(worker))

    def ask(self, worker, shard):
        self.asked.append(shard)
        self.at_work[worker] = shard

    def wait(self, timeout_s):
        events, self.events = self.events, []
        if events:
            return events
        # One at a time, the newest first: so that shards end in another order than they were given out.
        worker, shard = self.at_work.popitem()
        indices = self.archive.items_of(shard)
        cause = [name for name in (shard, *(f"item {index}" for index in indices)) if self.deaths.get(name)]
        if cause:
            self.deaths[cause[0]] -= 1
            return [WorkerDied(worker, "signal 9")]
        self.archive.publish(shard, dict.fromkeys(indices, "ok"))
        return [ShardDone(worker, len(indices), 0)]

    def close(self):
        self.closed += 1


def all_ok(count):
    return [(index, "ok") for index in range(count)]


def test_every_item_is_done_once_whatever_the_number_of_workers(tmp_path):
    for workers in (1, 2, 5):
        archive = StandInArchive(tmp_path / str(workers), ["ok"] * 30)
        engine = ScriptedEngine(archive, workers)
        result = run_archive(archive, engine)
        assert archive.rows() == all_ok(30)
        assert (result.complete, result.items_done, result.shards_done, result.deaths) == (True, 30, 8, 0)
        assert sorted(engine.asked) == archive.planned()
        assert engine.closed == 1
        assert archive.compacted == 1


def test_nothing_is_started_when_nothing_is_missing(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 9)
    run_archive(archive, ScriptedEngine(archive))
    engine = ScriptedEngine(archive)
    assert run_archive(archive, engine).items_done == 0
    assert (engine.asked, engine.closed) == ([], 0)


def test_a_shard_whose_worker_died_is_tried_after_all_others(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 20)
    engine = ScriptedEngine(archive, 2, {"00001": 1})
    result = run_archive(archive, engine)
    assert archive.rows() == all_ok(20)
    assert engine.asked[-1] == "00001" and engine.asked.count("00001") == 2
    assert result.deaths == 1


def test_an_item_that_kills_is_found_and_becomes_a_failure(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 12)
    engine = ScriptedEngine(archive, 2, {"item 6": 99})
    result = run_archive(archive, engine)
    expected = all_ok(12)
    expected[6] = (6, "killed its worker (signal 9)")
    assert archive.rows() == expected
    # Twice with its shard, twice alone.
    assert 99 - engine.deaths["item 6"] == result.deaths == 4
    assert result.failed == 1


def test_an_item_that_killed_is_tried_again_while_nothing_else_runs(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 12)
    engine = ScriptedEngine(archive, 3, {"item 6": 3})
    others = []
    ask = engine.ask

    def watch(worker, shard):
        if shard == "00001.i000006":
            others.append(sorted(engine.at_work.values()))
        ask(worker, shard)

    engine.ask = watch
    run_archive(archive, engine)
    assert archive.rows() == all_ok(12)
    assert len(others) == 2 and others[1] == []


def test_deaths_are_remembered_by_the_next_call(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8)
    stop = threading.Event()
    engine = ScriptedEngine(archive, 1, {"00000": 1})
    wait = engine.wait

    def wait_and_stop(timeout_s):
        events = wait(timeout_s)
        if any(isinstance(event, WorkerDied) for event in events):
            stop.set()
        return events

    engine.wait = wait_and_stop
    assert not run_archive(archive, engine, stop=stop).complete
    assert engine.closed == 1
    again = ScriptedEngine(archive, 1, {"00000": 1})
    run_archive(archive, again)
    assert [shard for shard in again.asked if shard.startswith("00000.i")] == [
        f"00000.i00000{index}" for index in range(4)
    ]
    assert archive.rows() == all_ok(8)
    assert not (archive.folder / "deaths.json").exists()


def test_a_damaged_count_of_deaths_counts_nothing(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8)
    for text in ("{", "[1]", '{"00000": "x"}', "\udcff"):
        (archive.folder / "deaths.json").write_text(text, errors="surrogateescape")
        run_archive(archive, ScriptedEngine(archive))
    assert archive.rows() == all_ok(8)


def test_workers_that_cant_start_are_one_error_with_what_they_wrote(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8)
    with pytest.raises(BatchError, match=r"ended 3 times before any work \(exit code 1\): no weights"):
        run_archive(archive, ScriptedEngine(archive, 1, false_starts=99))
    assert run_archive(archive, ScriptedEngine(archive, 1, false_starts=2)).complete


def test_deaths_without_end_end_the_call(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 400)
    engine = ScriptedEngine(archive, 2, {f"item {index}": 99 for index in range(400)})
    with pytest.raises(BatchError, match="30 that died one after another"):
        run_archive(archive, engine)


def test_progress_never_falls_below_what_was_there_and_ends_at_all(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 30)
    archive.publish("00002", dict.fromkeys(archive.items_of("00002"), "ok"))
    seen = []
    run_archive(archive, ScriptedEngine(archive, 2, {"00001": 1}), on_progress=seen.append)
    assert seen[0].items_done >= 4 and seen[0].items_total == 30
    assert seen[-1].items_done == 30 and seen[-1].seconds_left == 0
    assert [one.items_done for one in seen] == sorted(one.items_done for one in seen)


def test_shards_that_are_damaged_are_done_again(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8)
    compact = archive.compact

    def damage():
        if not archive.compacted:
            (archive.folder / "shards" / "00001").unlink()
        compact()

    archive.compact = damage
    assert run_archive(archive, ScriptedEngine(archive)).items_done == 12
    assert archive.rows() == all_ok(8)


def test_a_disk_that_damages_without_end_is_told(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8)
    archive.compact = (archive.folder / "shards" / "00001").unlink
    with pytest.raises(BatchError, match="damaged shards after 3 passes"):
        run_archive(archive, ScriptedEngine(archive))


def test_inline_is_the_same(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok", "fail"] * 9)
    result = run_archive(archive, Inline(lambda: open_work(archive.folder)))
    assert (result.items_done, result.failed) == (18, 9)
    assert archive.rows() == [(index, "damaged" if index % 2 else "ok") for index in range(18)]


def test_inline_leaves_its_shard_when_it_is_stopped(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 12)
    stop = threading.Event()

    def open_and_stop():
        work = open_work(archive.folder)

        def stopping(shard, on_item):
            if shard == "00001":
                stop.set()
            return work(shard, on_item)

        return stopping

    result = run_archive(archive, Inline(open_and_stop, stop), stop=stop)
    assert not result.complete
    assert archive.rows() == all_ok(4)


def test_processes_with_everything_that_goes_wrong(tmp_path):
    actions = ["ok"] * 40
    actions[5], actions[17], actions[30], actions[33] = "kill", "kill once", "fail", "raise"
    archive = StandInArchive(tmp_path / "archive", actions, shard_size=8)
    result = run_archive(archive, Spawn(archive.folder, 2, entry=ENTRY))
    expected = all_ok(40)
    expected[5] = (5, "killed its worker (signal 9, probably out of memory)")
    expected[30] = (30, "damaged")
    expected[33] = (33, "killed its worker (exit code 1: ValueError: unexpected)")
    assert archive.rows() == expected
    assert (result.failed, result.deaths) == (3, 9)


def test_a_full_disk_stops_all_and_the_next_call_completes(tmp_path):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 8 + ["full"] + ["ok"] * 31)
    with pytest.raises(DiskFullError):
        run_archive(archive, Spawn(archive.folder, 2, entry=ENTRY))
    text = (archive.folder / "items.json").read_text().replace("full", "ok")
    (archive.folder / "items.json").write_text(text)
    run_archive(archive, Spawn(archive.folder, 2, entry=ENTRY))
    assert archive.rows() == all_ok(40)
