"""A file that appears at once and complete, or not at all. (A folder: `store/publishing.py`.)"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unveil.errors import RecordError


@contextmanager
def written_atomically(
    path: Path, what: str, do: str = "check the folder and the space", *, with_folders: bool = False
) -> Iterator[Path]:
    """A hidden place beside `path` to write to, with the same ending, moved there at the end; `what` is written.

    With `with_folders` the folders above are made. After any exception, an interrupt included, the hidden file is gone
    and what was there before is as it was. Raises `RecordError` for whatever the file system refuses.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix.lower()}")
    try:
        if with_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise RecordError(f"a place to write {what} to", f"{path}: {error.strerror}", do) from error
    finally:
        # A folder above it may be a file.
        with suppress(OSError):
            part.unlink(missing_ok=True)
