"""Trust cards of a run: as a table for people, as plain values for scripts."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from unveil.cli.tables import TableColumn, fit_table
from unveil.cli.texts import as_text
from unveil.records import Verdict
from unveil.texts import format_multiple

if TYPE_CHECKING:
    from unveil.records import Run

# Headers of the table, each with the order of `TableColumn`.
COLUMNS = (
    ("", 0),
    ("round", 3),
    ("target", 0),
    ("drop alone", 0),
    ("score alone", 4),
    ("q-value", 0),
    ("fill agreement", 2),
    ("boundary share", 5),
    ("Shapley value", 6),
    ("verdict", 0),
)
STYLES = {Verdict.SUPPORTED: "green", Verdict.WEAK: "yellow", Verdict.ARTIFACT: "red"}


def trust_table(run: "Run", width: int) -> Group | None:
    """A table of at most `width` characters with one line per region, in the order of the run, and below it each
    verdict with its reason; None for a run without cards. Tests that no region needed have no column.
    """
    if run.trust is None or not run.trust.cards:
        return None
    rows, reasons = [], Table.grid(padding=(0, 2, 0, 0))
    reasons.add_column(justify="right", no_wrap=True)
    reasons.add_column(no_wrap=True)
    reasons.add_column()
    regions = ((round_, region) for round_ in run.rounds for region in round_.regions)
    for number, ((round_, region), card) in enumerate(zip(regions, run.trust.cards, strict=True), start=1):
        verdict = f"[{STYLES[card.verdict]}]{card.verdict}[/]"
        rows.append(
            (
                str(number),
                str(round_.index),
                as_text(region.target),
                f"{card.necessity:+z.2f}",
                f"{card.sufficiency:+z.2f}",
                "" if card.q_value is None else f"{card.q_value:.3f}",
                "" if card.fill_agreement is None else f"{card.fill_agreement:z.0%}",
                "" if card.boundary_share is None else _format_share(card.boundary_share),
                "" if card.shapley_value is None else f"{card.shapley_value:+z.2f}",
                verdict,
            )
        )
        reasons.add_row(str(number), verdict, as_text(card.reason))
    columns = [
        TableColumn(name, cells, order, is_text=name in ("target", "verdict"))
        for (name, order), cells in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        if any(cells)
    ]
    return Group(fit_table(columns, width), "", reasons)


def trust_as_json(run: "Run") -> dict | None:
    """Cards in the order of the run's regions, and the games; None for a run without cards."""
    if run.trust is None:
        return None
    return {
        "passes": run.trust.passes,
        "cards": [{**asdict(card), "verdict": str(card.verdict)} for card in run.trust.cards],
        "games": [{"target": game.target, **asdict(game)} for game in run.trust.games],
    }


def _format_share(share: float) -> str:
    """In per cent; as a multiple where that would be more than 150 %."""
    multiple = format_multiple(share).replace("more than ", "> ")
    return f"{multiple}×" if multiple else f"{share:z.0%}"
