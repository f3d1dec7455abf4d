"""The files that a command leaves in its --out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unveil.atomic import written_atomically


def write_file(path: Path, text: str) -> None:
    """Write a text in one step. Raises `RecordError`."""
    with written_result(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def written_result(path: Path) -> Iterator[Path]:
    """A place to write a file to, moved there at the end, the folders above it made. Raises `RecordError`."""
    with written_atomically(path, "results", "choose another --out", with_folders=True) as part:
        yield part
