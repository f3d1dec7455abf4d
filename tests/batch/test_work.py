"""The work of a shard: its rows are a function of the images and the plan, and failures are rows."""

import shutil
from dataclasses import replace

import pytest
import torch

from batch_sets import (
    NETWORK,
    RECIPE,
    content,
    do_all,
    finished,
    quick_archive,
    quick_plan,
    write_image,
    write_network,
    write_samples,
)
from unveil.attribution import SmoothGrad
from unveil.batch import open_archive
from unveil.batch.shards import read_seal, read_shard
from unveil.batch.work import work
from unveil.datasets import Sample
from unveil.errors import BatchError, DiskFullError
from unveil.recipes import TrustSettings
from unveil.store import load_run

NOISY = replace(RECIPE, attribution=SmoothGrad(samples=4), trust=TrustSettings(placements=10))


def test_failures_are_rows_with_their_reason(tmp_path):
    model, samples = write_network(tmp_path), write_samples(tmp_path / "data", 6, {0: "damaged", 2: "failing"})
    samples[4].path.unlink()
    shutil.copy(tmp_path / "network.py", samples[5].path)
    archive = finished(open_archive(tmp_path / "out", quick_plan(model), samples))
    rows = content(archive.folder)["images"]
    assert [row["status"] for row in rows] == ["failed", "done", "failed", "done", "failed", "failed"]
    assert [rows[place]["error_kind"] for place in (0, 2, 4, 5)] == [
        "ImageError",
        "ZeroDivisionError",
        "ImageError",
        "ImageError",
    ]
    assert rows[0]["error"].startswith("expected a whole image; got ")
    assert rows[2]["error"] == "ZeroDivisionError: a network"
    assert "does not exist" in rows[4]["error"]
    assert {row["index"] for row in content(archive.folder)["regions"]} <= {1, 3}
    assert archive.failed() == [0, 2, 4, 5]


def test_the_outcome_counts_items(tmp_path):
    archive = quick_archive(tmp_path, 6, {1: "damaged", 5: "failing"})
    first, second = do_all(archive)
    assert (first.shard, first.done, first.failed, first.kept) == ("00000", 3, 1, False)
    assert (second.shard, second.done, second.failed, second.kept) == ("00001", 1, 1, False)
    assert first.seconds > 0
    classifier = archive.plan.load_classifier()
    again = work(archive.folder, archive.plan, "00000", classifier=classifier)
    assert (again.done, again.failed, again.kept, again.seconds) == (3, 1, True, 0.0)


def test_what_is_there_is_not_computed_again(tmp_path, monkeypatch):
    archive = quick_archive(tmp_path, 6)
    classifier = archive.plan.load_classifier()
    do_all(archive)
    monkeypatch.setattr("unveil.rounds.find_regions", lambda *args, **settings: pytest.fail("computed again"))
    for name in ("00000", "00000.i000002"):
        assert work(archive.folder, archive.plan, name, classifier=classifier).kept


def test_two_workers_have_the_same_bytes_in_any_order(tmp_path):
    """Noise, trust cards and a classifier that was used for other images before."""
    model, samples = write_network(tmp_path), write_samples(tmp_path / "data", 6)
    plan = quick_plan(model, NOISY, shard_size=2)
    one, other = (open_archive(tmp_path / name, plan, samples) for name in ("one", "other"))
    do_all(one)
    classifier = plan.load_classifier()
    for name in ("00002", "00000", "00001"):
        work(other.folder, plan, name, classifier=classifier)
    for shard in one.shards():
        for table in ("rounds", "regions", "labels"):
            paths = [archive.folder / "shards" / shard / f"{table}.parquet" for archive in (one, other)]
            assert paths[0].read_bytes() == paths[1].read_bytes()
        images = [
            read_shard(archive.folder, shard, "images").drop_columns(["worker_seconds"]) for archive in (one, other)
        ]
        assert images[0].equals(images[1])
    assert content(finished(one).folder)["regions"] != []


def test_the_plan_is_what_is_run(tmp_path):
    """Seed and value range enter the rows; an archive with others has others."""
    model, samples = write_network(tmp_path), write_samples(tmp_path / "data", 3)
    rows = {
        name: content(finished(open_archive(tmp_path / name, quick_plan(model, NOISY, **settings), samples)).folder)
        for name, settings in {
            "plain": {},
            "seed": {"seed": 1},
            "range": {"value_range": (0, 510)},
            "small": {"batch_size": 1},
        }.items()
    }
    assert rows["plain"]["regions"] != rows["seed"]["regions"]
    assert rows["plain"]["images"] == rows["seed"]["images"]
    half = [row["first_probability"] for row in rows["range"]["images"]]
    assert all(one < two["first_probability"] for one, two in zip(half, rows["plain"]["images"], strict=True))
    assert [row["target"] for row in rows["small"]["regions"]] == [row["target"] for row in rows["plain"]["regions"]]


