"""One driver at a time, and no lock outlives its process."""

import errno
import json
import os
import platform
import signal
import subprocess
import sys

import pytest

from unveil import leftovers
from unveil.batch.lock import archive_lock
from unveil.errors import BatchError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
HOLD = (
    "import sys, time; from pathlib import Path; from unveil.batch.lock import archive_lock\n"
    "with archive_lock(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    search = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_second_driver_is_told_the_process_of_the_first(tmp_path, holder):
    with (
        pytest.raises(BatchError, match=f"no other process .* got process {holder.pid}; wait") as caught,
        archive_lock(tmp_path),
    ):
        raise AssertionError("two held it")
    assert "\n" not in str(caught.value)
    assert holder.poll() is None


def test_the_lock_of_a_killed_driver_is_free(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == holder.pid
    with archive_lock(tmp_path):
        assert json.loads((tmp_path / "lock").read_text()) == {"pid": os.getpid(), "host": platform.node()}


def test_one_process_may_nest_it_and_gives_it_back(tmp_path):
    for _ in range(2):
        with archive_lock(tmp_path):
            with archive_lock(tmp_path / "." / "x" / ".."):
                pass
            with (tmp_path / "lock").open() as file:
                assert not leftovers.exclusive_lock(file.fileno())
    with (tmp_path / "lock").open() as file:
        assert leftovers.exclusive_lock(file.fileno())


def test_a_disk_without_locks_locks_nothing(tmp_path, monkeypatch):
    class NoLocks:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(number, how):
            raise OSError(errno.ENOLCK, "No locks available")

    for locks in (NoLocks, None):
        monkeypatch.setattr(leftovers, "_locks", locks)
        with archive_lock(tmp_path):
            assert leftovers.exclusive_lock(0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\x1b[2J", '{"pid": 1}'])
def test_a_lock_file_that_says_nothing_is_still_a_lock(tmp_path, holder, text):
    (tmp_path / "lock").write_text(text)
    with pytest.raises(BatchError, match="got one that does"), archive_lock(tmp_path):
        pass


def test_a_folder_that_isnt_there_is_an_error(tmp_path):
    with pytest.raises(BatchError, match="No such file"), archive_lock(tmp_path / "none"):
        pass
