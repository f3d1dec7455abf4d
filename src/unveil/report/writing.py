"""Writes a report: one file, or a folder where that would be too large."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from io import StringIO
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TextIO

from unveil import __version__
from unveil.atomic import publish_folder, written_result
from unveil.errors import RecordError, UnveilError
from unveil.records import Run
from unveil.report.content import ReportContent
from unveil.report.pages import as_page_text, check_page_name, render_page
from unveil.report.places import data_address
from unveil.report.spool import TextSpool
from unveil.store import load_run

MOST_BYTES = 50_000_000  # of a single file; browsers become slow beyond
STATIC_RUNS, STATIC_ROWS = 50, 200  # that can be read without JavaScript


class ReportKind(StrEnum):
    """The form of a report: one `file`, or a `folder` with a file for each run."""

    FILE = "file"
    FOLDER = "folder"


def save_report(
    runs: Iterable[Run | str | Path],
    out: str | Path,
    *,
    title: str | None = None,
    anonymous: bool = False,
    on_run: Callable[[int], None] = lambda done: None,
    on_error: Callable[[str | Path, UnveilError], None] | None = None,
) -> tuple[Path, ReportKind]:
    """Write a report of one run or of many.

    Args:
        runs: Runs, or folders of their records. They are taken one after the other, and only one is in memory, so they
            may be made or read on the way.
        out: The file to write, which ends with `.html`. Where all runs together would be larger than 50 MB, a folder of
            that name without the ending holds `index.html` and files for each run.
        title: The title; None for the name of the image, or the number of runs.
        anonymous: Whether names of images are replaced by the first 12 digits of their hashes.
        on_run: Called with the number of runs done after each.
        on_error: Called with a folder whose record can't be read, and the error; the record is left out, and the page
            says how many were. None raises the error.

    Returns the page that was written, and its form. Raises `RecordError` if there is no run, if a record can't be read,
    for another ending, and where nothing can be written. Source of the method: Bordes et al. 2018.
    """
    path = check_page_name(out)
    with TextSpool(path) as spool:
        content, shown, unread = ReportContent(spool, anonymous=anonymous), None, 0
        for run in _opened(runs, on_error):
            if isinstance(run, Run):
                shown = content.add(run)
            else:
                unread += 1
            on_run(len(content.rows) + unread)
        if shown is None:
            raise RecordError("at least one run", "none", "name folders that `unveil run` wrote")
        writer = _Writer(content, title, unread, _figure(shown) if len(content.rows) == 1 else None)
        if spool.size <= MOST_BYTES:
            with written_result(path) as part, part.open("w", encoding="utf-8") as file:
                writer.write_page(file, ReportKind.FILE)
            return path, ReportKind.FILE
        folder = path.with_suffix("")
        publish_folder(folder, writer.write_folder, _is_report)
    return folder / "index.html", ReportKind.FOLDER


def _opened(
    runs: Iterable[Run | str | Path], on_error: Callable[[str | Path, UnveilError], None] | None
) -> Iterator[Run | None]:
    """Each run; None for a record that can't be read."""
    for run in runs:
        if isinstance(run, Run):
            yield run
            continue
        try:
            opened = load_run(run)
        except UnveilError as error:
            if on_error is None:
                raise
            on_error(run, error)
            opened = None
        yield opened


def make_report_page(run: Run) -> str:
    """The page of one `run`, as `save_report` writes it: an HTML document that loads nothing.

    Raises `RecordError` for a run that is too large for a viewer.
    """
    text = StringIO()
    with TextSpool(Path(gettempdir()) / "report.html") as spool:
        content = ReportContent(spool, anonymous=False)
        shown = content.add(run)
        _Writer(content, None, 0, _figure(shown)).write_page(text, ReportKind.FILE)
    return text.getvalue()


def _is_report(folder: Path) -> bool:
    page = folder / "index.html"
    return page.is_file() and b"unveil" in page.read_bytes()[:2000]


class _Writer:
    """Writes pages of runs that are all there."""

    def __init__(self, content: ReportContent, title: str | None, unread: int, figure: str | None) -> None:
        self._content, self._figure, self._unread = content, figure, unread
        count = len(content.rows)
        usual = content.rows[0].name if count == 1 else f"{count:,} runs"
        self._title = usual if title is None else title

    def write_page(self, file: TextIO | StringIO, kind: ReportKind) -> None:
        """Write the page; a single file holds the texts of all runs."""
        page = render_page(files_beside=kind is ReportKind.FOLDER, **self._values(kind))
        start, end, rest = page.rpartition("</body>")
        file.write(start)
        for place, row in enumerate(self._content.rows if kind is ReportKind.FILE else ()):
            file.write(f'<template id="text-{row.id}">{self._content.spool.read(place)}</template>\n')
        file.write(end + rest)

    def write_folder(self, folder: Path) -> None:
        """Write the page, and for each run its picture, and a script that hands over its text."""
        for name in ("runs", "pictures"):
            (folder / name).mkdir()
        for place, row in enumerate(self._content.rows):
            text = self._content.spool.read(place)
            script = f"unveilRun({json.dumps(row.id)}, {as_page_text(text)});"
            (folder / "runs" / f"{row.id}.js").write_text(script, encoding="ascii")
            (folder / "pictures" / f"{row.id}.png").write_bytes(_png_of(text))
        with (folder / "index.html").open("w", encoding="utf-8") as file:
            self.write_page(file, ReportKind.FOLDER)

    def _values(self, kind: ReportKind) -> dict[str, Any]:
        content, count = self._content, len(self._content.rows)
        order = content.order()
        sections = []
        for place in order[:STATIC_RUNS]:
            picture, facts = content.facts(place)
            row = content.rows[place]
            shown = picture if kind is ReportKind.FILE else f"pictures/{row.id}.png"
            sections.append({"id": row.id, "name": row.name, "picture": shown, "facts": facts})
        return {
            "title": self._title,
            "lead": _lead(count, tested=not content.has_untested),
            "tested": not content.has_untested,
            "version": __version__,
            "counts": content.counts(),
            "rows": [content.rows[place] for place in order[:STATIC_ROWS]],
            "heads": content.heads(),
            "opened": {section["id"] for section in sections},
            "total": count,
            "heat": content.heat_maps() if count > 1 else [],
            "index": content.index() if count > 1 else "",
            "limits": content.limits(self._unread) if count > 1 else [],
            "methods": content.methods(),
            "other_methods": content.other_methods,
            "runs": sections,
            "figure": self._figure,
            "footer": f"Made with unveil {__version__}. Nothing in this page is sent anywhere.",
        }


def _png_of(text: str) -> bytes:
    """The picture in the text of a run."""
    return base64.b64decode(json.loads(text.partition("\n")[0]).partition(",")[2])


def _lead(count: int, *, tested: bool) -> str:
    found = "one image" if count == 1 else f"each of {count:,} images"
    return (
        f"The regions that a classifier relies on in {found}: found one after the other by erasing what was found"
        f"{', and tested' * tested}."
    )


def _figure(run: Run) -> str:
    from unveil.render import figure_as_png  # noqa: PLC0415 (a second of imports)

    return data_address(figure_as_png(run.figure(), colors=256))
