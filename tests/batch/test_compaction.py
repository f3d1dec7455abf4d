"""The tables of a whole archive: the same bytes however they came about."""

import errno
import io
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_sets import (
    RECIPE,
    TABLES,
    content,
    do_all,
    finished,
    quick_archive,
    quick_plan,
    write_network,
    write_samples,
)
from unveil.batch import compaction, open_archive, read_archive
from unveil.batch.base import split_name
from unveil.errors import BatchError, DiskFullError

KINDS = {1: "damaged", 4: "dark", 5: "dark", 6: "dark", 7: "dark", 13: "failing"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The model and the images of all archives here."""
    folder = tmp_path_factory.mktemp("data")
    return write_network(folder), write_samples(folder / "images", 20, KINDS)


def table_bytes(folder, tmp_path) -> dict[str, bytes]:
    """The files; that of images without the seconds, which differ."""
    found = {name: (folder / f"{name}.parquet").read_bytes() for name in TABLES}
    table = pq.read_table(folder / "images.parquet").drop_columns(["worker_seconds"])
    with pa.BufferOutputStream() as buffer:
        pq.write_table(table, buffer)
    return found | {"images": bytes(buffer.getvalue())}


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    """The files of one process, in order."""
    model, samples = data
    folder = tmp_path_factory.mktemp("plain")
    return table_bytes(finished(open_archive(folder / "out", quick_plan(model), samples)).folder, folder)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_shards_of_any_size_and_order_give_the_same_bytes(data, expected, tmp_path, size):
    model, samples = data
    archive = open_archive(tmp_path / "out", quick_plan(model, shard_size=size), samples)
    do_all(archive, archive.missing()[::-1])
    assert archive.compact() == []
    assert table_bytes(archive.folder, tmp_path) == expected


def test_row_groups_hold_a_fixed_number_of_items(data, tmp_path, monkeypatch):
    """So that large tables have the same bytes too."""
    monkeypatch.setattr("unveil.batch.compaction.GROUP", 6)
    model, samples = data
    found = []
    for size in (4, 5, 20):
        archive = finished(open_archive(tmp_path / str(size), quick_plan(model, shard_size=size), samples))
        found.append(table_bytes(archive.folder, tmp_path))
        file = pq.ParquetFile(archive.folder / "images.parquet")
        groups = [file.read_row_group(number).column("index").to_pylist() for number in range(file.num_row_groups)]
        assert groups == [list(range(0, 6)), list(range(6, 12)), list(range(12, 18)), [18, 19]]
    assert all(one == found[0] for one in found)


def test_a_late_worker_adds_no_row(data, expected, tmp_path):
    """The shard was split into its items; then the worker that was given up publishes the whole of it."""
    model, samples = data
    archive = open_archive(tmp_path / "out", quick_plan(model), samples)
    do_all(archive, [split_name("00001", index) for index in (4, 6)])
    saved = tmp_path / "saved"
    shutil.copytree(archive.folder / "shards", saved)
    do_all(archive, ["00001"])
    shutil.copytree(saved, archive.folder / "shards", dirs_exist_ok=True)
    assert archive.tables("images", ["index"]).to_pydict() == {"index": [4, 5, 6, 7]}
    do_all(archive)
    assert archive.compact() == []
    assert table_bytes(archive.folder, tmp_path) == expected
    assert sorted(path.name for path in (archive.folder / "shards").iterdir()) == archive.shards()


def test_tables_are_written_again_only_when_something_is_new(tmp_path):
    archive = finished(quick_archive(tmp_path, 3))
    paths = [archive.folder / f"{name}.parquet" for name in TABLES]
    before = [path.stat().st_ino for path in paths]
    assert archive.compact() == []
    assert [path.stat().st_ino for path in paths] == before
    grown = open_archive(
        archive.folder,
        archive.plan,
        [*write_samples(tmp_path / "data", 3), *write_samples(tmp_path / "more", 1, start=7)],
    )
    assert not grown.is_done
    finished(grown)
    assert grown.is_done
    assert len(content(archive.folder)["images"]) == 4


@pytest.mark.parametrize("name", [*TABLES, "tables.json"])
@pytest.mark.parametrize("how", ["lost", "cut", "empty"])
def test_tables_that_are_lost_or_cut_are_written_again(tmp_path, name, how):
    archive = finished(quick_archive(tmp_path, 5, {1: "damaged"}))
    expected = content(archive.folder)
    path = archive.folder / (name if "." in name else f"{name}.parquet")
    if how == "lost":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "empty" else path.read_bytes()[:-3])
    assert not archive.is_done
    # Until then the shards are read.
    assert archive.tables("images", ["index"]).num_rows == 5
    assert archive.compact() == []
    assert archive.is_done
    assert content(archive.folder) == expected


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_another_byte_is_refused_and_written_again_after_a_check(tmp_path, name):
    archive = finished(quick_archive(tmp_path, 5))
    expected, path = content(archive.folder), archive.folder / f"{name}.parquet"
    old = path.read_bytes()
    path.write_bytes(old[:40] + bytes([old[40] ^ 1]) + old[41:])
    with pytest.raises(BatchError, match=f"the table {name}.parquet as it was written"):
        archive.tables(name)
    assert archive.verify() == []
    assert not archive.is_done
    assert archive.compact() == []
    assert content(archive.folder) == expected


def test_an_archive_can_be_read_by_anybody_later(tmp_path):
    """With its folder alone, somewhere else, without the data and the model."""
    (tmp_path / "a").mkdir()
    archive = finished(quick_archive(tmp_path / "a", 4))
    expected = archive.tables("regions").to_pylist()
    moved = shutil.move(archive.folder, tmp_path / "moved")
    shutil.rmtree(tmp_path / "a")
    again = read_archive(moved)
    assert again.is_done
    assert again.tables("regions").to_pylist() == expected
    assert again.plan.recipe == RECIPE.as_dict()
    assert json.loads((tmp_path / "moved" / "tables.json").read_text())["plan"] == archive.plan.id


class FullFile(io.BufferedIOBase):
    """A file on a disk that is full when a number of writes are done."""

    def __init__(self, file, writes):
        self.file, self.left = file, writes

    def write(self, content):
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        return self.file.write(content)

    def tell(self):
        return self.file.tell()

    def flush(self):
        self.file.flush()

    def fileno(self):
        return self.file.fileno()

    def writable(self):
        return True


@pytest.mark.parametrize("name", TABLES)
def test_a_disk_that_gets_full_while_a_table_is_written_is_named(tmp_path, monkeypatch, name):
    """After any number of writes, through pyarrow: one error, no half table, and the next call completes."""
    archive = quick_archive(tmp_path, 5)
    do_all(archive)
    write, writes, is_over = compaction._write, 0, False
    while not is_over:
        full = {"limit": writes}

        def through(archive, table, file, full=full):
            return write(archive, table, FullFile(file, full["limit"]) if table == name else file)

        with monkeypatch.context() as patched:
            patched.setattr(compaction, "_write", through)
            try:
                assert archive.compact() == []
                is_over = True
            except DiskFullError as error:
                assert f"{name}.parquet" in str(error)
                assert not archive.is_done
                assert not (archive.folder / f"{name}.parquet").exists()
                assert list((archive.folder / "tmp").iterdir()) == []
        writes += 1
    assert writes > 3
    assert archive.is_done
