"""The labels of a run with their verdicts: as a table for people, as plain values for scripts."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.cli.trust import STYLES
from unveil.records import Verdict
from unveil.texts import format_ranges

if TYPE_CHECKING:
    from unveil.records import LabelCard, Run

# Headers of the table, each with the order of `TableColumn`.
COLUMNS = (("label", 0), ("verdict", 0), ("round", 2), ("regions", 0), ("gain", 1))
REASON_CHARS = 44  # reasons have a column where it can be that wide, and lines of their own where it can't


def label_table(run: "Run", width: int) -> RenderableType | None:
    """A table of at most `width` characters with one line per label, and each verdict with its reason; None for a run
    without label cards.

    A single label that is supported is one line. Regions are numbered from 1, as in the other tables. In a narrow
    terminal reasons stand below the table.
    """
    if not run.labels:
        return None
    if len(run.labels) == 1 and run.labels[0].verdict is Verdict.SUPPORTED:
        (card,) = run.labels
        return Text.from_markup(f"{as_text(card.name)} is {_verdict(card)}: {as_text(card.reason)}")
    cells = zip(*map(_cells, run.labels), strict=True)
    columns = [
        TableColumn(name, column, order, is_text=name in ("label", "verdict"))
        for (name, order), column in zip(COLUMNS, cells, strict=True)
    ]
    reasons = [as_text(card.reason) for card in run.labels]
    if width - sum(column.full_width + 2 for column in columns) >= REASON_CHARS:
        return fit_table([*columns, TableColumn("reason", reasons, is_text=True)], width)
    below = Table.grid(padding=(0, 2, 0, 0))
    below.add_column(max_width=width // 3, overflow="fold")
    below.add_column(overflow="fold")
    for card, reason in zip(run.labels, reasons, strict=True):
        below.add_row(as_text(card.name), reason)
    return Group(fit_table(columns, width), "", below)


def labels_as_json(run: "Run") -> list[dict]:
    """The label cards of a run in the order of their rounds; `regions` are places in the run's regions, from 0."""
    return [{**asdict(card), "verdict": str(card.verdict)} for card in run.labels]


def _cells(card: "LabelCard") -> tuple[str, ...]:
    return (
        as_text(card.name),
        _verdict(card),
        str(card.round),
        format_ranges([place + 1 for place in card.regions]),
        "" if card.gain is None else f"{card.gain:+z.0%}",
    )


def _verdict(card: "LabelCard") -> str:
    return f"[{STYLES[card.verdict]}]{card.verdict}[/]"
