"""Trust cards of a run: as a table for people, as plain values for scripts."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from unveil.cli.texts import as_text
from unveil.records import Verdict

if TYPE_CHECKING:
    from unveil.records import Run

STYLES = {Verdict.SUPPORTED: "green", Verdict.WEAK: "yellow", Verdict.ARTIFACT: "red"}


def trust_table(run: "Run") -> Group | None:
    """One line per region in the order of the run, then each verdict with its reason; None for a run without cards."""
    if run.trust is None or not run.trust.cards:
        return None
    table, reasons = Table(box=None, pad_edge=False, header_style="bold"), Table.grid(padding=(0, 1))
    for name in ("", "round", "target", "drop alone", "score alone", "q-value", "fills agree", "boundary", "Shapley"):
        table.add_column(name, justify="left" if name == "target" else "right")
    # A narrow terminal wraps headers and targets, not the verdict.
    table.add_column("verdict", no_wrap=True)
    reasons.add_column(justify="right", no_wrap=True)
    regions = ((round_, region) for round_ in run.rounds for region in round_.regions)
    for number, ((round_, region), card) in enumerate(zip(regions, run.trust.cards, strict=True), start=1):
        verdict = f"[{STYLES[card.verdict]}]{card.verdict}[/]"
        table.add_row(
            str(number),
            str(round_.index),
            as_text(region.target),
            f"{card.necessity:+z.2f}",
            f"{card.sufficiency:+z.2f}",
            "" if card.q_value is None else f"{card.q_value:.3f}",
            f"{card.fill_agreement:.0%}",
            "" if card.boundary_share is None else f"{card.boundary_share:.0%}",
            "" if card.shapley_value is None else f"{card.shapley_value:+z.2f}",
            verdict,
        )
        reasons.add_row(str(number), f"{verdict}: {as_text(card.reason)}")
    return Group(table, "", reasons)


def trust_as_json(run: "Run") -> dict | None:
    """Cards in the order of the run's regions, and the games; None for a run without cards."""
    if run.trust is None:
        return None
    return {
        "passes": run.trust.passes,
        "cards": [{**asdict(card), "verdict": str(card.verdict)} for card in run.trust.cards],
        "games": [{"target": game.target, **asdict(game)} for game in run.trust.games],
    }
