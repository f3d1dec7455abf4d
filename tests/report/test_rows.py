"""The index of a report: its columns hold what the records hold, the most suspicious first."""

import json

import pytest

from labeled_runs import three_labels
from tiny_runs import RECIPES, run
from unveil.records import Verdict
from unveil.report.rows import index_columns, make_row, most_suspicious_first


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_row_counts_the_verdicts_of_its_run(recipe):
    made = run(recipe)
    row = make_row(made, 7)
    assert row.id == "run-7"
    assert row.regions == len(made.regions)
    cards = made.trust.cards if made.trust else ()
    for kind in Verdict:
        assert getattr(row, str(kind)) == [card.verdict for card in cards].count(kind)
    assert row.untested == len(made.regions) - len(cards)


def test_columns_hold_all_rows_and_labels_are_numbers_of_their_names():
    rows = [make_row(made, number) for number, made in enumerate((run(), three_labels(), run("no region")), start=1)]
    found = json.loads(json.dumps(index_columns(rows)))
    columns, names = found["columns"], found["names"]
    for at, row in enumerate(rows):
        assert tuple(names[label] for label in columns["labels"][at]) == row.labels
        for key in ("number", "name", "first", "rounds", "supported", "weak", "artifact", "untested", "suspicion"):
            assert columns[key][at] == getattr(row, key)
    uses = [sum(label in row.labels for row in rows) for label in names]
    assert uses == sorted(uses, reverse=True)


def test_runs_with_artifacts_come_before_those_without():
    """Of `three_labels`, nothing was tested, so each region has a rank of 1; a run without regions is last."""
    rows = [make_row(made, 1) for made in (run("no region"), three_labels())]
    assert most_suspicious_first(rows) == [1, 0]
    assert 1 < rows[1].suspicion <= 2
    assert rows[0].suspicion == 0
