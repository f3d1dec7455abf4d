"""Notes: an item is made once, whether or not the call that made it was stopped."""

import pytest
from notes import Notes


def test_an_item_is_made_once_and_read_back_the_same(tmp_path):
    made = []

    def make() -> dict:
        made.append(1)
        return {"p": (0.1 + 0.2, None), "n": len(made)}

    first = Notes(tmp_path / "notes").find_or_make(("part", 3), make)
    again = Notes(tmp_path / "notes")
    assert again.find_or_make(("part", 3), make) == first == {"p": [0.1 + 0.2, None], "n": 1}
    assert again.find_or_make(("part", 4), make)["n"] == 2
    assert len((tmp_path / "notes").read_text().splitlines()) == 2


def test_what_failed_is_not_noted(tmp_path):
    def fail() -> None:
        raise KeyboardInterrupt

    notes = Notes(tmp_path / "notes")
    with pytest.raises(KeyboardInterrupt):
        notes.find_or_make(("part", 3), fail)
    assert notes.find_or_make(("part", 3), lambda: 5) == 5


def test_without_a_file_nothing_is_kept():
    notes = Notes(None)
    assert [notes.find_or_make(("part",), lambda n=n: n) for n in (1, 2)] == [1, 1]
