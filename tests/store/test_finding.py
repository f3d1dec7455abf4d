"""Records below the folders that were given: each once, in a fixed order, and none that is unfinished."""

import pytest

from unveil.errors import RecordError
from unveil.store.finding import find_runs


def make(folder, *names):
    """Folders that count as records; they aren't opened."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text("{}")


def test_records_are_found_at_any_depth_and_once(tmp_path):
    make(tmp_path, "b", "a/second", "a/first", "a/first/inner", ".hidden.part-1", "c")
    (tmp_path / "empty").mkdir()
    found = find_runs([tmp_path / "c", tmp_path, tmp_path / "a" / ".." / "b"])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["c", "a/first", "a/second", "b"]


def test_links_are_followed_only_where_they_are_given(tmp_path):
    make(tmp_path, "real/one")
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "loop").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "link").symlink_to(tmp_path / "real")
    with pytest.raises(RecordError, match="which has none"):
        find_runs([tmp_path / "all"])
    assert find_runs([tmp_path / "all" / "link"]) == [tmp_path / "all" / "link" / "one"]


@pytest.mark.parametrize("path", ["missing", "a\0b"])
def test_a_path_without_records_is_refused(tmp_path, path):
    make(tmp_path, "one")
    with pytest.raises(RecordError):
        find_runs([tmp_path, tmp_path / path])
