"""`unveil report`: a page of one run or of many."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from unveil.atomic import check_file
from unveil.cli import options
from unveil.cli.console import console
from unveil.cli.progress import progress
from unveil.cli.records import RecordReader, RunPaths
from unveil.cli.texts import as_text


def report(
    paths: RunPaths,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The page to write.", rich_help_panel=options.RESULTS)
    ] = Path("report.html"),
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The title of the page.",
            show_default="the name of the image, or the number of runs",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    anonymous: options.Anonymous = False,
    open_report: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser.", rich_help_panel=options.RESULTS)
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Two runs side by side in one view.", rich_help_panel=options.RESULTS)
    ] = False,
) -> None:
    """Write a page of one run or of many, which opens in any browser, sends nothing, and reads without JavaScript.

    Where all runs together are larger than 50 MB, a folder of that name holds the page and a file for each run.

    Example: unveil report unveil-runs --out audit.html
    """
    from unveil.report import ReportKind, save_comparison, save_report  # noqa: PLC0415

    check_file(out)
    records = RecordReader(paths)
    if compare:
        page = save_comparison(records.folders, out, title=title, anonymous=anonymous)
        console.print(f"comparison of 2 runs: {as_text(str(page))}", soft_wrap=True, highlight=False)
        if open_report:
            webbrowser.open(page.resolve().as_uri())
        return
    with progress(len(records.folders), "runs") as bars:
        page, kind = save_report(
            records.folders,
            out,
            title=title,
            anonymous=anonymous,
            on_run=lambda done: bars.done(),
            on_error=records.leave_out,
        )
    count = len(records.folders) - records.failed
    why = " (a folder, because one file would be larger than 50 MB)" * (kind is ReportKind.FOLDER)
    line = f"report of {count:,} run{'s' * (count != 1)}: {as_text(str(page))}{why}"
    console.print(line, soft_wrap=True, highlight=False)
    if open_report:
        webbrowser.open(page.resolve().as_uri())
    records.finish()
