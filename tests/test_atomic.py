"""A file is there as a whole, or what was there before is as it was, and nothing else is left."""

import errno
import io
import os
import stat
import tempfile

import pytest

from failing_calls import NthCall
from unveil.atomic import (
    check_file,
    check_folder,
    check_publishable,
    publish_folder,
    publish_once,
    write_durably,
    written_atomically,
)
from unveil.errors import BatchError, DiskFullError, RecordError


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "a" / "b" / "Numbers.JSON"
    with written_atomically(path, "numbers", with_folders=True) as part:
        assert (part.parent, part.suffix) == (path.parent, ".json")
        part.write_text("1")
        assert not path.exists()
    assert [one.name for one in path.parent.iterdir()] == ["Numbers.JSON"]
    assert path.read_text() == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_nothing_has_changed(tmp_path, error):
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
def test_errors_of_the_file_system_become_one_error(tmp_path, place, with_folders):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder" / "inside").mkdir(parents=True)

    def write() -> None:
        with written_atomically(tmp_path / place, "numbers", "choose another", with_folders=with_folders) as part:
            part.write_text("1")

    with pytest.raises(RecordError, match=r"a place to write numbers to; got .*; choose another"):
        write()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]


def everything(folder):
    """Paths below a folder, with what links point to."""
    return sorted((path, path.readlink() if path.is_symlink() else None) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file", "a file of this name; choose another folder"),
        ("file/deep/er", "the file .*file above it"),
        ("link", "a link to nothing"),
        ("link/deep", "a link to nothing, .*link; remove the link"),
        ("closed", "Permission denied"),
        ("closed/deep/er", "Permission denied"),
        ("n" * 300, "File name too long"),
        ("nul\0", "a name with a null character"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch, place, message):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "closed").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    before = everything(tmp_path)
    make = tempfile.mkdtemp

    def make_unless_closed(prefix, dir):
        """Permissions don't hold for the user who runs some of these tests."""
        if dir == tmp_path / "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", make_unless_closed)
    with pytest.raises(RecordError, match=message):
        check_folder(tmp_path / place)
    with pytest.raises(RecordError):
        check_publishable(tmp_path / place, lambda folder: True)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["", "there", "new", "new/deep/er", "good link", "good link/new"])
def test_a_writable_folder_is_not_changed(tmp_path, place):
    (tmp_path / "there").mkdir()
    (tmp_path / "good link").symlink_to(tmp_path / "there")
    before = everything(tmp_path)
    check_folder(tmp_path / place)
    assert everything(tmp_path) == before
    (tmp_path / place).mkdir(parents=True, exist_ok=True)


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    check_folder("new/deep")
    check_file("new/numbers.json")
    check_file("file")
    for place in ("file/deep", "file"):
        with pytest.raises(RecordError, match="file"):
            check_folder(place)
    with pytest.raises(RecordError, match="a file to write to; got the folder"):
        check_file(tmp_path)


def test_a_folder_that_is_not_empty_is_refused_unless_it_may_be_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    check_publishable(tmp_path / "run", lambda folder: False)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RecordError, match="isn't empty"):
        check_publishable(tmp_path / "run", lambda folder: False)
    check_publishable(tmp_path / "run", lambda folder: True)


def test_a_link_to_nothing_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    before = everything(tmp_path)
    with pytest.raises(RecordError, match="a link to nothing"):
        publish_folder(tmp_path / "link", lambda part: None, lambda folder: True)
    assert everything(tmp_path) == before


# ---- once, and on the disk


def fill(part):
    """Two files, one of them in a folder."""
    (part / "inside").mkdir()
    (part / "inside" / "a.txt").write_text("a")
    (part / "b.txt").write_text("b")


def contents(folder):
    """Every file below a folder with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_published_once(tmp_path):
    assert publish_once(tmp_path / "new", tmp_path / "hidden", fill)
    assert contents(tmp_path) == {"new/inside/a.txt": "a", "new/b.txt": "b"}
    assert not publish_once(tmp_path / "new", tmp_path / "hidden", lambda part: (part / "c.txt").write_text("c"))
    assert contents(tmp_path) == {"new/inside/a.txt": "a", "new/b.txt": "b"}
    assert list((tmp_path / "hidden").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["open", "mkdir", "fsync", "replace"])
@pytest.mark.parametrize("action", ["folder", "file"])
def test_every_call_of_the_system_may_fail_once(tmp_path, monkeypatch, action, call, code):
    """The n-th call fails, n = 1, 2, … until none is left: one error that names the place, nothing half-written, and the
    same again works."""
    (tmp_path / "hidden").mkdir()

    def act() -> None:
        if action == "folder":
            publish_once(tmp_path / "new", tmp_path / "hidden", fill)
        else:
            write_durably(tmp_path / "new", tmp_path / "hidden", lambda file: file.write(b"b"))

    module, failures, fails_at = io if call == "open" else os, 0, 0
    is_over = False
    while not is_over:
        fails_at += 1
        with monkeypatch.context() as patched:
            counter = NthCall(getattr(module, call), fails_at, code)
            patched.setattr(module, call, counter)
            # A folder that can't be opened can't be synced on any system; that is no error.
            try:
                act()
            except (BatchError, DiskFullError) as error:
                failures += 1
                assert isinstance(error, DiskFullError) == (code in (errno.ENOSPC, errno.EDQUOT))
                assert str(tmp_path / "new") in str(error)
                assert os.strerror(code) in str(error)
        assert list((tmp_path / "hidden").iterdir()) == []
        whole = {"new": "b"} if action == "file" else {"new/inside/a.txt": "a", "new/b.txt": "b"}
        assert contents(tmp_path) in ({}, whole)
        act()
        assert contents(tmp_path) == whole
        is_over = counter.calls < fails_at
        for path in sorted(tmp_path.rglob("new/**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (tmp_path / "new").rmdir() if action == "folder" else (tmp_path / "new").unlink()
    expected = {
        "folder": {
            "open": 4,
            "mkdir": 2,  # the folder for hidden ones is there
            "fsync": 5,
            "replace": 1,
        },
        "file": {"open": 1, "mkdir": 0, "fsync": 2, "replace": 1},
    }
    assert failures == expected[action][call]


def test_systems_that_cannot_sync_folders_are_no_error(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(number)

    monkeypatch.setattr(os, "fsync", refuse)
    (tmp_path / "hidden").mkdir()
    assert publish_once(tmp_path / "new", tmp_path / "hidden", fill)
    write_durably(tmp_path / "file", tmp_path / "hidden", lambda file: file.write(b"1"))
    assert (tmp_path / "file").read_bytes() == b"1"


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "file").write_text("before")

    def fail(file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_durably(tmp_path / "file", tmp_path / "hidden", fail)
    assert contents(tmp_path) == {"file": "before"}
