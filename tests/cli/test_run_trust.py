"""`unveil run` and trust cards: the table, JSON, and a run without them."""

import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from tiny_runs import run as tiny_run
from unveil import load_run
from unveil.cli.trust import trust_table


def test_cards_are_printed_and_carried_by_json(shell):
    path = shell.photograph("a.png")
    code, out, err = shell("run", path, *shell.common, "--json")
    assert code == 0
    run = load_run(shell.folder / "out" / "a")
    trust = json.loads(out)["runs"][0]["trust"]
    assert len(trust["cards"]) == len(run.trust.cards) == len(run.regions) > 0
    assert trust["passes"] == run.trust.passes
    for told, card in zip(trust["cards"], run.trust.cards, strict=True):
        assert (told["verdict"], told["reason"], told["p_value"]) == (str(card.verdict), card.reason, card.p_value)
        assert told["fill_drops"] == list(card.fill_drops)
        assert str(card.verdict) in err
        assert f"{card.verdict} {card.reason}" in " ".join(err.split()), "whole, however narrow the terminal is"
    assert [game["shares"] for game in trust["games"]] == [list(game.shares) for game in run.trust.games]


def test_without_cards_nothing_of_them_is_told_and_the_record_is_another(shell):
    path = shell.photograph("a.png")
    code, out, err = shell("run", path, *shell.common, "--no-trust", "--json")
    assert code == 0
    assert json.loads(out)["runs"][0]["trust"] is None
    assert "verdict" not in err
    assert load_run(shell.folder / "out" / "a").trust is None
    # The same call keeps the record; one that wants cards doesn't take it for its own.
    assert shell("run", path, *shell.common, "--no-trust")[0] == 0
    code, _, err = shell("run", path, *shell.common)
    assert code == 1
    assert "another" in " ".join(err.split())


@pytest.mark.parametrize(("share", "cell"), [(0.006, "1%"), (1.5, "150%"), (27.06, "27×"), (3e6, "> 100×")])
def test_a_boundary_that_takes_more_than_the_whole_drop_is_given_as_a_multiple(share, cell):
    run = tiny_run()
    card = replace(run.trust.cards[0], boundary_share=share)
    table = trust_table(replace(run, trust=replace(run.trust, cards=(card, *run.trust.cards[1:]))), 200)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    _, first, *_ = captured.get().splitlines()
    assert re.split(r"\s{2,}", first.strip()).count(cell) == 1
