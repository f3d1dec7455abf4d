"""A shard is there as a whole or not at all, and what was damaged later is never read."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_sets import TABLES, content, do_all, finished, quick_archive
from unveil.batch import Archive, read_archive
from unveil.batch.rows import no_rows
from unveil.batch.shards import DamagedShardError, check_shard, publish, read_seal, read_shard
from unveil.errors import BatchError

ROW = {"index": 0, "sample": "a", "status": "done"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folders of an archive."""
    for name in ("shards", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Archive, dict]:
    """A finished archive of two shards without its tables, and its rows."""
    archive = finished(quick_archive(tmp_path_factory.mktemp("whole"), 5))
    rows = content(archive.folder)
    for name in TABLES:
        (archive.folder / f"{name}.parquet").unlink()
    return archive, rows


def rows_of(*rows: dict) -> dict:
    """These rows as the table of images, and nothing in the others."""
    return no_rows() | {"images": list(rows)}


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shard_has_its_tables_and_says_what_they_are(folder):
    outcome = publish(folder, "plan", "00000", [0, 1], rows_of(ROW, {**ROW, "index": 1, "status": "failed"}))
    assert (outcome.done, outcome.failed, outcome.kept) == (1, 1, False)
    assert sorted(files(folder)) == sorted(
        f"shards/00000/{name}" for name in ("done.json", *(f"{one}.parquet" for one in TABLES))
    )
    seal = read_seal(folder, "00000")
    assert (seal.items, seal.failed, seal.plan) == ((0, 1), 1, "plan")
    assert {name: table["rows"] for name, table in seal.tables.items()} == {
        "images": 2,
        "rounds": 0,
        "regions": 0,
        "labels": 0,
    }
    assert read_shard(folder, "00000", "images", ["index", "status"]).to_pydict() == {
        "index": [0, 1],
        "status": ["done", "failed"],
    }


def test_the_first_one_stays(folder):
    """A worker that was given up may publish late: what is there isn't touched."""
    publish(folder, "plan", "00000", [0], rows_of({**ROW, "worker_seconds": 1.0}))
    before = files(folder)
    late = publish(folder, "plan", "00000", [0], rows_of({**ROW, "worker_seconds": 2.0}))
    assert late.kept
    assert files(folder) == before


def test_an_item_is_not_published_beside_its_whole_shard(folder):
    publish(folder, "plan", "00000", [0, 1], rows_of(ROW, {**ROW, "index": 1}))
    assert publish(folder, "plan", "00000.i000001", [1], rows_of({**ROW, "index": 1})).kept
    assert [path.name for path in (folder / "shards").iterdir()] == ["00000"]


@pytest.mark.parametrize("name", ["../evil", "00000/../..", "x"])
def test_no_name_leaves_the_folder(folder, name):
    with pytest.raises(BatchError, match="the name of a shard"):
        publish(folder, "plan", name, [0], rows_of(ROW))
    assert files(folder) == {}


def test_what_fails_half_way_leaves_nothing(folder):
    def fail(part: Path) -> None:
        (part / "records").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(folder, "plan", "00000", [0], rows_of(ROW), fail)
    assert sorted(path.name for path in folder.rglob("*")) == ["shards", "tmp"]


def damage(data: st.DataObject, shard: Path) -> str:
    """Cut a file, flip a byte, lose a file, exchange two, put another's file in, or make a folder of one."""
    paths = sorted(path for path in shard.iterdir() if path.is_file())
    path = data.draw(st.sampled_from(paths), label="file")
    how = data.draw(st.sampled_from(["cut", "flip", "lose", "exchange", "longer", "empty", "folder"]), label="how")
    old = path.read_bytes()
    if how == "cut":
        path.write_bytes(old[: data.draw(st.integers(0, len(old) - 1), label="at")])
    elif how == "flip":
        place = data.draw(st.integers(0, len(old) - 1), label="at")
        path.write_bytes(old[:place] + bytes([old[place] ^ data.draw(st.integers(1, 255))]) + old[place + 1 :])
    elif how == "exchange":
        other = data.draw(st.sampled_from([one for one in paths if one != path]))
        path.write_bytes(other.read_bytes())
    elif how == "longer":
        path.write_bytes(old + b"\0")
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
    return path.name


@settings(max_examples=30)
@given(data=st.data())
def test_a_damaged_shard_is_named_and_missing_again(tmp_path_factory, whole, data):
    """Whatever becomes of its files, none of its rows is read; the next call has all rows again."""
    original, expected = whole
    out = tmp_path_factory.mktemp("damaged") / "out"
    shutil.copytree(original.folder, out)
    archive = read_archive(out)
    name = damage(data, out / "shards" / "00000")
    seal = json.loads((original.folder / "shards" / "00000" / "done.json").read_text())
    if name == "done.json":
        try:
            # Spaces and the order of keys may change; what it says may not.
            if json.loads((out / "shards" / "00000" / "done.json").read_text()) == seal:
                return
        except (OSError, ValueError):
            pass
    assert archive.missing() == []
    table = "images" if name == "done.json" else name.removesuffix(".parquet")
    if name != "done.json":
        with pytest.raises(DamagedShardError, match="the shard 00000 as it was written"):
            archive.tables(table)
    damaged = archive.compact()
    if not damaged:
        # A byte of done.json that no table depends on, such as one of the number of failures.
        assert name == "done.json"
        assert content(out) == expected
        return
    assert damaged == ["00000"] == archive.missing()
    assert not (out / "images.parquet").exists()
    if data.draw(st.integers(0, 4), label="redo") == 0:
        do_all(archive)
        assert archive.compact() == []
        assert content(out) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "another"},
        {"items": [0, 1, 2]},
        {"items": [3, 2, 1, 0]},
        {"shard": "00001"},
        {"format": "unveil run"},
        {"version": 2},
        {"failed": "none"},
        {"tables": {}},
        {"tables": []},
        {"items": None},
    ],
)
def test_a_shard_that_says_something_else_is_damaged(tmp_path, whole, change):
    original, _ = whole
    shutil.copytree(original.folder, tmp_path / "out")
    path = tmp_path / "out" / "shards" / "00000" / "done.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DamagedShardError):
        check_shard(tmp_path / "out", "00000", original.plan.id, [0, 1, 2, 3])
    assert read_archive(tmp_path / "out").verify() == ["00000"]


def test_a_whole_shard_of_another_archive_is_damaged_here(tmp_path, whole):
    """Both hold what they say; the plan differs."""
    original, _ = whole
    other = finished(quick_archive(tmp_path, 5, seed=9))
    shutil.copytree(original.folder, tmp_path / "mixed")
    shutil.rmtree(tmp_path / "mixed" / "shards" / "00001")
    shutil.copytree(other.folder / "shards" / "00001", tmp_path / "mixed" / "shards" / "00001")
    assert read_archive(tmp_path / "mixed").compact() == ["00001"]
