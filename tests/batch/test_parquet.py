"""The files are read as they are by pandas, polars and DuckDB, also while the archive is made."""

import io

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_sets import TABLES, do_all, finished, quick_archive
from unveil.batch.columns import TABLE_COLUMNS
from unveil.batch.parquet import from_parquet, join_tables, make_table, readable, schema_of, to_parquet
from unveil.errors import BatchError


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Ten images: one is damaged, one shows nothing, one makes the network fail."""
    return finished(quick_archive(tmp_path_factory.mktemp("archive"), 10, {1: "damaged", 4: "dark", 5: "failing"}))


@pytest.mark.parametrize("name", ["items", *TABLES])
def test_three_libraries_read_the_same_rows(archive, name):
    path = archive.folder / f"{name}.parquet"
    expected = pq.read_table(path)
    frame, lazy = pandas.read_parquet(path), polars.scan_parquet(path).collect()
    rows = duckdb.read_parquet(str(path))
    assert list(frame.columns) == lazy.columns == rows.columns == expected.column_names
    assert lazy.to_dicts() == expected.to_pylist()
    assert [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()] == expected.to_pylist()
    assert frame["index"].tolist() == expected.column("index").to_pylist()
    for column, kind in TABLE_COLUMNS.get(name, {}).items():
        if kind == "float64":
            left, right = frame[column].to_numpy(float), expected.column(column).to_pandas().to_numpy(float)
            assert left.tobytes() == right.tobytes()


def test_a_question_over_tables_is_answered_alike(archive):
    """The mean drop of each target over images that are done, three times."""
    folder = archive.folder
    regions, images = (duckdb.read_parquet(str(folder / f"{name}.parquet")) for name in ("regions", "images"))
    joined = regions.join(images.filter("status = 'done'"), "index")
    by_duckdb = dict(joined.aggregate("target, avg(drop)").fetchall())
    by_polars = dict(
        polars.read_parquet(folder / "regions.parquet").group_by("target").agg(polars.col("drop").mean()).iter_rows()
    )
    by_pandas = pandas.read_parquet(folder / "regions.parquet").groupby("target")["drop"].mean().to_dict()
    assert by_duckdb == pytest.approx(by_pandas, rel=1e-12)
    assert by_polars == pytest.approx(by_pandas, rel=1e-12)
    assert set(by_pandas) == {"red", "green", "blue"}


def test_shards_are_read_while_the_archive_is_made(tmp_path):
    """Also a shard without any region, and with unfinished folders beside."""
    archive = quick_archive(tmp_path, 12, dict.fromkeys(range(4), "dark"))
    do_all(archive, ["00000", "00002"])
    (archive.folder / "tmp" / ".00001.part-0123abcd").mkdir()
    (archive.folder / "tmp" / ".00001.part-0123abcd" / "regions.parquet").write_bytes(b"PAR1")
    pattern = f"{archive.folder}/shards/*/regions.parquet"
    expected = archive.tables("regions").to_pylist()
    assert {row["index"] for row in expected} == {8, 9, 10, 11}
    assert polars.scan_parquet(pattern).sort("index", "number").collect().to_dicts() == expected
    rows = duckdb.read_parquet(pattern).order("index, number")
    assert [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()] == expected


@pytest.mark.parametrize("name", ["items", *TABLES])
def test_empty_tables_carry_their_schema(name):
    table = pq.read_table(io.BytesIO(to_parquet(name, [])))
    assert table.num_rows == 0
    assert table.schema.equals(schema_of(name))
    assert all(field.nullable for field in table.schema)
    assert join_tables(name, []).schema.equals(table.schema)


VALUES = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(),
    "bool": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "binary": st.binary(max_size=5),
}
VALUES |= {f"list<{kind}>": st.lists(one, max_size=3) for kind, one in VALUES.items()}


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=10)
@given(data=st.data())
def test_any_rows_come_back_to_the_last_bit(name, data):
    kinds = TABLE_COLUMNS[name]
    chosen = data.draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=6, unique=True))
    rows = data.draw(st.lists(st.tuples(*(st.none() | VALUES[kinds[column]] for column in chosen)), max_size=3))
    given_rows = [dict(zip(chosen, row, strict=True)) for row in rows]
    back = from_parquet(name, to_parquet(name, given_rows)).to_pylist()
    assert repr([tuple(row[column] for column in chosen) for row in back]) == repr(rows)  # NaN and −0.0 too
    assert all(row[column] is None for row in back for column in kinds if column not in chosen)


@given(st.text(st.characters(), max_size=8))
def test_any_text_can_be_a_row(text):
    """Names of files may hold bytes that aren't text: these become escapes, the others stay."""
    (row,) = from_parquet("images", to_parquet("images", [{"sample": text, "true_labels": [text]}])).to_pylist()
    assert row["sample"] == readable(text) == row["true_labels"][0]
    assert (row["sample"] == text) == all(not 0xD800 <= ord(one) < 0xE000 for one in text)


def test_the_files_have_no_metadata_of_one_library(archive):
    for name in TABLES:
        assert pq.read_schema(archive.folder / f"{name}.parquet").pandas_metadata is None


def test_columns_are_chosen_and_unknown_ones_named(archive):
    content = (archive.folder / "regions.parquet").read_bytes()
    assert from_parquet("regions", content, ["drop", "index"]).column_names == ["drop", "index"]
    with pytest.raises(BatchError, match="columns of the table regions; got drops; choose from index, round"):
        from_parquet("regions", content, ["drops"])


def test_another_schema_is_no_table_of_an_archive():
    table = make_table("labels", []).append_column("more", pa.array([], pa.int64()))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    with pytest.raises(BatchError, match="a table labels with its columns"):
        from_parquet("labels", buffer.getvalue())
    with pytest.raises(BatchError, match="a table images"):
        from_parquet("images", to_parquet("labels", []))


@given(st.data())
def test_a_damaged_file_is_one_error_or_reads(data):
    """Alone, a file can't always tell; with the hash of its shard it can: see the tests of shards."""
    content = to_parquet("labels", [{"index": 3, "label": "a", "gain": 0.5, "regions": [1, 2]}] * 4)
    place = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    damaged = (
        content[:place]
        if cut
        else content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    )
    try:
        assert from_parquet("labels", damaged).schema.equals(schema_of("labels"))
    except BatchError as error:
        assert "\n" not in str(error)
