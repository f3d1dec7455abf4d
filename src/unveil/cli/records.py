"""Finished records for the commands that read them: found, opened one by one, and counted where they can't be."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.cli.console import SOME_FAILED, show_error
from unveil.errors import UnveilError

if TYPE_CHECKING:
    from unveil.records import Run

RunPaths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH…", help="Folders of runs, or folders that hold such folders.", show_default=False),
]


class RecordReader:
    """Opens records one by one; one that can't be opened is an error on standard error and doesn't stop the others.

    Args:
        paths: Folders of runs, or folders of such folders.

    Raises `RecordError` for a path without any record.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        """Find the records; none is opened yet."""
        from unveil.store.finding import find_runs  # noqa: PLC0415

        self.folders: Sequence[Path] = find_runs(paths)
        self.failed = 0

    def __iter__(self) -> "Iterator[tuple[Path, Run]]":
        """Each record that can be opened, with its folder."""
        from unveil.store import load_run  # noqa: PLC0415

        for folder in self.folders:
            try:
                run = load_run(folder)
            except UnveilError as error:
                self.leave_out(folder, error)
            else:
                yield folder, run

    def leave_out(self, folder: str | Path, error: UnveilError) -> None:
        """Print that a record can't be opened, and count it."""
        self.failed += 1
        show_error(f"{folder}: {error}")

    def finish(self) -> None:
        """End the command with exit code 1 if a record couldn't be opened."""
        if not self.failed:
            return
        if len(self.folders) > 1:
            show_error(f"{self.failed} of {len(self.folders)} records can't be read; the others are complete")
        raise typer.Exit(SOME_FAILED)
