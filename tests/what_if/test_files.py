"""Answers as files: numbered, replaced whole, and refused with one clear error."""

import json
import os
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawings import DRAWING, WHAT_IF
from unveil.errors import RecordError
from unveil.what_if import load_drawing, load_what_if, save_what_if, what_if_numbers


def test_answers_get_the_next_number_and_can_be_replaced(tmp_path):
    folder = tmp_path / "a" / "dog.what-if"
    assert what_if_numbers(folder) == ()
    untested = replace(WHAT_IF, placements=None, exceeding=0, p_value=None)
    assert [save_what_if(untested, folder) for _ in range(2)] == [1, 2]
    assert save_what_if(WHAT_IF, folder, 1) == 1
    assert [load_what_if(folder / f"{number}.json") for number in (1, 2)] == [WHAT_IF, untested]
    (folder / "2.json").rename(folder / "11.json")
    for other in ("0.json", "3.json.part", "x.json", ".4.json"):
        (folder / other).touch()
    assert what_if_numbers(folder) == (1, 11)
    assert save_what_if(WHAT_IF, folder) == 12


def test_threads_do_not_share_a_number(tmp_path):
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(save_what_if(WHAT_IF, tmp_path))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 13)) == list(what_if_numbers(tmp_path))


def test_nothing_is_half_written(tmp_path, monkeypatch):
    save_what_if(WHAT_IF, tmp_path)
    before = (tmp_path / "1.json").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(RecordError, match="No space left"):
        save_what_if(replace(WHAT_IF, seed=8), tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]
    assert (tmp_path / "1.json").read_bytes() == before


def test_a_file_in_the_way_and_a_number_below_one_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="a place to write a what-if to"):
        save_what_if(WHAT_IF, tmp_path / "file")
    with pytest.raises(RecordError, match="a number from 1 on; got 0"):
        save_what_if(WHAT_IF, tmp_path, 0)


def test_a_drawing_is_loaded_alone_or_with_its_answer(tmp_path):
    alone = tmp_path / "drawing.json"
    alone.write_text(json.dumps(DRAWING.as_dict()), encoding="utf-8")
    assert load_drawing(alone) == DRAWING
    number = save_what_if(WHAT_IF, tmp_path)
    assert load_drawing(tmp_path / f"{number}.json") == WHAT_IF
    with pytest.raises(RecordError, match="drawing.json of the format 'unveil what-if'; got 'unveil drawing'"):
        load_what_if(alone)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1.json to be valid JSON; got Expecting value"),
        (b"\xff", "1.json to be valid JSON; got 'utf-8' codec can't decode"),
        (b"[1, 2]", "1.json to hold a table; got a list; draw again"),
        (b'{"strokes": [{"kind": "brush", "points": [[NaN, 1]], "width_px": 1}]}', "got NaN, which is no JSON number"),
        (b'{"strokes": 1e999}', "1.json to be valid JSON; got the number 1e999, which is too large"),
        (b"[" * 100_000, "1.json to be valid JSON"),
        (
            b'{"format": "unveil drawing", "version": 9, "strokes": []}',
            "1.json of version 1 at most; got version 9; update",
        ),
        (b'{"format": "unveil run"}', "1.json of the format 'unveil drawing'; got 'unveil run'; check the path"),
    ],
)
def test_what_is_no_drawing_is_refused(tmp_path, content, message):
    path = tmp_path / "1.json"
    path.write_bytes(content)
    with pytest.raises(RecordError) as raised:
        load_drawing(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_and_huge_files_are_refused(tmp_path):
    with pytest.raises(RecordError, match="which doesn't exist; check the path"):
        load_drawing(tmp_path / "none.json")
    with pytest.raises(RecordError, match="got the folder"):
        load_drawing(tmp_path)
    with pytest.raises(RecordError, match="check the path"):
        load_drawing("a\0b")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate((1 << 24) + 1)
    with pytest.raises(RecordError, match="at most 16777216 bytes; got 16777217"):
        load_drawing(tmp_path / "huge.json")


@given(st.data())
def test_a_damaged_file_gives_an_answer_or_one_line(tmp_path_factory, data):
    """Bytes are replaced, or the file is cut."""
    folder = tmp_path_factory.mktemp("damaged")
    save_what_if(WHAT_IF, folder)
    content = bytearray((folder / "1.json").read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "1.json").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        load_drawing(folder / "1.json").as_dict()
    except RecordError as error:
        assert "\n" not in str(error)
