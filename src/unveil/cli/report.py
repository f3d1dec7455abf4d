"""`unveil report`: a page of one run or of many."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.atomic import check_file
from unveil.cli import options
from unveil.cli.console import console
from unveil.cli.progress import progress
from unveil.cli.records import RunPaths
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
    anonymous: Annotated[
        bool,
        typer.Option("--anonymous", help="Hashes in place of the names of images.", rich_help_panel=options.RESULTS),
    ] = False,
) -> None:
    """Write a page of one run or of many, which opens in any browser, sends nothing, and reads without JavaScript.

    Where all runs together are larger than 50 MB, a folder of that name holds the page and a file for each run.

    Example: unveil report unveil-runs --out audit.html
    """
    from unveil.report import save_report  # noqa: PLC0415
    from unveil.store.finding import find_runs  # noqa: PLC0415

    check_file(out)
    records = find_runs(paths)
    with progress(len(records), "runs") as bars:
        page, _ = save_report(records, out, title=title, anonymous=anonymous, on_run=lambda done: bars.done())
    console.print(as_text(f"report of {len(records)} run{'s' * (len(records) != 1)}: {page}"), soft_wrap=True)