def test_records_are_kept_if_they_are_asked_for(tmp_path):
    archive = finished(quick_archive(tmp_path, 5, {1: "damaged"}, keep="records"))
    folders = sorted((archive.folder / "shards").glob("*/records/*"))
    assert [f"{path.parent.parent.name}/{path.name}" for path in folders] == [
        "00000/000000",
        "00000/000002",
        "00000/000003",
        "00001/000004",
    ]
    hashes = {row["index"]: row["sha256"] for row in content(archive.folder)["images"]}
    assert all(load_run(path).source.sha256 == hashes[int(path.name)] for path in folders)


def test_an_image_that_changed_since_it_was_planned_is_not_run(tmp_path):
    archive = quick_archive(tmp_path, 4)
    write_image(tmp_path / "data" / "002.png", 50)
    finished(archive)
    row = content(archive.folder)["images"][2]
    assert (row["status"], row["error_kind"]) == ("failed", "ImageError")
    assert row["error"].startswith("expected an image as it was when the archive was planned; got ")
    again = open_archive(archive.folder, archive.plan, write_samples_as_they_are(tmp_path))
    again.retry_failed()
    finished(again)
    assert again.failed() == []


def write_samples_as_they_are(folder):
    """The samples of the images, which stay as they are."""
    return [Sample(path.stem, path, ("red",)) for path in sorted((folder / "data").iterdir())]


def test_each_finished_item_is_told(tmp_path):
    archive = quick_archive(tmp_path, 3, {1: "damaged"})
    told = []
    work(archive.folder, archive.plan, "00000", told.append, classifier=archive.plan.load_classifier())
    assert told == [0, 1, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, DiskFullError("space", "none", "free some")])
def test_what_ends_the_work_leaves_nothing(tmp_path, error):
    archive = quick_archive(tmp_path, 3)

    def stop(index: int) -> None:
        if index == 1:
            raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        work(archive.folder, archive.plan, "00000", stop, classifier=archive.plan.load_classifier())
    assert archive.missing() == ["00000"]
    assert list((archive.folder / "tmp").iterdir()) == []


def test_a_full_disk_is_no_failure_of_an_image(tmp_path, monkeypatch):
    archive = quick_archive(tmp_path, 3)

    def full(*args, **settings):
        raise DiskFullError("space", "none", "free some")

    with monkeypatch.context() as patched:
        patched.setattr("unveil.rounds.find_regions", full)
        with pytest.raises(DiskFullError):
            do_all(archive)
    assert archive.missing() == ["00000"]


def test_another_classifier_is_refused_before_it_computes(tmp_path, monkeypatch):
    archive = quick_archive(tmp_path, 3)
    other = write_network(tmp_path / "data", NETWORK.replace("scale=20.0", "scale=21.0")).load(1)
    monkeypatch.setattr("unveil.rounds.find_regions", lambda *args, **settings: pytest.fail("computed"))
    with pytest.raises(BatchError, match="a worker with the planned classifier"):
        work(archive.folder, archive.plan, "00000", classifier=other)


def test_a_shard_that_is_not_planned_is_refused(tmp_path):
    archive = quick_archive(tmp_path, 3)
    classifier = archive.plan.load_classifier()
    for name in ("00007", "../00000", "00000.i000003"):
        with pytest.raises(BatchError):
            work(archive.folder, archive.plan, name, classifier=classifier)


def test_a_killed_item_is_published_beside_its_shard(tmp_path):
    archive = quick_archive(tmp_path, 2)
    archive.publish_failure("00000.i000001", 1, "killed its worker (signal 9)")
    (row,) = read_shard(archive.folder, "00000.i000001", "images").to_pylist()
    assert (row["index"], row["status"], row["error"]) == (1, "failed", "killed its worker (signal 9)")
    assert read_seal(archive.folder, "00000.i000001").failed == 1


def test_a_damaged_shard_that_is_there_is_left_to_the_check(tmp_path):
    archive = quick_archive(tmp_path, 2)
    do_all(archive)
    (archive.folder / "shards" / "00000" / "done.json").write_bytes(b"{")
    outcome = work(archive.folder, archive.plan, "00000", classifier=archive.plan.load_classifier())
    assert outcome.kept
    assert archive.compact() == ["00000"]


def test_threads_are_those_of_the_plan(tmp_path):
    before = torch.get_num_threads()
    try:
        plan = quick_plan(write_network(tmp_path), threads=2)
        torch.set_num_threads(1)
        plan.load_classifier()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
