"""Files and folders that appear at once and complete, or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from unveil.errors import BatchError, DiskFullError, RecordError
from unveil.leftovers import Marks, hidden_sibling

# No space, and no space left of a user's share.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# What a system says that can't sync folders.
UNABLE = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR)


@contextlib.contextmanager
def written_atomically(
    path: Path, what: str, do: str = "check the folder and the free space", *, with_folders: bool = False
) -> Iterator[Path]:
    """A hidden path beside `path`, with the same suffix, to write to; it is moved to `path` at the end.

    `what` names the content in errors. `with_folders` creates missing parent folders. After any exception, including an
    interrupt, the hidden file is gone and what was at `path` before is unchanged. Raises `RecordError` for whatever the
    file system refuses.
    """
    part, marks = hidden_sibling(path, "part", path.suffix.lower()), Marks()
    try:
        if with_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        marks.hold(part)
        yield part
        part.replace(path)
    except OSError as error:
        kind = DiskFullError if error.errno in FULL else RecordError
        raise kind(f"a place to write {what} to", f"{path}: {error.strerror}", do) from error
    finally:
        # A parent folder may turn out to be a file.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        marks.release()


@contextlib.contextmanager
def written_result(path: Path) -> Iterator[Path]:
    """A hidden place to write a result file to, moved to `path` at the end; the folders above it are made.

    Raises `RecordError`.
    """
    with written_atomically(path, "results", "choose another --out", with_folders=True) as part:
        yield part


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, UTF-8, and make the folders above it. Raises `RecordError`."""
    with written_result(path) as part:
        part.write_text(text, encoding="utf-8")


def publish_folder(folder: Path, write: Callable[[Path], None], replaceable: Callable[[Path], bool]) -> None:
    """Make a folder whose content `write` puts into the hidden folder it is given, beside the final one.

    The folder must be new, empty, or one that `replaceable` says may be replaced: then it is swapped as a whole.
    Folders above it are made. A link to nothing is refused. Raises `RecordError` for whatever the file system refuses;
    after this or any other exception, an interrupt included, the hidden folder is gone and what was there before is
    there again.
    """
    try:
        if folder.is_symlink() and not folder.exists():
            raise _refused(folder, "a link to nothing", "remove the link, or choose another folder")
        # What a link points to is replaced, never the link.
        target = folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _refused(folder, str(error)) from error
    try:
        _check_replaceable(target, replaceable)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _hidden_folder(target) as (part, marks):
            write(part)
            _sync(part)
            # Once more: writing took a while.
            _swap(part, target, marks, replaced=_check_replaceable(target, replaceable))
    except OSError as error:
        if error.errno in FULL:
            do = "free some space, or choose another disk"
            raise DiskFullError(f"space for the record at {folder}", error.strerror or str(error), do) from error
        raise _refused(folder, error.strerror or str(error)) from error


def publish_once(folder: Path, hidden: Path, write: Callable[[Path], None]) -> bool:
    """Make a folder whose content `write` puts into a hidden folder inside `hidden`, on the same disk; True if it did.

    For content that is the same whoever makes it: a folder of this name that is there already stays, and ours is
    dropped (False). All of it is on the disk before the folder has its name, so that a power cut leaves all or nothing.
    Raises `DiskFullError`, or `BatchError` for whatever else the file system refuses; nothing
    is left of the hidden folder after any exception.
    """
    try:
        hidden.mkdir(exist_ok=True)
        with _hidden_folder(hidden / folder.name) as (part, _):
            write(part)
            _sync(part, strict=True)
            try:
                os.replace(part, folder)  # noqa: PTH105
            except OSError:
                if folder.is_dir() and any(folder.iterdir()):
                    return False
                raise
            _sync_folder(folder.parent, strict=True)
    except OSError as error:
        raise _disk_error(folder, error) from error
    return True


@contextlib.contextmanager
def _hidden_folder(target: Path) -> Iterator[tuple[Path, Marks]]:
    """A new hidden folder beside `target` that is marked as being written to; whatever of it is left is removed."""
    part, marks = hidden_sibling(target, "part"), Marks()
    try:
        part.mkdir()
        while not marks.hold(part):
            part = hidden_sibling(target, "part")
            part.mkdir()
        yield part, marks
    finally:
        shutil.rmtree(part, ignore_errors=True)
        marks.release()


