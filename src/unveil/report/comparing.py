"""Writes a page of two runs side by side: two models, or two recipes, on one image."""

from collections.abc import Sequence
from pathlib import Path

from unveil import __version__
from unveil.atomic import written_result
from unveil.errors import RecordError
from unveil.records import Run
from unveil.report.content import ReportContent
from unveil.report.pages import check_page_name, render_page
from unveil.report.spool import TextSpool
from unveil.store import load_run


def save_comparison(
    runs: Sequence[Run | str | Path], out: str | Path, *, title: str | None = None, anonymous: bool = False
) -> Path:
    """Write a page of two runs side by side, whose images share zoom, window and round.

    Args:
        runs: Two runs, or folders of their records; the first is called A, the second B.
        out: The file to write, which ends with `.html`.
        title: The title; None for the names of the images.
        anonymous: Whether names of images are replaced by the first 12 digits of their hashes.

    Returns the page that was written. Raises `RecordError` unless there are two runs, if a record can't be read, for
    another ending, and where nothing can be written.

    Example:
        >>> page = save_comparison([first, second], "pair.html")  # doctest: +SKIP
    """
    path = check_page_name(out)
    if len(runs) != 2:
        raise RecordError("two runs to compare", str(len(runs)), "name two folders that `unveil run` wrote")
    with TextSpool(path) as spool:
        content = ReportContent(spool, anonymous=anonymous)
        shown = [content.add(run if isinstance(run, Run) else load_run(run)) for run in runs]
        names = list(dict.fromkeys(row.name for row in content.rows))
        sections = []
        for place, (letter, run, row) in enumerate(zip("AB", shown, content.rows, strict=True)):
            picture, facts = content.facts(place)
            recipe = run.recipe.get("name")
            shown_as = {"letter": letter, "made": run.classifier.name + (f", recipe {recipe}" if recipe else "")}
            view = spool.read(place).split("\n", 2)[2]
            sections.append({"id": row.id, "picture": picture, "facts": facts, "view": view, **shown_as})
        page = render_page(
            template="pair.html",
            scripts=("pair.js",),
            files_beside=False,
            title=" and ".join(names) if title is None else title,
            version=__version__,
            runs=sections,
            total=2,
            tested=not content.has_untested,
            methods=content.methods(),
            other_methods=content.other_methods,
        )
        with written_result(path) as part:
            part.write_text(page, encoding="utf-8")
    return path
