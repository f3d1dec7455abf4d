"""Files with a key."""

import pytest

from unveil.evaluation.mosaics.keeping import Kept, key_of


def test_content_is_kept_with_its_key(tmp_path):
    path = tmp_path / "new" / "kept.json"
    Kept(path, "a").write({"x": 1})
    assert Kept(path, "a").content == {"x": 1}
    assert Kept(path, "b").content == {}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"content": 1}', "\x00"])
def test_a_damaged_file_is_empty(tmp_path, text):
    path = tmp_path / "kept.json"
    path.write_text(text)
    assert Kept(path, "a").content == {}


def test_keys_depend_on_every_part_but_not_on_the_order_of_a_table():
    assert key_of({"a": 1, "b": 2}, "x") == key_of({"b": 2, "a": 1}, "x")
    assert len({key_of("x", 1), key_of("x", 2), key_of("x"), key_of(1, "x")}) == 4
