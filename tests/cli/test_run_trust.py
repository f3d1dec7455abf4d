"""`unveil run` and trust cards: the table, JSON, and a run without them."""

import json

from unveil import load_run


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