def write_durably(path: Path, hidden: Path, write: Callable[[BufferedIOBase], Any]) -> None:
    """Write a file in one step: into a hidden file inside the folder `hidden` on the same disk, which then takes its
    place, when it is on the disk.

    Raises `DiskFullError`, or `BatchError` for whatever else the file system refuses; what was at `path` is unchanged
    then, unless the last step failed, which only makes the name durable.
    """
    part, marks = hidden_sibling(hidden / path.name, "part"), Marks()
    try:
        with part.open("xb") as file:
            marks.hold(part)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)  # noqa: PTH105
        _sync_folder(path.parent, strict=True)
    except OSError as error:
        raise _disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        marks.release()


def _disk_error(path: Path, error: OSError) -> BatchError | DiskFullError:
    got = error.strerror or str(error)
    if error.errno in FULL:
        return DiskFullError(f"space for {path}", got, "free some space, and make the same call again")
    return BatchError(f"to write {path}", got, "check the disk and the folder, and make the same call again")


def check_folder(folder: str | Path) -> None:
    """Check that files can be written into a folder, or that it can be made; nothing is left there.

    To be called before work that takes long. Raises `RecordError` for an existing file of this name, a link to nothing,
    and a folder (or, if it doesn't exist yet, the nearest one above it) that nothing can be written to.
    """
    path = Path(folder)
    try:
        if "\0" in str(path):
            raise _refused(path, "a name with a null character")
        if path.exists() and not path.is_dir():
            raise _refused(path, "a file of this name")
        above = next(one for one in (path, *path.absolute().parents) if one.is_symlink() or one.exists())
        if not above.exists():
            raise _refused(path, f"a link to nothing, {above}", "remove the link, or choose another folder")
        if not above.is_dir():
            raise _refused(path, f"the file {above} above it")
        Path(tempfile.mkdtemp(prefix=".unveil-", dir=above)).rmdir()
    except (OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise _refused(path, got) from error


def check_file(path: str | Path) -> None:
    """Check that a file can be written (or replaced) at a path; nothing is left there. Raises `RecordError`."""
    if Path(path).is_dir():
        raise RecordError("a file to write to", f"the folder {path}", "name a file in it")
    check_folder(Path(path).parent)


def check_publishable(folder: Path, replaceable: Callable[[Path], bool]) -> None:
    """Check what `publish_folder` will need, before the work whose result it is to hold. Raises `RecordError`."""
    check_folder(folder)
    _check_replaceable(folder, replaceable)


def _check_replaceable(target: Path, replaceable: Callable[[Path], bool]) -> bool:
    """True if there is a folder to be replaced."""
    if not target.exists():
        return False
    if not target.is_dir():
        raise _refused(target, "a file of this name")
    if any(target.iterdir()) and not replaceable(target):
        raise _refused(
            target, "a folder that isn't empty", "choose another one; overwrite replaces run records and nothing else"
        )
    return True


def _swap(part: Path, target: Path, marks: Marks, *, replaced: bool) -> None:
    """Give `part` the name `target`. Fails if a folder that isn't empty appeared there meanwhile."""
    old = hidden_sibling(target, "old")
    try:
        if replaced:
            marks.hold(target)
            os.replace(target, old)  # noqa: PTH105 (one name for all moves: tests break it)
        os.replace(part, target)  # noqa: PTH105
        _sync_folder(target.parent)
    finally:
        # Judged by what is there, not by how far we came: an interrupt can fall between any two steps.
        if old.exists() and not target.exists():
            os.replace(old, target)  # noqa: PTH105
        shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path, *, strict: bool = False) -> None:
    """Have everything below the folder on the disk before the folder gets its name."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            _sync_folder(path, strict=strict)
        else:
            with path.open("r+b") as file:
                os.fsync(file.fileno())
    _sync_folder(folder, strict=strict)


def _sync_folder(folder: Path, *, strict: bool = False) -> None:
    """Have the names in a folder on the disk; `strict` raises what a disk says that fails."""
    # Some systems can't open or sync a folder. The files in it are synced anyway.
    try:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        if strict and error.errno not in UNABLE:
            raise


def _refused(folder: Path, got: str, do: str = "choose another folder") -> RecordError:
    return RecordError(f"a folder that the run can be written to at {folder}", got, do)
