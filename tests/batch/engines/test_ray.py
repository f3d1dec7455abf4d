"""Actors of Ray as workers, on one cluster of this machine for all tests here."""

import contextlib
import os
import platform
import signal
import threading

import pytest

from stand_in_archive import ENTRY, StandInArchive
from unveil.batch.driver import run_archive
from unveil.errors import BatchError, DiskFullError, MissingLibraryError

pytest.importorskip("ray", reason="Ray isn't installed")
from unveil.batch.engines.ray import RayActors, ShardActor

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster with two CPUs, as the first engine starts it; other engines find it and leave it running."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    before = signal.getsignal(signal.SIGTERM)
    engine = RayActors(tmp_path_factory.mktemp("cluster"), 2)
    engine._connect()
    assert signal.getsignal(signal.SIGTERM) is before
    yield engine._ray
    engine.close()
    assert not engine._ray.is_initialized()


def test_actors_with_everything_that_goes_wrong(tmp_path, cluster, capfd):
    actions = ["ok"] * 24
    actions[5], actions[17] = "kill once", "fail"
    archive = StandInArchive(tmp_path / "archive", actions)
    # One actor more than there is room for: nothing waits for it.
    result = run_archive(archive, RayActors(archive.folder, 3, entry=ENTRY))
    assert archive.rows() == [(index, "damaged" if index == 17 else "ok") for index in range(24)]
    assert (result.failed, result.deaths) == (1, 1)
    assert cluster.is_initialized()
    assert {path.name for path in archive.folder.iterdir()} == {"items.json", "shards", "lock", "tried-5"}
    assert capfd.readouterr().out == ""


def test_a_full_disk_in_an_actor_is_the_drivers_error(tmp_path, cluster):
    archive = StandInArchive(tmp_path / "archive", ["ok", "full"])
    with pytest.raises(DiskFullError, match="No space left on device"):
        run_archive(archive, RayActors(archive.folder, 1, entry=ENTRY))


def test_a_stop_leaves_the_shards_that_are_done(tmp_path, cluster):
    archive = StandInArchive(tmp_path / "archive", ["ok"] * 4 + ["slow"] * 36)
    stop = threading.Event()
    result = run_archive(
        archive,
        RayActors(archive.folder, 1, entry=ENTRY),
        stop=stop,
        on_progress=lambda progress: progress.shards_done and stop.set(),
    )
    assert not result.complete
    assert archive.rows()[:4] == [(index, "ok") for index in range(4)] and len(archive.rows()) < 40


def test_more_than_any_node_has_is_refused_before_waiting(tmp_path, cluster):
    archive = StandInArchive(tmp_path / "archive", ["ok"])
    for engine in (
        RayActors(archive.folder, 1, threads=3, entry=ENTRY),
        RayActors(archive.folder, 1, gpus_per_worker=99, entry=ENTRY),
    ):
        with pytest.raises(BatchError, match=r"got nodes with 2 CPUs, \d+ GPUs"):
            run_archive(archive, engine)


def test_an_actor_that_sees_another_folder_says_so(tmp_path):
    StandInArchive(tmp_path / "archive", ["ok"])
    answer = ShardActor().open(str(tmp_path / "archive"), "seen-elsewhere", ENTRY, 1, [])
    kind, expected, got, _ = answer["error"]
    assert (kind, expected) == ("BatchError", f"workers that see {tmp_path / 'archive'}")
    assert platform.node() in got


def test_errors_of_actors_are_plain_values(tmp_path):
    actor = ShardActor()
    archive = StandInArchive(tmp_path / "archive", ["ok", "raise", "full"], shard_size=1)
    (archive.folder / "seen").touch()
    with contextlib.ExitStack() as changed:
        changed.callback(os.environ.__setitem__, "OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        assert actor.open(str(archive.folder), "seen", ENTRY, 1, []) == {}
    assert actor.work("00000") == {"counts": (1, 0)}
    assert actor.work("00001") == {"exception": "ValueError: unexpected"}
    assert actor.work("00002")["error"][0] == "DiskFullError"
    (archive.folder / "no-weights").touch()
    assert actor.open(str(archive.folder), "seen", ENTRY, 1, [])["error"][0] == "BatchError"


def test_a_cluster_that_isnt_there_is_one_error(tmp_path, monkeypatch):
    archive = StandInArchive(tmp_path / "archive", ["ok"])
    engine = RayActors(archive.folder, 1, address="127.0.0.1:1", entry=ENTRY)

    class Ray:
        @staticmethod
        def is_initialized():
            return False

        @staticmethod
        def init(**options):
            assert options["address"] == "127.0.0.1:1"
            raise ConnectionError("no GCS")

    monkeypatch.setattr(engine, "_ray", Ray)
    with pytest.raises(BatchError, match=r"a Ray cluster at 127.0.0.1:1; got ConnectionError: no GCS"):
        run_archive(archive, engine)


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingLibraryError, match=r"unveil\[ray\]"):
        RayActors(tmp_path, 1)
