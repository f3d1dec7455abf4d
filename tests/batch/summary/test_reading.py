"""Tables of real archives as arrays: what a loop over their rows says, also before the end and with failed images."""

from collections import Counter

import pyarrow as pa
import pytest

from archive_columns import bits_of, square
from batch_sets import do_all, finished, quick_archive
from unveil.batch import Archive
from unveil.batch.places import place_bits
from unveil.batch.summary import summarize_archive
from unveil.batch.summary.reading import read_columns
from unveil.errors import BatchError, UnveilError
from unveil.masks import Mask


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return finished(quick_archive(tmp_path_factory.mktemp("archive"), 12, {3: "damaged", 5: "dark", 8: "failing"}))


def test_regions_are_those_of_the_table(archive):
    columns = read_columns(archive)
    rows = archive.tables("regions").to_pylist()
    assert len(columns.regions) == len(rows) > 8
    images = {row["index"]: row["sample"] for row in archive.tables("images").to_pylist()}
    for number, row in enumerate(rows):
        assert columns.labels[columns.regions.label[number]] == row["target"]
        assert columns.images.samples[columns.regions.image[number]] == images[row["index"]]
        assert columns.regions.drop[number] == row["drop"]
        assert columns.regions.round[number] == row["round"]
        mask = Mask((row["height"], row["width"]), tuple(row["runs"]))
        assert columns.regions.places[number].tobytes() == place_bits(mask)


def test_labels_of_images_are_those_of_the_tables(archive):
    columns = read_columns(archive)
    rows = archive.tables("images").to_pylist()
    for kind, found in (("predicted", columns.predicted), ("true_labels", columns.true)):
        assert found is not None
        pairs = Counter(zip(found.image.tolist(), (columns.labels[label] for label in found.label), strict=True))
        assert pairs == Counter((place, name) for place, row in enumerate(rows) for name in row[kind] or [])
    assert [kind for kind in columns.images.error_kinds if kind] == [
        row["error_kind"] for row in rows if row["status"] == "failed"
    ]
    assert columns.waiting == 0


def test_the_summary_of_an_archive_that_is_not_finished_counts_what_is_left(tmp_path):
    archive, new = quick_archive(tmp_path, 10), tmp_path / "new"
    new.mkdir()
    do_all(archive, archive.missing()[:2])
    summary = summarize_archive(archive.folder)
    assert (summary.images, summary.waiting) == (8, 2)
    assert summarize_archive(quick_archive(new, 3)).waiting == 3


def test_names_can_be_left_out(archive):
    hashes = {(row["sha256"] or "")[:12] for row in archive.tables("images").to_pylist()}
    named, anonymous = summarize_archive(archive), summarize_archive(archive, anonymous=True)
    assert {one.sample for one in anonymous.suspicious} <= hashes
    assert not {one.sample for one in anonymous.suspicious} & {one.sample for one in named.suspicious}


def test_there_must_be_an_archive(tmp_path):
    with pytest.raises(UnveilError):
        summarize_archive(tmp_path)


class Tables(Archive):
    """An archive of five items whose tables a test gives as rows."""

    def __init__(self, **tables: list[dict]) -> None:
        self.rows = tables

    @property
    def item_count(self) -> int:
        return 5

    def tables(self, name, columns=None):
        assert columns is not None
        rows = [{column: row.get(column) for column in columns} for row in self.rows[name]]
        types = {"true_labels": pa.list_(pa.string()), "predicted": pa.list_(pa.string())}
        types |= {"appeared": pa.list_(pa.string()), "places": pa.binary(), "other_label": pa.string()}
        types |= dict.fromkeys(("verdict", "target", "group", "error_kind", "status", "sample"), pa.string())
        types |= dict.fromkeys(("drop", "suspicion"), pa.float64())
        schema = pa.schema([(column, types.get(column, pa.int64())) for column in columns])
        return pa.Table.from_pylist(rows, schema=schema)


def image(index: int, **values) -> dict:
    return {"index": index, "sample": f"{index}.png", "status": "done", **values}


def region(index: int, number: int, **values) -> dict:
    usual = {"round": 1, "target": "cat", "drop": 1.0, "suspicion": 0.5, "places": bits_of(square(0, 0)).tobytes()}
    return {"index": index, "number": number, **usual, **values}


def test_gaps_labels_and_order_of_the_tables():
    """Items 1 and 2 aren't there yet; regions are out of order; one shows another label; one has no place."""
    tables = Tables(
        images=[
            image(0, predicted=["cat", "dog"], true_labels=["dog"], group="p1"),
            image(3, predicted=None, true_labels=None, group=None),
            image(4, status="failed", error_kind=None, group="p1"),
        ],
        rounds=[
            {"index": 0, "appeared": ["cat", "bird"]},
            {"index": 0, "appeared": []},
            {"index": 3, "appeared": ["dog"]},
        ],
        regions=[
            region(3, 2, target="bird", verdict="artifact", places=None),
            region(3, 1, other_label="dog", verdict="weak"),
            region(0, 1),
        ],
    )
    columns = read_columns(tables)
    name = columns.labels.__getitem__
    assert columns.waiting == 2
    assert columns.regions.image.tolist() == [0, 1, 1]
    assert [name(label) for label in columns.regions.label] == ["cat", "dog", "bird"]
    assert columns.regions.verdict.tolist() == [-1, 1, 2]
    assert columns.regions.places.any(axis=1).tolist() == [True, True, False]
    later = {(int(row), name(label)) for row, label in zip(columns.later.image, columns.later.label, strict=True)}
    # "cat" was predicted for the whole image, so it came back and isn't new.
    assert later == {(0, "bird"), (1, "dog")}
    assert columns.images.groups.tolist()[0] == columns.images.groups.tolist()[2] >= 0
    assert columns.images.groups[1] == -1
    assert columns.images.error_kinds.tolist() == ["", "", "unknown"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (region(9, 1), "index"),
        (region(0, 1, places=b"123"), "bytes"),
        (region(0, 1, target=None), "target"),
        (region(0, 1, verdict="good"), "verdicts"),
        (region(0, 1, drop=None), "drop"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(bad, words):
    tables = Tables(images=[image(0)], rounds=[], regions=[bad])
    with pytest.raises(BatchError, match=words):
        read_columns(tables)
