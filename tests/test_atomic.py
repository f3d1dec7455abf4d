"""A file is there as a whole, or what was there before is as it was, and nothing else is left."""

import pytest

from unveil.atomic import written_atomically
from unveil.errors import RecordError


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "a" / "b" / "Numbers.JSON"
    with written_atomically(path, "numbers", with_folders=True) as part:
        assert (part.parent, part.suffix) == (path.parent, ".json")
        part.write_text("1")
        assert not path.exists()
    assert [one.name for one in path.parent.iterdir()] == ["Numbers.JSON"]
    assert path.read_text() == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_all_is_as_it_was(tmp_path, error):
    path = tmp_path / "numbers.json"
    path.write_text("before")

    def write() -> None:
        with written_atomically(path, "numbers") as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("numbers.json", "before")]


@pytest.mark.parametrize("with_folders", [False, True])
@pytest.mark.parametrize("place", ["file/numbers.json", "folder"])
def test_what_the_file_system_refuses_is_one_error(tmp_path, place, with_folders):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder" / "inside").mkdir(parents=True)

    def write() -> None:
        with written_atomically(tmp_path / place, "numbers", "choose another", with_folders=with_folders) as part:
            part.write_text("1")

    with pytest.raises(RecordError, match=r"a place to write numbers to; got .*; choose another"):
        write()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]
