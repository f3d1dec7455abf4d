"""What commands share: exit codes, the console on standard error, JSON on standard output, progress of a run."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from unveil.cli.texts import as_text
from unveil.cli.trust import trust_as_json

if TYPE_CHECKING:
    from unveil.predictions import Prediction
    from unveil.records import Run
    from unveil.rounds import OnProgress
    from unveil.rounds import Progress as Step

SOME_FAILED, FAILED, INTERRUPTED = 1, 2, 130

console = Console(stderr=True)


def show_error(text: str) -> None:
    """One line in red."""
    console.print(f"[bold red]error[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def show_warning(text: str) -> None:
    """One line in yellow."""
    console.print(f"[bold yellow]warning[/] {as_text(' '.join(text.split()))}", soft_wrap=True, highlight=False)


def write_json(value: Any) -> None:
    """The result, for machines."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def live(stopped: str) -> Iterator[Progress]:
    """Bars with a remark and the time left, as long as the work goes on; Ctrl-C says `stopped` and ends with 130."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[remark]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    # A console that is a file gets no bars. Before rich 14.3, leaving disabled bars prints an empty line.
    with bars if console.is_terminal else nullcontext():
        try:
            yield bars
        except KeyboardInterrupt as interrupt:
            show_error(f"stopped; {stopped}")
            raise typer.Exit(INTERRUPTED) from interrupt


@contextmanager
def progress(total: int, what: str) -> Iterator["Bars"]:
    """Progress of several runs: all of them, and the rounds and samples of the present one."""
    with live("what was finished is kept, and the same call goes on from there") as bars:
        yield Bars(bars, total, what)


class Bars:
    """Two bars: runs done, and samples of the present run."""

    def __init__(self, bars: Progress, total: int, what: str) -> None:
        self._bars = bars
        self._all = bars.add_task(what, total=total, remark="")
        self._one = bars.add_task("samples", total=1, remark="", visible=False)

    def begin(self, name: str) -> "OnProgress":
        """A run begins; returns what it tells its progress to."""
        self._bars.reset(self._one, total=1, visible=True)
        self._bars.update(self._all, remark=as_text(name))

        def tell(step: "Step") -> None:
            done = (step.round - 1) * step.samples + step.sample
            remark = f"round {step.round} of {step.rounds}"
            if step.cards:
                done, remark = (step.rounds - 1) * step.samples + step.sample, "trust cards"
            self._bars.update(self._one, completed=done, total=step.rounds * step.samples, remark=remark)

        return tell

    def done(self) -> None:
        """A run ended."""
        self._bars.advance(self._all)

    def skip(self, count: int) -> None:
        """So many were done in an earlier call."""
        self._bars.advance(self._all, count)


def region_table(run: "Run") -> Table:
    """All regions of a run, one line each; under a round the labels that appeared (+) and disappeared (−) with it."""
    table = Table(title=None, box=None, pad_edge=False, header_style="bold")
    cells = "area px" if len(run.source.geometry.source_shape) == 2 else "voxels"
    for name in ("round", "target", cells, "drop", "probability", "stability", "revealed", "rim"):
        table.add_column(name, justify="left" if name == "target" else "right")
    for one in run.rounds:
        for region in one.regions:
            before, after = region.probability_before, region.probability_after
            table.add_row(
                str(one.index),
                as_text(region.target),
                f"{region.area_px:,}",
                f"{region.drop:+z.2f}",
                "" if before is None or after is None else f"{before:.1%} → {after:.1%}",
                "" if region.stability is None else f"{region.stability:.2f}",
                f"{region.revealed:.2f}",
                f"[red]{region.rim_share:.2f}[/]" if region.is_rim else f"{region.rim_share:.2f}",
            )
        came, went = ([as_text(name) for name in names] for names in (run.appeared(one), run.disappeared(one)))
        if came or went:
            changes = [*(f"[green]+ {name}[/]" for name in came), *(f"[yellow]− {name}[/]" for name in went)]
            table.add_row("", "\n".join(changes))
    return table


def run_as_json(run: "Run") -> dict:
    """What a script wants to know of a run; the record holds everything."""
    return {
        "stop": {
            str(track or "joint"): {"kind": str(reason.kind), "text": reason.text}
            for track, reason in run.stops.items()
        },
        "seconds": round(run.seconds, 3),
        "trust": trust_as_json(run),
        "rounds": [
            {
                "round": one.index,
                "track": one.track,
                "predicted_before": _predicted(run, one.before),
                "predicted_after": _predicted(run, one.after),
                "appeared": list(run.appeared(one)),
                "disappeared": list(run.disappeared(one)),
                "coverage": one.coverage,
                "no_region": [{"target": item.target, "reason": item.reason} for item in one.maps if item.reason],
                "regions": [
                    {
                        "target": region.target,
                        "area_px": region.area_px,
                        "area_mm2": region.area_mm2,
                        "volume_mm3": region.volume_mm3,
                        "box": None if region.box is None else [*region.box.start, *region.box.stop],
                        "drop": region.drop,
                        "probability_before": region.probability_before,
                        "probability_after": region.probability_after,
                        "stability": region.stability,
                        "revealed": region.revealed,
                        "rim": region.rim_share,
                    }
                    for region in one.regions
                ],
            }
            for one in run.rounds
        ],
    }


def _predicted(run: "Run", prediction: "Prediction") -> list[dict]:
    # Labels may repeat, so none of them is a key.
    probabilities = prediction.probabilities
    return [
        {"label": run.classifier.labels[index], "index": index, "probability": float(probabilities[index])}
        for index in prediction.predicted()
    ]
