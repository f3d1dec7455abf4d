"""Runs with given verdicts, and reviews of them, for the tests of reviews."""

from collections.abc import Sequence
from dataclasses import replace

from tiny_runs import run
from unveil.records import Run, Verdict
from unveil.review import Answer, Judgment, Review
from unveil.view import region_ids

SEAL = "0123456789abcdef" * 4
Pair = tuple[Verdict | None, Answer | None]


def run_with(verdicts: Sequence[Verdict | None]) -> Run:
    """A real run with as many regions, whose cards have these verdicts; without cards if they are None."""
    whole = run("guided, joint, top 2")
    first = whole.rounds[0]
    regions = tuple(whole.regions[number % len(whole.regions)] for number in range(len(verdicts)))
    card = whole.trust.cards[0]
    cards = None if None in verdicts else tuple(replace(card, verdict=verdict) for verdict in verdicts)
    return replace(
        whole,
        rounds=(replace(first, regions=regions),),
        trust=None if cards is None else replace(whole.trust, cards=cards, games=()),
    )


def judged(pairs: Sequence[Pair], *, blind: Sequence[bool] | bool = False) -> tuple[Run, Review]:
    """A run with a region per pair of verdict and answer, and its review; None: not judged."""
    judged_run = run_with([verdict for verdict, _ in pairs])
    hidden = [blind] * len(pairs) if isinstance(blind, bool) else blind
    judgments = {
        name: Judgment(answer, f"note {name}", 1.7e9, one)
        for name, (_, answer), one in zip(region_ids(judged_run), pairs, hidden, strict=True)
        if answer is not None
    }
    return judged_run, Review(SEAL, "A. Reader", judgments)
