"""Trust cards of a run: as a table for people, as plain values for scripts."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from unveil.records import TrustCard, Verdict

if TYPE_CHECKING:
    from unveil.records import Region, Round, Run

STYLES = {Verdict.SUPPORTED: "green", Verdict.WEAK: "yellow", Verdict.ARTIFACT: "red"}


def trust_table(run: "Run") -> Group | None:
    """A line a region, in the order of the run, then every verdict with its reason, which is a sentence and has no
    place in a column; None for a run without cards."""
    if run.trust is None or not run.trust.cards:
        return None
    table, reasons = Table(box=None, pad_edge=False, header_style="bold"), Table.grid(padding=(0, 1))
    for name in ("", "round", "target", "erased alone", "kept alone", "p", "fills agree", "border", "share"):
        table.add_column(name, justify="left" if name == "target" else "right")
    table.add_column("verdict")
    reasons.add_column(justify="right")
    for number, (one, region, card) in enumerate(_with_cards(run), start=1):
        verdict = f"[{STYLES[card.verdict]}]{card.verdict}[/]"
        table.add_row(
            str(number),
            str(one.index),
            escape(region.target),
            f"{-card.necessity:+z.2f}",
            f"{card.sufficiency:+z.2f}",
            "" if card.q_value is None else f"{card.q_value:.3f}",
            f"{card.fill_agreement:.0%}",
            "" if card.boundary_share is None else f"{card.boundary_share:.0%}",
            "" if card.shapley_value is None else f"{card.shapley_value:+z.2f}",
            verdict,
        )
        reasons.add_row(str(number), f"{verdict}: {escape(card.reason)}")
    return Group(table, "", reasons)


def trust_as_json(run: "Run") -> dict | None:
    """Cards in the order of the run's regions, and the games; None for a run without cards."""
    if run.trust is None:
        return None
    return {
        "passes": run.trust.passes,
        "cards": [{**asdict(card), "verdict": str(card.verdict)} for card in run.trust.cards],
        "games": [asdict(game) for game in run.trust.games],
    }


def _with_cards(run: "Run") -> Iterator[tuple["Round", "Region", TrustCard]]:
    cards = iter(run.trust.cards if run.trust else ())
    return ((one, region, next(cards)) for one in run.rounds for region in one.regions)
