"""What is planned, what is there, what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_sets import content, do_all, finished, quick_archive
from unveil.batch.base import split_name
from unveil.batch.shards import read_seal
from unveil.errors import BatchError
from unveil.rounds import find_regions


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Ten items in shards of 4, 4 and 2; nothing is done."""
    return quick_archive(tmp_path_factory.mktemp("planned"), 10)


@given(
    st.sets(
        st.sampled_from(
            [*("00000", "00001", "00002"), *(split_name(f"{index // 4:05d}", index) for index in range(10))]
        )
    )
)
def test_a_shard_is_there_as_a_whole_or_item_by_item(planned, names):
    for path in (planned.folder / "shards").iterdir():
        path.rmdir()
    for name in names:
        (planned.folder / "shards" / name).mkdir()
    (planned.folder / "shards" / ".DS_Store").mkdir()
    expected = []
    for shard, indices in (("00000", range(4)), ("00001", range(4, 8)), ("00002", range(8, 10))):
        if shard not in names and not all(split_name(shard, index) in names for index in indices):
            expected.append(shard)
        assert planned.is_published(shard) == (shard in names)
    assert planned.missing() == expected


def test_the_items_of_a_shard_and_of_what_was_split_off(planned):
    assert list(planned.items_of("00002")) == [8, 9]
    assert list(planned.items_of("00002.i000009")) == [9]
    for name in ("00003", "00002.i000007", "retry-001-00000", "00002.i000010"):
        with pytest.raises(BatchError, match="a planned shard"):
            planned.items_of(name)


@pytest.mark.parametrize("index", [-1, 10])
def test_there_is_no_item_beyond_the_end(planned, index):
    with pytest.raises(BatchError, match="an item below 10"):
        planned.items[index]


def test_split_items_have_the_rows_of_the_whole_shard(tmp_path):
    for name in ("whole", "split"):
        (tmp_path / name).mkdir()
    whole = finished(quick_archive(tmp_path / "whole", 6, {2: "damaged"}))
    split = quick_archive(tmp_path / "split", 6, {2: "damaged"})
    do_all(split, [split_name("00000", index) for index in (3, 0, 2, 1)])
    assert split.missing() == ["00001"]
    finished(split)
    rows, expected = content(split.folder), content(whole.folder)
    for row in (*rows["images"], *expected["images"]):
        row["path"], row["error"] = row["path"][-7:], None
    assert rows == expected


def test_an_item_that_killed_its_worker_is_a_row(tmp_path):
    archive = quick_archive(tmp_path, 4)
    with pytest.raises(BatchError, match="a shard of item 1 alone; got 00000; split the shard first"):
        archive.publish_failure("00000", 1, "killed")
    outcome = archive.publish_failure("00000.i000001", 1, "killed its worker (signal 9, probably out of memory)")
    assert (outcome.done, outcome.failed) == (0, 1)
    do_all(archive, [split_name("00000", index) for index in (0, 2, 3)])
    finished(archive)
    rows = content(archive.folder)["images"]
    assert [row["status"] for row in rows] == ["done", "failed", "done", "done"]
    assert (rows[1]["error_kind"], rows[1]["error"]) == (
        "Killed",
        "killed its worker (signal 9, probably out of memory)",
    )
    assert rows[1]["sha256"] is None


def test_failed_items_are_tried_again_in_shards_of_their_own(tmp_path):
    archive = quick_archive(tmp_path, 12, {1: "damaged", 3: "failing", 6: "damaged", 8: "damaged", 9: "damaged"})
    finished(archive)
    assert archive.failed() == [1, 3, 6, 8, 9]
    assert archive.retry_failed() == ["retry-001-00000", "retry-001-00001"]
    assert archive.missing() == ["retry-001-00000", "retry-001-00001"]
    assert not archive.is_done
    assert [list(archive.items_of(name)) for name in archive.missing()] == [[1, 3, 6, 8], [9]]
    # They are planned already.
    assert archive.retry_failed() == []
    before = content(archive.folder)
    finished(archive)
    assert archive.is_done
    after = content(archive.folder)
    assert [row.pop("attempts") for row in before["images"]] == [1] * 12
    assert [row.pop("attempts") for row in after["images"]] == [1, 2, 1, 2, 1, 1, 2, 1, 2, 2, 1, 1]
    assert after == before
    assert archive.retry_failed() == ["retry-002-00000", "retry-002-00001"]


def test_success_beats_failure_and_a_later_failure_an_earlier_one(tmp_path, monkeypatch):
    archive = finished(quick_archive(tmp_path, 8, {1: "failing", 2: "failing", 6: "failing"}))
    expected = [row["index"] for row in content(archive.folder)["regions"]]
    (name,) = archive.retry_failed()

    # Two of them work now, as after a lack of memory; one fails in another way.
    def find(image, classifier, *args, **settings):
        if image.source.endswith("002.png"):
            raise MemoryError("still too large")
        plain = type(classifier).__mro__[1]
        monkeypatch.setattr(type(classifier), "prepare", plain.prepare)
        return find_regions(image, classifier, *args, **settings)

    monkeypatch.setattr("unveil.rounds.find_regions", find)
    assert do_all(archive, [name])[0].failed == 1
    finished(archive)
    rows = content(archive.folder)
    assert [(row["index"], row["attempts"]) for row in rows["images"] if row["status"] == "failed"] == [(2, 2)]
    assert rows["images"][2]["error"] == "MemoryError: still too large"
    assert [row["index"] for row in rows["images"]] == list(range(8))
    indices = [row["index"] for row in rows["regions"]]
    assert indices == sorted(indices)
    assert {1, 6} == set(indices) - set(expected)
    # A retry that fails later doesn't take the success away.
    archive.retry_failed()
    archive.publish_failure("retry-002-00000", 2, "killed")
    finished(archive)
    assert archive.failed() == [2]


def test_nothing_is_planned_where_nothing_failed(tmp_path):
    archive = finished(quick_archive(tmp_path, 3))
    assert archive.retry_failed() == []
    assert not (archive.folder / "retries.json").exists()


def test_tables_are_those_of_the_shards_so_far(tmp_path):
    archive = quick_archive(tmp_path, 10)
    assert archive.tables("images").num_rows == 0
    assert archive.tables("regions", ["drop"]).column_names == ["drop"]
    do_all(archive, ["00002", "00000"])
    assert archive.tables("images", ["index"]).to_pydict() == {"index": [0, 1, 2, 3, 8, 9]}
    assert archive.tables("images", ["sample"]).column_names == ["sample"]
    with pytest.raises(BatchError, match="a table images, rounds, regions, labels; got 'items'"):
        archive.tables("items")
    with pytest.raises(BatchError, match="columns of the table images; got nothing"):
        archive.tables("images", ["nothing"])
    assert read_seal(archive.folder, "00002").items == (8, 9)


def test_a_folder_without_shards_is_one_error(tmp_path):
    archive = quick_archive(tmp_path, 2)
    (archive.folder / "shards").rmdir()
    with pytest.raises(BatchError, match="an archive with a folder of shards"):
        archive.missing()


def test_damaged_items_are_one_error(tmp_path):
    archive = quick_archive(tmp_path, 2)
    path = archive.folder / "items.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BatchError, match=r"the items of an archive in .*restore the file, or use another --out"):
        archive.missing()
    path.unlink()
    with pytest.raises(BatchError, match=r"an archive with items\.parquet"):
        archive.missing()
