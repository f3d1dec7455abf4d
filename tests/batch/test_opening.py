"""Making and continuing an archive: samples are numbered once, and nothing of another call is mixed in."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

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
from unveil.batch import open_archive, read_archive
from unveil.datasets import DatasetError, Sample
from unveil.errors import BatchError, RecordError, UnveilWarning
from unveil.stopping import MaxRounds
from unveil.targets import Predicted


def test_items_are_numbered_in_the_order_of_the_data_in_fixed_shards(tmp_path):
    archive = quick_archive(tmp_path, 10)
    rows = pq.read_table(archive.folder / "items.parquet").to_pylist()
    assert [row["index"] for row in rows] == list(range(10))
    assert [row["sample"] for row in rows] == [f"{number:03d}" for number in range(10)]
    assert [row["shard"] for row in rows] == ["00000"] * 4 + ["00001"] * 4 + ["00002"] * 2
    for row in rows:
        at = Path(row["path"]).stat()
        assert (row["size_bytes"], row["modified_ns"]) == (at.st_size, at.st_mtime_ns)
        assert row["labels"] == ["red"]


def test_new_samples_become_new_shards_and_the_others_stay(tmp_path):
    archive = quick_archive(tmp_path, 6)
    finished(archive)
    before = {path: path.read_bytes() for path in (archive.folder / "shards").rglob("*.parquet")}
    # New ones between the old ones.
    samples = [
        *write_samples(tmp_path / "data", 3),
        *write_samples(tmp_path / "more", 5, start=100),
        *write_samples(tmp_path / "data", 3, start=3),
    ]
    grown = open_archive(archive.folder, archive.plan, samples)
    assert grown.missing() == ["00002", "00003"]
    assert [item.sample for item in grown.items][6:] == ["100", "101", "102", "103", "104"]
    assert [list(grown.items_of(name)) for name in grown.shards()] == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9], [10]]
    finished(grown)
    assert {path: path.read_bytes() for path in before} == before
    whole = open_archive(tmp_path / "whole", archive.plan, [*samples[:3], *samples[8:], *samples[3:8]])
    assert content(archive.folder) == content(finished(whole).folder)


def test_the_same_call_changes_nothing(tmp_path):
    archive = finished(quick_archive(tmp_path, 5))
    before = {path: path.stat().st_mtime_ns for path in archive.folder.rglob("*") if path.name not in ("lock", "tmp")}
    again = open_archive(archive.folder, quick_plan(archive.plan.model), write_samples(tmp_path / "data", 5))
    assert again.is_done
    assert again.compact() == []
    after = {path: path.stat().st_mtime_ns for path in archive.folder.rglob("*") if path.name not in ("lock", "tmp")}
    assert after == before


@pytest.mark.parametrize(
    ("recipe", "settings", "named"),
    [
        (replace(RECIPE, stop=MaxRounds(3)), {}, "recipe.stop.rounds 2 (now 3)"),
        (replace(RECIPE, target=Predicted(0.25)), {}, "recipe.target.threshold 0.5 (now 0.25)"),
        (RECIPE, {"seed": 3}, "seed 0 (now 3)"),
        (RECIPE, {"threads": 2}, "threads 1 (now 2)"),
        (RECIPE, {"batch_size": 5}, "batch_size 8 (now 5)"),
        (RECIPE, {"shard_size": 5}, "shard_size 4 (now 5)"),
        (RECIPE, {"value_range": (0, 100)}, "value_range None (now [0.0, 100.0])"),
        (RECIPE, {"keep": "records"}, "keep tables (now records)"),
    ],
)
def test_another_plan_is_refused_with_what_differs(tmp_path, recipe, settings, named):
    archive = quick_archive(tmp_path, 3)
    other = quick_plan(archive.plan.model, recipe, **settings)
    with pytest.raises(BatchError) as caught:
        open_archive(archive.folder, other, write_samples(tmp_path / "data", 3))
    assert named in str(caught.value)
    assert caught.value.do.startswith("use another --out")
    assert read_archive(archive.folder).plan == archive.plan


def test_every_difference_is_named(tmp_path):
    archive = quick_archive(tmp_path, 3)
    model = write_network(tmp_path, NETWORK.replace("scale=20.0", "scale=21.0"))
    other = quick_plan(model, replace(RECIPE, stop=MaxRounds(3)), seed=3)
    with pytest.raises(BatchError) as caught:
        open_archive(archive.folder, other, write_samples(tmp_path / "data", 3))
    for part in ("fingerprint", "recipe.stop.rounds", "seed", "output of the network for a test image"):
        assert part in caught.value.got


def test_touched_weights_are_noted_and_nothing_else_changes(tmp_path):
    archive = finished(quick_archive(tmp_path, 3))
    os.utime(tmp_path / "network.py", (5, 5))
    again = open_archive(archive.folder, quick_plan(archive.plan.model), write_samples(tmp_path / "data", 3))
    assert again.is_done
    assert read_archive(archive.folder).plan.files != archive.plan.files


@pytest.mark.parametrize("change", ["content", "time", "labels", "group", "path", "gone"])
def test_images_that_changed_after_their_run_are_refused(tmp_path, change):
    archive = quick_archive(tmp_path, 6)
    do_all(archive)
    samples = write_samples(tmp_path / "data", 6)
    path = samples[2].path
    if change == "content":
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "time":
        os.utime(path, (7, 7))
    elif change == "labels":
        samples[2] = replace(samples[2], labels=("blue",))
    elif change == "group":
        samples[2] = replace(samples[2], group="patient")
    elif change == "path":
        samples[2] = replace(samples[2], path=shutil.copy2(path, tmp_path / "other.png"))
    else:
        path.unlink()
    with pytest.raises(BatchError) as caught:
        open_archive(archive.folder, archive.plan, samples)
    assert caught.value.got.startswith("other ones: 002 (")


def test_the_first_three_of_many_are_named(tmp_path):
    archive = quick_archive(tmp_path, 6)
    do_all(archive)
    for sample in (samples := write_samples(tmp_path / "data", 6)):
        os.utime(sample.path, (7, 7))
    times = ", ".join(f"00{number} (time of the last change)" for number in range(3))
    with pytest.raises(BatchError, match="and 3 more") as caught:
        open_archive(archive.folder, archive.plan, samples)
    assert times in caught.value.got


def test_images_that_were_not_run_or_failed_may_change(tmp_path):
    archive = quick_archive(tmp_path, 8, {1: "damaged"})
    do_all(archive, ["00000"])
    samples = write_samples(tmp_path / "data", 8)
    write_image(samples[1].path, 1)
    os.utime(samples[6].path, (9, 9))
    again = open_archive(archive.folder, archive.plan, samples)
    assert again.missing() == ["00001"]
    do_all(again)
    assert again.failed() == [1]
    finished_archive = finished(again) if again.retry_failed() else again
    assert finished_archive.failed() == []
    whole = finished(open_archive(tmp_path / "whole", archive.plan, samples))
    rows, expected = (content(one.folder) for one in (again, whole))
    assert rows["images"][1].pop("attempts") == 2
    expected["images"][1].pop("attempts")
    assert rows == expected


def test_images_that_the_data_lost_are_kept_with_a_warning(tmp_path):
    archive = finished(quick_archive(tmp_path, 6))
    with pytest.warns(UnveilWarning, match="2 of 6 images of the archive aren't in the data any more"):
        again = open_archive(archive.folder, archive.plan, write_samples(tmp_path / "data", 4))
    assert len(again.items) == 6
    assert again.is_done


def test_other_data_are_refused(tmp_path):
    archive = quick_archive(tmp_path, 4)
    with pytest.raises(BatchError, match="the images of the archive among the data; got none of the 4"):
        open_archive(archive.folder, archive.plan, write_samples(tmp_path / "other", 4, start=50))


@pytest.mark.parametrize("is_there", [False, True])
def test_two_samples_of_one_id_are_refused(tmp_path, is_there):
    model, samples = write_network(tmp_path), write_samples(tmp_path / "data", 3)
    plan = quick_plan(model)
    if is_there:
        open_archive(tmp_path / "out", plan, samples)
    with pytest.raises(BatchError, match="samples with ids of their own; got 001 twice"):
        open_archive(tmp_path / "out", plan, [*samples, samples[1]])


def test_no_data_leave_no_folder(tmp_path):
    plan = quick_plan(write_network(tmp_path))
    with pytest.raises(BatchError, match="at least one image"):
        open_archive(tmp_path / "out", plan, [])
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path):
    plan, samples = quick_plan(write_network(tmp_path)), write_samples(tmp_path / "data", 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(BatchError, match=r"an empty folder, or an archive; got .* with thesis\.tex"):
        open_archive(tmp_path / "out", plan, samples)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
    with pytest.raises(RecordError, match="a file of this name"):
        open_archive(tmp_path / "data" / "000.png", plan, samples)


@pytest.mark.parametrize("lost", ["items.parquet", "plan.json"])
def test_a_call_that_was_killed_between_its_first_files_is_repeated(tmp_path, lost):
    archive = quick_archive(tmp_path, 5)
    (archive.folder / lost).unlink()
    again = open_archive(archive.folder, archive.plan, write_samples(tmp_path / "data", 5))
    assert again.missing() == ["00000", "00001"]


def test_samples_that_the_data_set_cannot_use_are_items_and_fail(tmp_path):
    """What a broken row names is the index, which grows; that is no change of the image."""
    index = tmp_path / "index.csv"
    index.write_text("a")
    error = DatasetError("a label", "none\nat all", "write one")
    broken = Sample("index.csv:7", index, error=error)
    plan, samples = quick_plan(write_network(tmp_path)), write_samples(tmp_path / "data", 3)
    archive = open_archive(tmp_path / "out", plan, [*samples, broken])
    finished(archive)
    row = content(archive.folder)["images"][3]
    assert (row["status"], row["error_kind"]) == ("failed", "DatasetError")
    assert row["error"] == "expected a label; got none at all; write one"
    index.write_text("ab")
    assert open_archive(tmp_path / "out", plan, [*samples, broken]).is_done


def test_names_that_are_no_text_are_read_back(tmp_path):
    model, plain = write_network(tmp_path), write_image(tmp_path / "data" / "plain.png", 3)
    odd = tmp_path / "data" / os.fsdecode(b"odd-\xff.png")
    shutil.copy2(plain, odd)
    samples = [Sample(path.name, path, (os.fsdecode(b"l\xe4bel"), "ü")) for path in (plain, odd)]
    archive = finished(open_archive(tmp_path / "out", quick_plan(model), samples))
    rows = content(archive.folder)["images"]
    assert [row["status"] for row in rows] == ["done", "done"]
    assert rows[0]["sha256"] == rows[1]["sha256"]
    assert rows[1]["sample"] == "odd-\\udcff.png"
    assert rows[1]["true_labels"] == ["l\\udce4bel", "ü"]
    assert archive.items[1].path == str(odd)
    assert open_archive(tmp_path / "out", archive.plan, samples).is_done


def test_the_number_of_samples_is_told(tmp_path):
    plan, samples = quick_plan(write_network(tmp_path)), write_samples(tmp_path / "data", 2)
    counts = []
    open_archive(tmp_path / "out", plan, samples, counts.append)
    assert counts == [0, 2]


def test_another_process_that_works_on_it_is_named(tmp_path):
    archive = quick_archive(tmp_path, 2)
    code = (
        "import sys\nfrom pathlib import Path\nfrom unveil.batch.lock import archive_lock\n"
        "with archive_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(archive.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BatchError, match=f"process {other.pid}"):
            open_archive(archive.folder, archive.plan, write_samples(tmp_path / "data", 2))
        with pytest.raises(BatchError, match=f"process {other.pid}"):
            archive.retry_failed()
        other.kill()
    assert open_archive(archive.folder, archive.plan, write_samples(tmp_path / "data", 2)).missing() == ["00000"]


def test_what_killed_workers_left_is_removed(tmp_path):
    archive = quick_archive(tmp_path, 2)
    left = archive.folder / "tmp" / ".00000.part-0123abcd"
    left.mkdir()
    (left / "images.parquet").touch()
    open_archive(archive.folder, archive.plan, write_samples(tmp_path / "data", 2))
    assert list((archive.folder / "tmp").iterdir()) == []


def test_opening_needs_neither_torch_nor_the_network(tmp_path):
    archive = finished(quick_archive(tmp_path, 4))
    (tmp_path / "network.py").unlink()
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom unveil.batch import open_archive, read_plan\n"
        "from unveil.datasets import Sample\n"
        "out, data = map(Path, sys.argv[1:])\n"
        "samples = [Sample(path.stem, path, ('red',)) for path in sorted(data.iterdir())]\n"
        "archive = open_archive(out, read_plan(out), samples)\n"
        "rows = archive.tables('images', ['index']).num_rows\n"
        "heavy = [name for name in ('torch', 'torchvision', 'pandas', 'matplotlib') if name in sys.modules]\n"
        "print(json.dumps([archive.missing(), archive.is_done, rows, heavy]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive.folder), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[], True, 4, []]
