"""Transactions, the lock of a folder, and a disk that is full."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unveil import atomic
from unveil.errors import DiskFullError, RecordError
from unveil.serve.jobs import FolderInUseError, JobState, StateError
from unveil.serve.jobs.database import RESERVE, RESERVE_BYTES, Database
from workplaces import Gate, all_events, boxed, open_workplace, picture, tiny, wait_for, wait_over

INSERT = "INSERT INTO events (job, kind, data) VALUES (?, 'x', ?)"


def count(database: Database) -> int:
    return database.rows("SELECT count(*) FROM events")[0][0]


def test_a_transaction_that_raises_changes_nothing(tmp_path):
    database = Database(tmp_path)

    def body(connection):
        connection.execute(INSERT, ("a", "{}"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write(body)
    assert count(database) == 0
    database.write(lambda connection: connection.execute(INSERT, ("a", "{}")))
    assert count(database) == 1
    database.close()
    for call in (lambda: count(database), lambda: database.write(lambda connection: None)):
        with pytest.raises(StateError, match="has ended"):
            call()


def test_writers_of_many_threads_are_let_in_one_by_one(tmp_path):
    database = Database(tmp_path)

    def add_one(connection):
        (before,) = connection.execute("SELECT count(*) FROM events").fetchone()
        connection.execute(INSERT, (str(before), "{}"))

    threads = [
        threading.Thread(target=lambda: [database.write(add_one, durable=False) for _ in range(20)]) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [int(job) for (job,) in database.rows("SELECT job FROM events ORDER BY id")] == list(range(120))
    database.close()


def test_the_lock_holds_in_other_processes_and_ends_with_them(tmp_path):
    database = Database(tmp_path)
    code = (
        f"from pathlib import Path\nfrom unveil.serve.jobs.database import Database\nDatabase(Path({str(tmp_path)!r}))"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "FolderInUseError" in refused.stderr
    with pytest.raises(FolderInUseError):
        Database(tmp_path)
    database.close()
    allowed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert allowed.returncode == 0, allowed.stderr
    Database(tmp_path).close()


def test_the_reserve_is_used_by_what_is_urgent_alone(tmp_path):
    database = Database(tmp_path)
    reserve = tmp_path / RESERVE
    assert reserve.stat().st_size == RESERVE_BYTES
    pages = database.rows("PRAGMA page_count")[0][0]
    tries = []

    def body(connection):
        tries.append(reserve.exists())
        # SQLite's own limit stands for a full disk; there is more space once the reserve is gone.
        connection.execute(f"PRAGMA max_page_count = {pages if reserve.exists() else pages + 100}")
        connection.execute(INSERT, ("a", "x" * 100_000))

    with pytest.raises(DiskFullError, match="free some space"):
        database.write(body)
    assert (tries, count(database), reserve.exists()) == ([True], 0, True)
    database.write(body, urgent=True)
    assert (tries, count(database), reserve.exists()) == ([True, True, False], 1, False)
    assert database.restore_reserve()
    assert reserve.stat().st_size == RESERVE_BYTES
    database.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_new_folder_is_its_owners_alone(tmp_path):
    Database(tmp_path / "new").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_damaged_database_is_one_clear_error(tmp_path):
    Database(tmp_path).close()
    content = bytearray((tmp_path / "jobs.sqlite").read_bytes())
    content[:40] = bytes(40)
    (tmp_path / "jobs.sqlite").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        Database(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB, where root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("no mount here")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("not allowed to mount")
    yield folder
    subprocess.run([unmount, str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte."""
    path = folder / "filling"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return path


def test_a_full_disk_fails_the_job_and_the_server_goes_on(small_disk):
    gate = Gate(block_at=16)
    with open_workplace(small_disk, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job, later = workplace.submit(boxed(image)), workplace.submit(tiny(image))
        assert gate.reached.wait(60)
        filling = fill(small_disk)
        gate.opened.set()
        failed = wait_over(workplace, job.id)
        assert failed.state is JobState.FAILED
        assert "space" in failed.message
        assert "\n" not in failed.message
        assert str(small_disk) not in failed.message
        assert workplace.job(later.id).state is JobState.QUEUED, "the others wait for space"
        wait_for((small_disk / RESERVE).exists)
        with pytest.raises(DiskFullError):
            workplace.add_image("b.png", [picture(7, side=200)])
        assert list((small_disk / "uploads").iterdir()) == []
        assert workplace.images() == [image]
        assert workplace.run(job.id) is not None, "the rounds can still be seen"
        filling.unlink()
        assert wait_over(workplace, later.id).state is JobState.FINISHED
        states = [event.data["state"] for event in all_events(workplace, job.id) if event.kind == "state"]
        assert states == ["queued", "running", "running", "failed"]
        # And nothing that was computed has to be computed again.
        batches = gate.batches
        workplace.go_on(job.id, 1)
        done = wait_over(workplace, job.id)
        assert (done.state, done.rounds) == (JobState.FINISHED, failed.rounds + 1)
        assert gate.batches - batches <= 8


def test_a_record_that_cannot_be_written_fails_its_job_alone(tmp_path, monkeypatch):
    """The same without a disk that is really full."""
    real, calls = atomic._sync, []

    def full(folder):
        calls.append(folder)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        real(folder)

    monkeypatch.setattr(atomic, "_sync", full)
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        first, second = workplace.submit(tiny(image)), workplace.submit(tiny(image, seed=1))
        failed = wait_over(workplace, first.id)
        assert (failed.state, failed.can_continue) == (JobState.FAILED, True)
        assert failed.message == (
            f"expected space for the record at runs/{first.id}; got No space left on device; "
            "free some space, or choose another disk"
        )
        assert wait_over(workplace, second.id).state is JobState.FINISHED
        assert {path.name for path in (tmp_path / "runs").iterdir()} == {second.id}
        workplace.go_on(first.id, 0)
        assert wait_over(workplace, first.id).state is JobState.FINISHED
        wait_for(lambda: workplace.record_folder(first.id))


def test_the_file_is_an_ordinary_database_that_others_can_read(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)
    connection = sqlite3.connect(tmp_path / "jobs.sqlite")
    assert connection.execute("SELECT id, state, rounds FROM jobs").fetchall() == [(job.id, "finished", 3)]
    connection.close()
