"""Progress on standard error: bars in a terminal, elsewhere a line about every ten seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from unveil.cli.console import INTERRUPTED, console, show_error
from unveil.cli.texts import as_text

if TYPE_CHECKING:
    from unveil.rounds import OnProgress
    from unveil.rounds import Progress as Step

SECONDS_BETWEEN_LINES = 10.0
WIDE = 80  # from this width on, bars are long and the time left is labeled


@contextmanager
def live(stopped: str) -> Iterator[Progress]:
    """Bars with a remark and the time left, as long as the work goes on; Ctrl-C says `stopped` and ends with 130."""
    is_wide = console.width >= WIDE
    # The remark takes what the other columns leave, so that a long name can't push the bar aside.
    remark = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24 if is_wide else 10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[remark]}", table_column=remark),
        TimeElapsedColumn(),
        *([TextColumn("left")] if is_wide else []),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal, expand=True)
    # A console that is a file gets no bars. Before rich 14.3, leaving disabled bars prints an empty line.
    with bars if console.is_terminal else nullcontext():
        try:
            yield bars
        except KeyboardInterrupt as interrupt:
            show_error(f"stopped; {stopped}")
            raise typer.Exit(INTERRUPTED) from interrupt


class ProgressLines:
    """Progress as lines of text where there is no terminal: the first after ten seconds, then at most one per ten."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def restart(self) -> None:
        """A new piece of work begins."""
        self._started = self._last = time.monotonic()

    def show(self, text: str) -> None:
        """Print a line with the seconds since the start, unless there is a terminal or the last one is recent."""
        now = time.monotonic()
        if console.is_terminal or now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        console.print(f"{as_text(text)} ({now - self._started:.0f} s)", soft_wrap=True, highlight=False)


@contextmanager
def progress(total: int, what: str) -> Iterator["Bars"]:
    """Progress of several runs: all of them, and the rounds and samples of the present one."""
    with live("what was finished is kept, and the same call continues from there") as bars:
        yield Bars(bars, total, what)


class Bars:
    """Two bars: finished runs, and samples of the present run."""

    def __init__(self, bars: Progress, total: int, what: str) -> None:
        self._bars = bars
        self._lines = ProgressLines()
        self._all = bars.add_task(what, total=total, remark="")
        self._run = bars.add_task("samples", total=1, remark="", visible=False)

    def begin(self, name: str) -> "OnProgress":
        """Show that a run begins; returns the function that is told its progress."""
        self._bars.reset(self._run, total=1, visible=True)
        self._bars.update(self._all, remark=as_text(name))
        self._lines.restart()

        def tell(step: "Step") -> None:
            done = (step.round - 1) * step.samples + step.sample
            remark, part = f"round {step.round} of {step.rounds}", f", sample {step.sample} of {step.samples}"
            if step.cards:
                done, remark = (step.rounds - 1) * step.samples + step.sample, "trust cards"
                part = f", {step.sample} of {step.samples}"
            self._bars.update(self._run, completed=done, total=step.rounds * step.samples, remark=remark)
            self._lines.show(f"{name}: {remark}{part}")

        return tell

    def done(self) -> None:
        """Show that a run has ended."""
        self._bars.advance(self._all)

    def skip(self, count: int) -> None:
        """Count runs that were done in an earlier call."""
        self._bars.advance(self._all, count)
