"""The columns of a run's figure: states, rounds, and the numbers and verdicts of their regions."""

from dataclasses import replace

import pytest

from tiny_runs import RECIPES, run
from unveil.records import TrustCards, Verdict
from unveil.render.columns import make_columns


@pytest.mark.parametrize("name", list(RECIPES))
def test_numbers_and_verdicts_are_those_of_the_whole_run(name):
    shown = run(name)
    table = dict(enumerate(shown.regions, start=1))
    seen = []
    for track in shown.tracks:
        *columns, last = make_columns(shown, track)
        assert [column.round for column in columns] == list(shown.of_track(track))
        assert last.round is None
        assert last.marked == ()
        for column in columns:
            assert [one.region for one in column.marked] == list(column.round.regions)
            for one in column.marked:
                assert table[one.number] is one.region
                assert one.verdict is (None if shown.trust is None else shown.trust.cards[one.number - 1].verdict)
                seen.append(one.number)
    assert sorted(seen) == list(table)


def test_each_column_shows_the_state_before_its_round_and_the_last_one_what_is_left():
    shown = run()
    columns = make_columns(shown, None)
    assert [column.prediction for column in columns] == [*(one.before for one in shown.rounds), shown.rounds[-1].after]
    assert columns[0].appeared == columns[0].disappeared == ()
    for column, round_ in zip(columns[1:], shown.rounds, strict=True):
        assert column.appeared == shown.appeared(round_)
        assert column.disappeared == shown.disappeared(round_)


def test_cards_of_another_number_than_the_regions_are_left_out():
    """A record whose cards don't belong to its regions can't say which of them is meant."""
    shown = run()
    card = replace(shown.trust.cards[0], verdict=Verdict.WEAK)
    changed = replace(shown, trust=TrustCards((card,) * (len(shown.regions) + 1), (), 1))
    assert {one.verdict for column in make_columns(changed, None) for one in column.marked} == {None}
