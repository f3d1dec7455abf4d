"""Writes a report: one file, or a folder where that would be too large."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from unveil import __version__
from unveil.atomic import publish_folder, write_text
from unveil.codec import to_toml
from unveil.errors import RecordError
from unveil.records import Run, Verdict
from unveil.report.places import PlaceCounts, data_address
from unveil.report.tables import RunRow, make_row, report_facts
from unveil.store import load_run
from unveil.view import ESCAPES, make_view, viewer_code

MOST_BYTES = 50_000_000  # of a single file; browsers become slow beyond
STATIC_RUNS, STATIC_ROWS, FIGURE_RUNS = 50, 200, 1
HEADS = (
    ("name", "image"),
    ("first", "prediction"),
    ("rounds", "rounds"),
    ("supported", "supported"),
    ("weak", "weak"),
    ("artifact", "artifacts"),
    ("untested", "untested"),
    ("labels", "labels"),
)


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
) -> tuple[Path, ReportKind]:
    """Write a report of one run or of many.

    Args:
        runs: Runs, or folders of their records; records are read one after the other.
        out: The file to write, which ends with `.html`. Where all runs together would be larger than 50 MB, a folder of
            that name without the ending holds `index.html` and a file for each run.
        title: The title; None for the name of the image, or the number of runs.
        anonymous: Whether names of images are replaced by the first 12 digits of their hashes.
        on_run: Called with the number of runs done after each.

    Returns the page that was written, and its form. Raises `RecordError` if there is no run, if a record can't be read,
    and for another ending. Source of the method: Bordes et al. 2018.
    """
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise RecordError("a report whose name ends with .html", path.name, "choose such a name")
    given = list(runs)
    if not given:
        raise RecordError("at least one run", "none", "name folders that `unveil run` wrote")
    content = _Content(anonymous, with_figure=len(given) <= FIGURE_RUNS)
    for number, run in enumerate(given, start=1):
        content.add(run if isinstance(run, Run) else load_run(run))
        on_run(number)
    if title is None:
        title = content.rows[0].name if len(given) == 1 else f"{len(given)} runs"
    if content.size <= MOST_BYTES:
        write_text(path, content.page(title, ReportKind.FILE))
        return path, ReportKind.FILE
    folder = path.with_suffix("")
    publish_folder(folder, lambda part: content.write_folder(part, title), _is_report)
    return folder / "index.html", ReportKind.FOLDER


def _is_report(folder: Path) -> bool:
    page = folder / "index.html"
    return page.is_file() and b"unveil" in page.read_bytes()[:2000]


class _Content:
    """What the pages of a report are made of; grows run by run."""

    def __init__(self, anonymous: bool, *, with_figure: bool) -> None:
        self._anonymous, self._with_figure = anonymous, with_figure
        self.rows: list[RunRow] = []
        self._views: list[str] = []
        self._facts: list[dict] = []
        self._places = PlaceCounts()

    @property
    def size(self) -> int:
        """Bytes of all views."""
        return sum(map(len, self._views))

    def add(self, run: Run) -> None:
        """Add a run."""
        # A report is handed on; the folders of an image are no part of the result.
        shown = run.source.sha256[:12] if self._anonymous else Path(run.source.name).name or run.source.name
        run = replace(run, source=replace(run.source, name=shown))
        view, name = make_view(run), f"run-{len(self.rows) + 1}"
        self.rows.append(make_row(run, name))
        self._views.append(view.to_json())
        self._places.add(run)
        if len(self._facts) < STATIC_RUNS:
            figure = _figure(run) if self._with_figure else None
            facts = {"id": name, "recipe": to_toml(run.recipe), "figure": figure}
            self._facts.append({**report_facts(run, view), **facts})

    def page(self, title: str, kind: ReportKind) -> str:
        """The page; in a folder, it holds no views."""
        inside = kind is ReportKind.FILE
        order = sorted(range(len(self.rows)), key=lambda place: -self.rows[place].suspicion)
        facts = self._facts if inside else []
        known = {one["id"] for one in facts}
        views = dict(zip([row.id for row in self.rows], self._views, strict=True)) if inside else {}
        sections = [{**one, "view": views.pop(one["id"])} for one in facts]
        style, script = _static("report.css"), _static("report.js")
        rest = [f'<template id="view-{name}">{text}</template>' for name, text in views.items()]
        listed = [
            {**asdict(self.rows[place]), "href": f"#{self.rows[place].id}" if self.rows[place].id in known else None}
            for place in order[:STATIC_ROWS]
        ]
        page = (
            _environment()
            .get_template("page.html")
            .render(
                title=title,
                lead=_lead(len(self.rows), tested=not self._has_untested),
                version=__version__,
                policy=_policy([viewer_code(), script], style, kind),
                style=style,
                script=script,
                viewer=viewer_code(),
                counts=self._counts(),
                rows=listed,
                heads=self._heads(),
                untested=self._has_untested,
                total=len(self.rows),
                hidden_rows=len(self.rows) > STATIC_ROWS,
                heat=self._places.heat_maps() if len(self.rows) > 1 else [],
                index=_as_text(self._index(order)) if len(self.rows) > 1 else "",
                runs=sections,
                footer=f"Made with unveil {__version__}. Nothing in this page is sent anywhere.",
            )
        )
        return page.replace("</body>", "\n".join(rest) + "</body>") if rest else page

    def _index(self, order: Sequence[int]) -> dict:
        alike = self._places.alike([row.id for row in self.rows])
        rows = [{**asdict(self.rows[place]), "alike": alike[place]} for place in order]
        return {"heads": self._heads(), "rows": rows}

    @property
    def _has_untested(self) -> bool:
        return any(row.untested for row in self.rows)

    def _heads(self) -> list[tuple[str, str]]:
        return [head for head in HEADS if head[0] != "untested" or self._has_untested]

    def _counts(self) -> list[tuple[str, int]]:
        """The number of regions of each verdict; those without a trust card, where there are some."""
        names = [*map(str, Verdict), "untested"]
        counts = [(name, sum(getattr(row, name) for row in self.rows)) for name in names]
        return [(name, count) for name, count in counts if count or (name != "untested" and not self._has_untested)]

    def write_folder(self, folder: Path, title: str) -> None:
        """Write the page, and one script for each run that hands over its view."""
        (folder / "runs").mkdir()
        for row, view in zip(self.rows, self._views, strict=True):
            text = f"unveilRun({json.dumps(row.id)}, {_as_text(view)});"
            (folder / "runs" / f"{row.id}.js").write_text(text, encoding="ascii")
        (folder / "index.html").write_text(self.page(title, ReportKind.FOLDER), encoding="utf-8")


def _as_text(values: object) -> str:
    """JSON that can stand in any element of a page."""
    return json.dumps(values, separators=(",", ":")).translate(ESCAPES)


def _lead(count: int, *, tested: bool) -> str:
    found = "one image" if count == 1 else f"each of {count:,} images"
    return (
        f"The regions that a classifier relies on in {found}: found one after the other by erasing what was found"
        f"{', and tested' * tested}."
    )


def _figure(run: Run) -> str:
    from unveil.render import figure_as_png  # noqa: PLC0415 (a second of imports)

    return data_address(figure_as_png(run.figure()))


def _policy(scripts: Sequence[str], style: str, kind: ReportKind) -> str:
    """The page's content security policy: its own scripts and style by their hashes, and no connection."""
    allowed = " ".join(map(_hash, scripts)) + (" 'self' file:" if kind is ReportKind.FOLDER else "")
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data: blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _static(name: str) -> str:
    return files("unveil.report").joinpath("static", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("unveil.report"), autoescape=True, undefined=StrictUndefined)
