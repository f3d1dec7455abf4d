"""The documented columns are those of the files, and the documented code reads them without unveil."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch_sets import TABLES, finished, quick_archive
from unveil.batch.columns import ITEM_COLUMNS, TABLE_COLUMNS

DOCS = Path(__file__).parents[2] / "docs/record-format.md"
CHAPTER = DOCS.read_text("utf-8").partition("## Tables of an archive")[2]


def documented(name: str) -> dict[str, str]:
    """Column and type of each row of the table below the heading of a file."""
    text = CHAPTER.partition(f"### {name}.parquet")[2].partition("### ")[0]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not cells or not cells[0].startswith("`"):
            continue
        columns, kinds = re.findall("`(.+?)`", cells[0]), cells[1].split(", ")
        # "list of string, int32" are lists of both.
        is_list = kinds[0].startswith("list of") and len({*kinds}) == len(kinds) and len(kinds) > 1
        kinds = [kinds[0], *(f"list of {kind}" if is_list else kind for kind in kinds[1:])]
        kinds = kinds * len(columns) if len(kinds) == 1 else kinds
        if name == "images" and columns[0] == "true_labels":
            kinds = ["list of string", "string"]
        found |= dict(zip(columns, kinds, strict=True))
    return found


@pytest.mark.parametrize("name", ["items", *TABLES])
def test_every_column_is_documented_with_its_type(name):
    columns = ITEM_COLUMNS if name == "items" else TABLE_COLUMNS[name]
    plain = {column: re.sub(r"list<(\w+)>", r"list of \1", kind) for column, kind in columns.items()}
    assert documented(name) == plain


def test_the_documented_code_reads_an_archive(tmp_path):
    archive = finished(quick_archive(tmp_path, 4))
    (code,) = re.findall(r"```python\n(.*?)```", CHAPTER, re.DOTALL)
    names = {"archive": archive.folder}
    exec(code, names)  # noqa: S102
    assert names["regions"].column_names == ["index", "target", "drop"]
    assert names["regions"].num_rows == pq.read_metadata(archive.folder / "regions.parquet").num_rows > 0


def test_every_file_of_an_archive_is_documented(tmp_path):
    archive = quick_archive(tmp_path, 4, {1: "damaged"}, keep="records")
    finished(archive)
    archive.retry_failed()
    names = {path.name for path in archive.folder.iterdir()}
    assert {"plan.json", "retries.json", "tables.json", "lock"} <= names
    assert [name for name in names if f"`{name}" not in CHAPTER] == []
