"""What living processes are writing stays, what killed ones left is removed, and what they moved away comes back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unveil import leftovers
from unveil.atomic import publish_folder, written_atomically
from unveil.leftovers import Marks, hidden_sibling, remove_leftovers

# Stops in the middle of writing a folder, or between the two moves that replace one.
WRITER = """
import os, sys, time
from pathlib import Path
from unveil.atomic import publish_folder

def stop():
    print("there", flush=True)
    time.sleep(60)

def write(part):
    (part / "run.json").write_text("new")
    if sys.argv[2] == "writing":
        stop()

move = os.replace

def stop_between(source, target):
    if Path(source).name.startswith(".") and sys.argv[2] == "moving":
        stop()
    move(source, target)

os.replace = stop_between
publish_folder(Path(sys.argv[1]), write, lambda folder: True)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("step", ["writing", "moving"])
def test_leftovers_are_removed_once_their_process_is_killed(tmp_path, step):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text("old")
    command = [sys.executable, "-c", WRITER, str(tmp_path / "run"), step]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        hidden = names(tmp_path)
        remove_leftovers(tmp_path)
        alive = names(tmp_path)
        process.kill()
    assert line == "there\n"
    assert len(hidden) == 2
    assert ("run" in hidden) == (step == "writing")
    assert alive == hidden
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run/run.json").read_text() == "old"


def test_what_is_being_written_here_stays_and_is_complete(tmp_path):
    def write(part: Path) -> None:
        remove_leftovers(tmp_path)
        (part / "run.json").write_text("new")

    publish_folder(tmp_path / "run", write, lambda folder: False)
    with written_atomically(tmp_path / "figure.png", "a figure") as part:
        remove_leftovers(tmp_path)
        part.write_bytes(b"png")
    assert names(tmp_path) == ["figure.png", "run"]
    assert (tmp_path / "run/run.json").read_text() == "new"


def test_nothing_else_is_removed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    kept = [".git", ".run.part", ".run.part-12345", "run.part-1234abcd", ".run.part-1234ABCD", ".run.copy-1234abcd"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / ".link.part-1234abcd").symlink_to(tmp_path / "elsewhere")
    for name in (".run.part-1234abcd", ".a.b.part-00000000"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").write_text("half")
    (tmp_path / ".figure.part-1234abcd.png").write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*kept, "elsewhere", ".link.part-1234abcd"])
    remove_leftovers(tmp_path / "nothing")
    remove_leftovers(tmp_path / "elsewhere")


def test_a_former_folder_comes_back_only_where_nothing_took_its_place(tmp_path):
    (tmp_path / ".a.old-00000001").mkdir()
    (tmp_path / ".b.old-00000002").mkdir()
    (tmp_path / "b").mkdir()
    long = hidden_sibling(tmp_path / ("ö" * 120), "old")
    long.mkdir()
    remove_leftovers(tmp_path)
    # The name of the last one was cut, so that its place isn't known.
    assert names(tmp_path) == sorted(["a", "b", long.name])


def test_a_folder_that_another_process_removed_before_it_was_locked_is_noticed(tmp_path):
    marks = Marks()
    (tmp_path / "part").mkdir()
    assert marks.hold(tmp_path / "part")
    (tmp_path / "part").rmdir()
    assert not marks.hold(tmp_path / "part")
    marks.release()


def test_a_part_that_was_taken_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    hold, removed = Marks.hold, []

    def hold_late(marks: Marks, path: Path) -> bool:
        if not removed:
            remove_leftovers(path.parent)
            removed.append(path)
        return hold(marks, path)

    monkeypatch.setattr(Marks, "hold", hold_late)
    publish_folder(tmp_path / "run", lambda part: (part / "run.json").write_text("new"), lambda folder: False)
    assert not removed[0].exists()
    assert names(tmp_path) == ["run"]


def test_without_locks_nothing_is_removed_and_everything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "_locks", None)
    (tmp_path / ".run.part-1234abcd").mkdir()
    publish_folder(tmp_path / "run", lambda part: (part / "run.json").write_text("new"), lambda folder: False)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".run.part-1234abcd", "run"]


def test_hidden_names_fit_into_a_file_system(tmp_path):
    for name in ("ö" * 127, "a" * 255, "x.png"):
        path = hidden_sibling(tmp_path / name, "part", ".png" if name.endswith(".png") else "")
        path.touch()
        assert len(os.fsencode(path.name)) <= 255
