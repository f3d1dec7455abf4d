"""`unveil summarize`: what the tables of an archive say."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unveil.atomic import check_file, written_result
from unveil.cli import options
from unveil.cli.console import console, result_console, write_json
from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.batch.summary import ArchiveSummary, ConcentratedPlace
    from unveil.export.rows import Value

KINDS = ("supported", "weak", "artifact", "untested")
SHOWN_LABELS, SHOWN_IMAGES, SHOWN_PLACES = 20, 10, 5
LABEL_COLUMNS = (
    *("label", "images_predicted", "images_with_regions", "regions", "unsupported_first", "only_after_erasing"),
    *("mean_drop", "place", "place_share", "place_others_share", "place_p_value"),
)


def summarize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an archive that unveil batch wrote.")],
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Also write one row per label; the file is written at once and complete.",
            show_default="not written",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PAGE.html",
            help="Also write a page with maps of where regions fall, and small pictures of examples.",
            show_default="not written",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The title of the page.",
            show_default="the name of the folder",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    anonymous: options.Anonymous = False,
    as_json: options.AsJson = False,
) -> None:
    """Print what the tables of an archive say: per label where regions fall, what looks like a shortcut, which images
    look alike, and which are the most suspicious. An archive that isn't finished is summarized as far as it is done.

    A place is named if the regions of a label cover it at least three times as often as places on average, and more
    often than by chance (p <= .01 for all labels and places together).

    Example: unveil summarize chest --out chest.html
    """
    from unveil.batch import read_archive  # noqa: PLC0415
    from unveil.batch.summary import example_pictures, save_summary, summarize_archive  # noqa: PLC0415
    from unveil.errors import RecordError  # noqa: PLC0415
    from unveil.report.pages import check_page_name  # noqa: PLC0415

    if title is not None and out is None:
        raise RecordError(
            "--out with --title", "--title alone", "name the page with --out PAGE.html, or leave --title out"
        )
    if table is not None:
        check_file(table)
    if out is not None:
        check_file(check_page_name(out))
    archive = read_archive(folder)
    summary = summarize_archive(archive, anonymous=anonymous)
    if table is not None:
        _write_table(summary, table)
    if out is not None:
        name = folder.resolve().name if title is None else title
        page = save_summary(summary, out, title=name, pictures=example_pictures(archive, summary.shortcuts))
        console.print(f"page: {as_text(str(page))}", soft_wrap=True, highlight=False)
    if as_json:
        write_json(summary.as_dict())
    else:
        print_summary(summary, result_console())


def _write_table(summary: "ArchiveSummary", path: Path) -> None:
    from unveil.export import write_rows  # noqa: PLC0415

    with written_result(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        count = write_rows(_rows(summary), file, LABEL_COLUMNS)
    line = f"{count:,} label{'s' * (count != 1)} → {as_text(str(path))}"
    console.print(line, soft_wrap=True, highlight=False)


def _rows(summary: "ArchiveSummary") -> "Iterator[dict[str, Value]]":
    """One row per label, with its first concentrated place."""
    first: dict[str, ConcentratedPlace] = {}
    for place in summary.places:
        first.setdefault(place.label, place)
    for row in summary.labels:
        values = (row.label, row.predicted, row.images, row.regions, row.unsupported_first, row.later, row.mean_drop)
        place = first.get(row.label)
        found = (None,) * 4 if place is None else (place.where, place.share, place.others_share, place.p_value)
        yield dict(zip(LABEL_COLUMNS, (*values, *found), strict=True))


def print_summary(summary: "ArchiveSummary", printer: Console) -> None:
    """Print what an archive says, as tables that fit into the terminal of the `printer`."""
    from unveil.batch.summary.wording import format_count  # noqa: PLC0415

    failed = sum(summary.failed.values())
    parts = [f"{summary.images:,} image{'s' * (summary.images != 1)} done"]
    parts += [f"[red]{failed:,} failed[/] ({_kinds(summary)})"] if failed else []
    parts += [f"{summary.waiting:,} not done yet"] if summary.waiting else []
    parts += [format_count(summary.regions, "region")]
    parts += [f"{format_count(summary.without_regions, 'image')} without regions"] if summary.without_regions else []
    printer.print("; ".join(parts), highlight=False, soft_wrap=True)
    printer.print("")
    for line in _places(summary):
        printer.print(line, highlight=False, soft_wrap=True)
    if summary.labels:
        printer.print("", _labels(summary, printer.width), highlight=False)
    if summary.groups:
        printer.print("", _groups(summary, printer.width), highlight=False)
    if summary.suspicious:
        printer.print("", _images(summary, printer.width), highlight=False)


def _kinds(summary: "ArchiveSummary") -> str:
    return ", ".join(f"{as_text(kind)} {count:,}" for kind, count in summary.failed.items())


def _places(summary: "ArchiveSummary") -> Iterator[str]:
    """Possible shortcuts, one line each; places of several labels are counted."""
    from unveil.batch.summary.wording import format_count, format_p, place_sentence  # noqa: PLC0415

    own, shared = summary.shortcuts, len(summary.places) - len(summary.shortcuts)
    if not own:
        yield "no possible shortcut: no label has a place of its own"
    for place in own[:SHOWN_PLACES]:
        chance = f"{format_p(place.p_value)} by chance"
        yield f"[bold red]possible shortcut[/] {place.where}: {as_text(place_sentence(place))} ({chance})"
    if len(own) > SHOWN_PLACES:
        yield f"and {format_count(len(own) - SHOWN_PLACES, 'more place')} of one label alone"
    if shared:
        yield f"{format_count(shared, 'more place')} where the regions of several labels lie"


def _labels(summary: "ArchiveSummary", width: int) -> object:
    from unveil.batch.summary.wording import in_percent  # noqa: PLC0415

    rows = summary.labels[:SHOWN_LABELS]
    unsupported = ["" if row.unsupported_first is None else in_percent(row.unsupported_first) for row in rows]
    left_out = len(summary.labels) - len(rows)
    return fit_table(
        [
            TableColumn("label", [as_text(row.label) for row in rows], is_text=True),
            TableColumn("images predicted", [f"{row.predicted:,}" for row in rows], 3),
            TableColumn("images with regions", [f"{row.images:,}" for row in rows]),
            TableColumn("regions", [f"{row.regions:,}" for row in rows], 1),
            *([TableColumn("first region not supported", unsupported)] if any(unsupported) else []),
            TableColumn("only after erasing", [f"{row.later:,}" for row in rows], 2),
            TableColumn("mean drop", ["" if row.mean_drop is None else f"{row.mean_drop:+z.2f}" for row in rows], 4),
        ],
        width,
        f"labels, {left_out:,} more are left out" if left_out else "labels",
    )


def _groups(summary: "ArchiveSummary", width: int) -> object:
    from unveil.batch.summary.wording import in_percent  # noqa: PLC0415

    groups = summary.groups
    verdicts = [TableColumn("verdict", [group.verdict or "untested" for group in groups], is_text=True)]
    return fit_table(
        [
            TableColumn("label", [as_text(group.label) for group in groups], is_text=True),
            *(verdicts if any(group.verdict for group in groups) else []),
            TableColumn("images", [f"{group.size:,}" for group in groups]),
            TableColumn("share", [in_percent(group.share) for group in groups], 1),
            TableColumn("examples", [as_text(", ".join(group.examples)) for group in groups], 2, is_text=True),
        ],
        width,
        "images that look alike",
    )


def _images(summary: "ArchiveSummary", width: int) -> object:
    rows = summary.suspicious[:SHOWN_IMAGES]
    kinds = [name for name in KINDS if any(getattr(row, name) for row in rows)]
    return fit_table(
        [
            TableColumn("image", [as_text(row.sample) for row in rows], is_text=True),
            TableColumn("suspicion", [f"{row.suspicion:.2f}" for row in rows]),
            *(TableColumn(name, [str(getattr(row, name)) for row in rows], 2) for name in kinds),
            TableColumn("predicted", [as_text(", ".join(row.predicted)) for row in rows], 1, is_text=True),
            TableColumn("only after erasing", [as_text(", ".join(row.later)) for row in rows], 3, is_text=True),
        ],
        width,
        "most suspicious images",
    )
