"""Keeps the texts of many runs on disk until the form of their report is known, so memory holds one at a time."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unveil.atomic import FULL
from unveil.errors import DiskFullError, RecordError


class TextSpool:
    """Texts in ASCII, numbered from 0, in a file without a name: it is gone when it is closed, or the process ends.

    Args:
        path: What the texts are for; the file is in the nearest folder above it that exists.

    Raises `RecordError` where no file can be written, and `DiskFullError` where the disk is full.
    """

    def __init__(self, path: Path) -> None:
        """Begin with no text."""
        folder = next((one for one in path.absolute().parents if one.is_dir()), None)
        self._path, self._starts = path, [0]
        with self._errors():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> "TextSpool":
        """The spool itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file, which removes it."""
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        return self._starts[-1]

    def add(self, text: str) -> None:
        """Append a text."""
        content = text.encode("ascii")
        with self._errors():
            self._file.seek(self.size)
            self._file.write(content)
        self._starts.append(self.size + len(content))

    def read(self, number: int) -> str:
        """The text of that number."""
        start, stop = self._starts[number : number + 2]
        with self._errors():
            self._file.seek(start)
            return self._file.read(stop - start).decode("ascii")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = DiskFullError if error.errno in FULL else RecordError
            do = "check the folder and the free space, or choose another file"
            raise kind("a place to write a report to", f"{self._path}: {error.strerror}", do) from error
