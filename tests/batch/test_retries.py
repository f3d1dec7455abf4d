"""Shards of retries are fixed when they are planned."""

import json

import pytest

from unveil.batch.retries import add_retry, read_retries
from unveil.errors import BatchError


@pytest.fixture
def folder(tmp_path):
    """A folder with a place for unfinished files."""
    (tmp_path / "tmp").mkdir()
    return tmp_path


def test_each_retry_has_shards_of_its_own(folder):
    assert read_retries(folder, 20) == {}
    assert add_retry(folder, {}, [1, 5, 9], 2) == ("retry-001-00000", "retry-001-00001")
    known = read_retries(folder, 20)
    assert known == {"retry-001-00000": (1, 5), "retry-001-00001": (9,)}
    assert add_retry(folder, known, [5], 2) == ("retry-002-00000",)
    assert read_retries(folder, 20) == {**known, "retry-002-00000": (5,)}
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "shards",
    [
        {"00000": [1]},
        {"retry-001-00000": [20]},
        {"retry-001-00000": [-1]},
        {"retry-001-00000": ["1"]},
        {"retry-x": [1]},
        [],
        {"retry-001-00000": 3},
    ],
)
def test_other_content_is_refused(folder, shards):
    (folder / "retries.json").write_text(json.dumps({"format": "unveil retries", "shards": shards}))
    with pytest.raises(BatchError, match="the retries of an archive"):
        read_retries(folder, 20)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shards": {}}', b'{"format": "x", "shards": {}}', b"\xff"])
def test_a_damaged_file_is_refused(folder, content):
    (folder / "retries.json").write_bytes(content)
    with pytest.raises(BatchError, match="the retries of an archive"):
        read_retries(folder, 20)
