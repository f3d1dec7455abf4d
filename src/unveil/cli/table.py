"""`unveil table`: rounds and regions of many finished runs as one CSV table."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.atomic import check_file, written_result
from unveil.cli import options
from unveil.cli.console import console, result_stream
from unveil.cli.records import RecordReader, RunPaths
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.export.rows import Value


def table(
    paths: RunPaths,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="A CSV file; it is written at once and complete.",
            show_default="standard output",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
) -> None:
    """Write rounds and regions of finished runs as CSV, with one row per region.

    A round also has a row for each target that gave no region, with the reason as no_region. Cells from outside (names,
    labels, reasons) that a spreadsheet would take for formulas get an apostrophe in front.

    Example: unveil table unveil-runs --out regions.csv
    """
    from unveil.export import write_rows  # noqa: PLC0415

    records = RecordReader(paths)
    if out is None:
        write_rows(_rows(records), result_stream())
    else:
        check_file(out)
        with written_result(out) as part, part.open("w", encoding="utf-8", newline="") as file:
            count = write_rows(_rows(records), file)
        line = f"{count:,} row{'s' * (count != 1)} of {len(records.folders):,} records → {as_text(str(out))}"
        console.print(line, soft_wrap=True, highlight=False)
    records.finish()


def _rows(records: RecordReader) -> "Iterator[dict[str, Value]]":
    from unveil.export import run_rows  # noqa: PLC0415

    for folder, run in records:
        yield from run_rows(run, str(folder))
