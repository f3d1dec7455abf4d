"""Processes as workers: what they report, how they end, what they inherit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stand_in_archive import ENTRY, StandInArchive
from unveil.batch.engines.base import ItemsDone, ShardDone, WorkerDied, WorkerReady
from unveil.batch.engines.spawn import THREAD_VARIABLES, Spawn
from unveil.errors import BatchError, DiskFullError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def spawn():
    """Makes engines, and ends their processes."""
    engines = []

    def make(folder, workers=1, entry=ENTRY):
        engines.append(Spawn(folder, workers, entry=entry))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def wait_for(engine, kind, seconds=30):
    """The first event of a kind, and all before it."""
    seen = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seen += engine.wait(0.2)
        if found := [event for event in seen if isinstance(event, kind)]:
            return found[0], seen
    raise AssertionError(f"no {kind.__name__} among {seen}")


def test_a_worker_reports_that_it_is_ready_its_items_and_its_shard(tmp_path, spawn):
    archive = StandInArchive(tmp_path, ["ok", "fail", "slow", "ok"])
    engine = spawn(tmp_path)
    engine.start(0)
    wait_for(engine, WorkerReady)
    engine.ask(0, "00000")
    done, seen = wait_for(engine, ShardDone)
    assert done == ShardDone(0, 3, 1)
    assert [event.items for event in seen if isinstance(event, ItemsDone)] in ([1, 3], [1, 2, 3], [1, 3, 4])
    assert archive.rows() == [(0, "ok"), (1, "damaged"), (2, "ok"), (3, "ok")]


def test_a_killed_worker_is_told_with_its_signal(tmp_path, spawn):
    StandInArchive(tmp_path, ["ok", "kill"])
    engine = spawn(tmp_path)
    engine.start(0)
    wait_for(engine, WorkerReady)
    engine.ask(0, "00000")
    died, _ = wait_for(engine, WorkerDied)
    assert died.reason == "signal 9, probably out of memory"


@pytest.mark.parametrize(("action", "text"), [("raise", "ValueError: unexpected"), ("memory", "MemoryError")])
def test_an_unexpected_error_ends_the_worker_and_is_told(tmp_path, spawn, action, text):
    StandInArchive(tmp_path, [action])
    engine = spawn(tmp_path)
    engine.start(0)
    wait_for(engine, WorkerReady)
    engine.ask(0, "00000")
    died, _ = wait_for(engine, WorkerDied)
    assert died.reason == f"exit code 1: {text}"


def test_a_full_disk_in_a_worker_is_the_drivers_error(tmp_path, spawn):
    StandInArchive(tmp_path, ["full"])
    engine = spawn(tmp_path)
    engine.start(0)
    wait_for(engine, WorkerReady)
    engine.ask(0, "00000")
    with pytest.raises(DiskFullError, match="No space left on device"):
        wait_for(engine, ShardDone)


def test_an_archive_that_cant_be_opened_is_the_drivers_error(tmp_path, spawn):
    StandInArchive(tmp_path, ["ok"])
    (tmp_path / "no-weights").touch()
    engine = spawn(tmp_path)
    engine.start(0)
    with pytest.raises(BatchError, match="the weights of the plan"):
        wait_for(engine, WorkerReady)


def test_what_a_dying_worker_wrote_is_told(tmp_path, spawn):
    StandInArchive(tmp_path, ["ok"])
    (tmp_path / "broken").write_text("first\nno such device")
    engine = spawn(tmp_path)
    engine.start(0)
    died, _ = wait_for(engine, WorkerDied)
    assert (died.reason, died.detail) == ("exit code 3: no such device", "first\nno such device")


def open_telling_work(folder: Path):
    """Writes what the process knows of its surroundings, and prints where the driver listens."""
    print("a line that isn't JSON")  # noqa: T201

    def work(shard, on_item):
        known = {name: os.environ.get(name) for name in THREAD_VARIABLES}
        told = {"env": known, "modules": sorted(sys.modules), "path": sys.path, "parent": os.getppid()}
        (folder / "told.json").write_text(json.dumps(told))
        return 1, 0

    return work


def test_workers_know_their_threads_before_torch_and_never_import_the_caller(tmp_path):
    script = tmp_path / "caller.py"
    # No main guard: importing this file in a worker would start workers without end.
    script.write_text(
        "from pathlib import Path\n"
        "from unveil.batch.engines.base import ShardDone, WorkerReady\n"
        "from unveil.batch.engines.spawn import Spawn\n"
        f"engine = Spawn(Path({str(tmp_path)!r}), 1, threads=3, entry='telling:open_telling_work')\n"
        "engine.start(0)\n"
        "events = []\n"
        "while not any(isinstance(event, ShardDone) for event in events):\n"
        "    events += (new := engine.wait(1))\n"
        "    if WorkerReady(0) in new:\n"
        "        engine.ask(0, 'x')\n"
        "engine.close()\n"
    )
    (tmp_path / "telling.py").write_text(Path(__file__).read_text())
    (tmp_path / "json.py").write_text("raise SystemExit('the folder of the caller shadows the library')")
    search = os.pathsep.join([*sys.path, str(tmp_path)])
    run = subprocess.run(
        [sys.executable, "-P", str(script)],
        check=False,
        env={**os.environ, "PYTHONPATH": search},
        cwd=tmp_path,
        timeout=60,
    )
    assert run.returncode == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert set(told["env"].values()) == {"3"}
    assert not {"torch", "caller", "__mp_main__"} & set(told["modules"])


def test_workers_end_with_a_driver_that_is_killed(tmp_path):
    StandInArchive(tmp_path, ["slow"] * 40, shard_size=40)
    code = (
        "from pathlib import Path; from unveil.batch.engines.spawn import Spawn; import sys, time\n"
        f"engine = Spawn(Path({str(tmp_path)!r}), 1, entry={ENTRY!r}); engine.start(0)\n"
        "while not engine.wait(1): pass\n"
        "engine.ask(0, '00000'); print(engine._children[0].process.pid, flush=True); time.sleep(60)"
    )
    search = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}
    ) as driver:
        worker = int(driver.stdout.readline())
        os.kill(worker, 0)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    until = time.monotonic() + 15
    while time.monotonic() < until and _lives(worker):
        time.sleep(0.05)
    assert not _lives(worker)
    assert not StandInArchive(tmp_path).rows()


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
