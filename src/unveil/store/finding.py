"""Finds run records below the folders that were given."""

import os
from collections.abc import Iterable
from pathlib import Path

from unveil.errors import RecordError
from unveil.store.manifest import MANIFEST


def find_runs(paths: Iterable[str | Path]) -> list[Path]:
    """The folders of all run records at or below `paths`, each once, in the order of the paths and then of names.

    A folder with a `run.json` is a record, and nothing below it is searched; hidden folders, which hold unfinished
    records, are left out. Links are followed only where they are among the paths. The records aren't opened.

    Raises `RecordError` for a path that no record is at or below.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        folders = _below(path)
        if not folders:
            got = f"{path}, which has none" if path.is_dir() else f"{path}, which is no folder"
            raise RecordError("the folder of a run, or a folder of such folders", got, "check the path")
        for folder in folders:
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())


def _below(path: Path) -> list[Path]:
    found = []
    try:
        for folder, inner, files in os.walk(path):
            if MANIFEST in files:
                found.append(Path(folder))
                inner.clear()
            inner[:] = sorted(name for name in inner if not name.startswith("."))
    except ValueError as error:
        raise RecordError("a path", f"{path!s}: {error}", "check the path") from error
    return found
