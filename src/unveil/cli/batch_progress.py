"""How far an archive is, while it is worked on, and how it ended."""

from typing import TYPE_CHECKING, Any

import typer

from unveil.cli.console import SOME_FAILED, console, show_error
from unveil.cli.progress import ProgressLines, live
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.batch import Archive
    from unveil.batch.driver import BatchResult
    from unveil.batch.engines.base import Engine
    from unveil.batch.interrupts import StopRequest
    from unveil.batch.progress import BatchProgress

ERRORS_SHOWN = 5


def do_missing(archive: "Archive", engine: "Engine", stop: "StopRequest") -> "BatchResult":
    """Do what is missing, and show how far it is."""
    from unveil.batch.driver import run_archive  # noqa: PLC0415

    missing = len(archive.missing())
    if missing:
        console.print(
            f"{archive.item_count} images; {missing} shards to do by {engine.workers} "
            f"{'worker' if engine.workers == 1 else 'workers'} → {as_text(str(archive.folder))}",
            soft_wrap=True,
            highlight=False,
        )
    lines = ProgressLines()
    with live("the same call goes on from there") as bars:
        bar = bars.add_task("images", total=archive.item_count, remark="starting workers")

        def show(progress: "BatchProgress") -> None:
            bars.update(bar, completed=progress.items_done, remark=_remark(progress))
            lines.show(f"{progress.items_done} of {progress.items_total} images, {_remark(progress)}")

        return run_archive(archive, engine, on_progress=show, stop=stop)


def _remark(progress: "BatchProgress") -> str:
    """Rate, time left and failures in a few words."""
    if progress.items_per_second is None:
        return "starting workers"
    parts = [format_rate(progress.items_per_second)]
    if progress.seconds_left:
        parts.append(f"{format_duration(progress.seconds_left)} left")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return ", ".join(parts)


def format_rate(items_per_second: float) -> str:
    """As a number that is easy to read.

    >>> format_rate(3.21), format_rate(0.05)
    ('3.21 images per second', '3.0 images per minute')
    """
    if items_per_second >= 1:
        return f"{items_per_second:.3g} images per second"
    return f"{60 * items_per_second:.1f} images per minute"


def format_duration(seconds: float) -> str:
    """In the largest unit and the next smaller one.

    >>> format_duration(42), format_duration(5400), format_duration(200_000)
    ('42 s', '1 h 30 min', '2 d 7 h')
    """
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole % 86_400 // 3600, whole % 3600 // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes >= 2 else f"{whole} s"


def list_failures(archive: "Archive") -> list[dict[str, str]]:
    """Sample, kind and text of each item that failed."""
    table = archive.tables("images", ["sample", "status", "error_kind", "error"])
    return [
        {"sample": row["sample"], "error_kind": row["error_kind"], "error": row["error"]}
        for row in table.to_pylist()
        if row["status"] == "failed"
    ]


def archive_as_json(archive: "Archive", result: "BatchResult", failures: list[dict[str, str]]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "archive": str(archive.folder),
        "plan": archive.plan.id,
        "complete": result.complete,
        "images": archive.item_count,
        "images_done_now": result.items_done,
        "workers_lost": result.deaths,
        "failures": failures,
    }


def end_batch(archive: "Archive", result: "BatchResult", failures: list[dict[str, str]], code: int) -> None:
    """Say how it ended, and leave with the exit code that says the same."""
    if not result.complete:
        show_error(f"stopped after {result.items_done} images; the same call goes on from there")
        raise typer.Exit(code or SOME_FAILED)
    folder = as_text(str(archive.folder))
    again = "" if result.items_done else " (nothing was left to do)"
    console.print(
        f"{archive.item_count - len(failures)} images done, {len(failures)} failed{again} → {folder}/images.parquet, "
        f"rounds.parquet, regions.parquet, labels.parquet",
        soft_wrap=True,
        highlight=False,
    )
    for failure in failures[:ERRORS_SHOWN]:
        show_error(f"{failure['sample']}: {failure['error']}")
    if len(failures) > ERRORS_SHOWN:
        show_error(f"{len(failures) - ERRORS_SHOWN} more are in images.parquet; --retry-failed tries them again")
    console.print(f"look at them: unveil summarize {folder}", soft_wrap=True, highlight=False)
    if failures:
        raise typer.Exit(SOME_FAILED)
