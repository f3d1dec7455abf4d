"""Processes that die, end or come too late: the tables are those of an uninterrupted run.

benchmarks/batch_faults.py does this sixty times and more, on Ray too, and cuts the power.
"""

import os
import signal
import time
from pathlib import Path

import pytest

from batch_drivers import drive, start_driver
from batch_sets import content, quick_plan, write_network, write_samples
from unveil.batch import open_archive
from unveil.batch.base import split_name
from unveil.batch.work import work

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
COUNT, KILLING = 24, 4


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A plan with images, and the rows of an uninterrupted run by one worker."""
    folder = tmp_path_factory.mktemp("data")
    plan = quick_plan(write_network(folder), shard_size=3)
    kinds = dict.fromkeys(range(COUNT), "slow") | {5: "damaged", 15: "damaged"}
    samples = write_samples(folder / "images", COUNT, kinds)
    archive = open_archive(folder / "whole", plan, samples)
    os.environ["UNVEIL_TEST_SLOW_S"] = "0.1"
    drive(archive, "spawn", 1)
    yield plan, samples, content(archive.folder)
    del os.environ["UNVEIL_TEST_SLOW_S"]


def children(process):
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def wait_for_shards(archive, count):
    until = time.monotonic() + 60
    while len(archive.published()) < count:
        assert time.monotonic() < until, "no shard came"
        time.sleep(0.01)


def finish(driver):
    _, errors = driver.communicate(timeout=120)
    return driver.returncode, errors


def test_an_item_that_kills_its_worker_is_a_row(tmp_path, given):
    plan, _, expected = given
    # The images of the other archive, but for one.
    samples = write_samples(tmp_path, 6, {5: "damaged", KILLING: "killing"} | dict.fromkeys(range(4), "slow"))
    archive = open_archive(tmp_path / "out", plan, samples)
    result = drive(archive, "spawn", 2)
    rows = content(archive.folder)["images"]
    assert [row["index"] for row in rows] == list(range(6))
    assert [row["sha256"] for row in rows[:4]] == [row["sha256"] for row in expected["images"][:4]]
    failed = {row["index"]: row["error"] for row in rows if row["status"] == "failed"}
    assert sorted(failed) == [KILLING, 5] and (result.failed, result.deaths) == (2, 4)
    assert failed[KILLING] == "killed its worker (signal 9, probably out of memory)"


def test_killed_workers_and_drivers_lose_nothing(tmp_path, given):
    plan, samples, expected = given
    archive = open_archive(tmp_path / "out", plan, samples)
    driver = start_driver(archive.folder, "spawn", 2)
    wait_for_shards(archive, 1)
    worker = children(driver.pid)[0]
    os.kill(worker, signal.SIGKILL)
    wait_for_shards(archive, 3)
    driver.kill()
    assert finish(driver)[0] == -signal.SIGKILL
    archive = open_archive(tmp_path / "out", plan, samples)
    assert archive.missing() and not archive.verify()
    code, errors = finish(start_driver(archive.folder, "spawn", 2))
    assert (code, errors) == (0, "")
    assert content(archive.folder) == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_all_workers_and_leaves_nothing_half_written(tmp_path, given, number, code):
    plan, samples, _ = given
    archive = open_archive(tmp_path / "out", plan, samples)
    driver = start_driver(archive.folder, "spawn", 2)
    wait_for_shards(archive, 1)
    workers = children(driver.pid)
    driver.send_signal(number)
    assert finish(driver) == (code, "")
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
    archive = open_archive(tmp_path / "out", plan, samples)
    assert list((archive.folder / "tmp").iterdir()) == archive.verify() == []
    assert 0 < len(archive.missing()) < len(archive.shards())


def test_a_second_driver_is_refused_while_the_first_goes_on(tmp_path, given):
    plan, samples, expected = given
    archive = open_archive(tmp_path / "out", plan, samples)
    first = start_driver(archive.folder, "spawn", 2)
    wait_for_shards(archive, 1)
    code, errors = finish(start_driver(archive.folder, "spawn", 1))
    assert code == 1 and f"got process {first.pid};" in errors and errors.count("\n") == 1
    assert finish(first) == (0, "")
    assert content(archive.folder) == expected


def test_an_orphan_that_publishes_late_makes_no_row_twice(tmp_path, given):
    plan, samples, expected = given
    archive = open_archive(tmp_path / "out", plan, samples)
    classifier = plan.load_classifier()

    def publish(name):
        work(archive.folder, plan, name, classifier=classifier)

    pieces = [split_name("00000", index) for index in archive.items_of("00000")]
    for name in (*pieces, "00000", pieces[0], "00001", split_name("00001", 3), split_name("00003", 9), "00003"):
        publish(name)
    drive(archive, "spawn", 2)
    assert content(archive.folder) == expected
    # After the tables were written as well.
    publish(pieces[1])
    publish("00000")
    drive(archive, "spawn", 2)
    assert content(archive.folder) == expected
