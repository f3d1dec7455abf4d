"""Items in columns: what is written is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.batch.items import Item, Items, compare_items, first_three, make_items, read_items
from unveil.batch.parquet import from_parquet, make_table, readable, to_parquet
from unveil.datasets import DatasetError, Sample
from unveil.errors import BatchError

TEXTS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=6)
MADE = st.builds(
    Item,
    index=st.just(0),
    sample=TEXTS.map(readable),
    path=TEXTS.map("/{}".format).filter(
        lambda path: path == path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    )
    | st.just("/\udcff.png"),
    size_bytes=st.none() | st.integers(0, 2**62),
    modified_ns=st.none() | st.integers(-(2**62), 2**62),
    labels=st.lists(TEXTS.map(readable), max_size=3).map(tuple),
    group=st.none() | TEXTS.map(readable),
    error=st.none() | TEXTS.map(readable),
    error_kind=st.none() | st.just("DatasetError"),
    shard=st.just("00000"),
)
NOBODY = lambda count: None  # noqa: E731


@given(MADE)
def test_an_item_comes_back_as_it_was(item):
    """Also a path with bytes that aren't text: the file must be found again."""
    items = Items(from_parquet("items", to_parquet("items", [item.as_row()])))
    assert items[0] == item
    assert list(items) == [item]
    assert list(items.contents()) == [(item.sample, item.content)]


def test_shards_follow_the_order_of_items(tmp_path):
    samples = [Sample(str(number), tmp_path / f"{number}.png") for number in range(7)]
    made = [*make_items(samples[:5], 0, 2, 0), *make_items(samples[5:], 5, 2, 3)]
    items = Items(make_table("items", [item.as_row() for item in made]))
    assert items.shards == {"00000": range(2), "00001": range(2, 4), "00002": range(4, 5), "00003": range(5, 7)}
    assert [item.shard for item in items] == ["00000", "00000", "00001", "00001", "00002", "00003", "00003"]


@pytest.mark.parametrize("numbers", [[1, 2], [0, 2], [1, 0], [0, 0], [None]])
def test_items_that_are_not_numbered_from_0_are_refused(numbers):
    with pytest.raises(BatchError, match="items that are numbered from 0"):
        Items(make_table("items", [{"index": number, "shard": "00000"} for number in numbers]))


def test_a_file_that_appears_or_vanishes_is_a_change(tmp_path):
    path = tmp_path / "a.png"
    (item,) = make_items([Sample("a", path)], 0, 4, 0)
    assert not item.is_changed()
    path.write_bytes(b"1")
    assert item.is_changed()
    (item,) = make_items([Sample("a", path)], 0, 4, 0)
    assert not item.is_changed()
    path.write_bytes(b"12")
    assert item.is_changed()


def test_new_changed_and_gone_are_told_apart(tmp_path):
    samples = [Sample(name, tmp_path / f"{name}.png", ("x",)) for name in "abcd"]
    items = Items(make_table("items", [item.as_row() for item in make_items(samples[:3], 0, 2, 0)]))
    changed = Sample("b", tmp_path / "b.png", ("y",), error=DatasetError("a", "b", "c"))
    found = compare_items(items, [changed, samples[3], samples[0]], NOBODY)
    assert (found.new, found.gone) == ((samples[3],), 1)
    ((before, now),) = found.changed
    assert (before.index, before.labels, now.labels, now.error_kind) == (1, ("x",), ("y",), "DatasetError")
    assert compare_items(None, samples, NOBODY).new == tuple(samples)


def test_items_are_read_again_when_the_file_changed(tmp_path):
    samples = [Sample(name, tmp_path / name) for name in "ab"]
    for count in (1, 2):
        rows = [item.as_row() for item in make_items(samples[:count], 0, 4, 0)]
        (tmp_path / "items.parquet").write_bytes(to_parquet("items", rows))
        assert len(read_items(tmp_path)) == count


@pytest.mark.parametrize(("count", "expected"), [(1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more")])
def test_many_are_told_by_the_first_three(count, expected):
    assert first_three(map(str, range(count)), count) == expected
