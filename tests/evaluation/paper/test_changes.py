"""Labels that appear and vanish: by hand, by the books' balance, and as a run itself says."""

from itertools import pairwise

import numpy as np
import pytest
from handmade import handmade, logit
from hypothesis import given
from hypothesis import strategies as st

from tiny_runs import run as tiny
from unveil.evaluation.paper.changes import count_changes, labels_of
from unveil.predictions import Output

NAMES = ("Effusion", "Cardiomegaly", "Mass")
NO = logit(0.1)


def states(*predicted: str) -> list[list[float]]:
    """A state for every text of initials: E, C, M are predicted where they stand in it."""
    return [[1.0 if name[0] in one else NO for name in NAMES] for one in predicted]


def row(table: dict, label: str) -> dict:
    (result,) = [row for row in table["labels"] if row["label"] == label]
    return result


def test_by_hand():
    """Effusion is covered, cardiomegaly appears, effusion comes back, both go."""
    run = handmade(NAMES, states("E", "C", "CE", ""))
    (one,) = labels_of(run, frozenset({0, 1}))
    assert one.first == {0}
    assert [(set(c.appeared), set(c.returned), set(c.vanished)) for c in one.changes] == [
        ({1}, set(), {0}),
        (set(), {0}, set()),
        (set(), set(), {0, 1}),
    ]
    assert one.count == 5
    result = count_changes([one], NAMES, 4).as_dict()
    effusion, heart = row(result, "Effusion"), row(result, "Cardiomegaly")
    assert (effusion["first"], effusion["first_annotated"], effusion["annotated"], effusion["last"]) == (1, 1, 1, 0)
    assert (effusion["returned"], effusion["vanished"]) == ([0, 1, 0, 0], [1, 0, 1, 0])
    assert (heart["first"], heart["appeared"], heart["appeared_annotated"]) == (0, [1, 0, 0, 0], [1, 0, 0, 0])
    assert [one["label"] for one in result["labels"]] == ["Effusion", "Cardiomegaly"], "Mass was never there"
    pairs = {(pair["vanished"], pair["came"]): pair["by_round"] for pair in result["pairs"]}
    assert pairs == {
        ("Effusion", "Cardiomegaly"): [1, 0, 0, 0],
        (None, "Effusion"): [0, 1, 0, 0],
        ("Effusion", None): [0, 0, 1, 0],
        ("Cardiomegaly", None): [0, 0, 1, 0],
    }
    assert result["by_round"]["vanished"] == [1, 0, 2, 0]
    assert result["by_round"]["vanished_annotated"] == [1, 0, 2, 0]


def test_counts_of_several_runs_add_up():
    runs = [handmade(NAMES, states("E", "C")), handmade(NAMES, states("E", "M", "C")), handmade(NAMES, states("M"))]
    labels = [
        one for run, given in zip(runs, ({1}, set(), {2}), strict=True) for one in labels_of(run, frozenset(given))
    ]
    result = count_changes(labels, NAMES, 2).as_dict()
    assert result["tracks"] == 3
    heart = row(result, "Cardiomegaly")
    assert (heart["appeared"], heart["appeared_annotated"], heart["annotated"]) == ([1, 1], [1, 0], 1)
    assert row(result, "Mass")["first"] == row(result, "Mass")["first_annotated"] == 1
    assert result["pairs"][0]["count"] == 1
    assert {(pair["vanished"], pair["came"]) for pair in result["pairs"]} == {
        ("Effusion", "Cardiomegaly"),
        ("Effusion", "Mass"),
        ("Mass", "Cardiomegaly"),
    }


def test_two_vanished_and_two_appeared_labels_are_four_pairs():
    names = ("a", "b", "c", "d")
    run = handmade(names, [[1.0, 1.0, NO, NO], [NO, NO, 1.0, 1.0]])
    result = count_changes(labels_of(run), names, 1).as_dict()
    assert sorted((pair["vanished"], pair["came"]) for pair in result["pairs"]) == [
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("b", "d"),
    ]


def test_the_threshold_decides_what_is_predicted():
    run = handmade(NAMES, [[logit(0.4), NO, NO], [NO, logit(0.35), NO]])
    assert labels_of(run)[0].count == 0
    (one,) = labels_of(run, threshold=0.3)
    assert (one.first, one.changes[0].appeared, one.changes[0].vanished) == ({0}, {1}, {0})


def test_softmax_has_one_label_at_a_time():
    run = handmade(NAMES, [[3.0, 2.0, 1.0], [1.0, 2.0, 0.0]], output=Output.SOFTMAX)
    (one,) = labels_of(run)
    assert (one.first, one.changes[0].appeared, one.changes[0].vanished) == ({0}, {1}, {0})


@given(st.lists(st.sets(st.sampled_from("ECM")).map(lambda result: "".join(sorted(result))), min_size=1, max_size=7))
def test_counts_balance_over_all_rounds(predicted):
    """first + Σ appeared + Σ returned − Σ vanished = last, for every label; a label appears at most once."""
    run = handmade(NAMES, states(*predicted))
    result = count_changes(labels_of(run), NAMES, len(predicted)).as_dict()
    for label in NAMES:
        text = [one for one in result["labels"] if one["label"] == label]
        last = text[0]["last"] if text else 0
        assert last == int(label[0] in predicted[-1])
        if text:
            assert text[0]["first"] + sum(text[0]["appeared"]) == int(any(label[0] in one for one in predicted))
    moves = sum(len(set(a) ^ set(b)) for a, b in pairwise(predicted))
    assert sum(sum(result["by_round"][kind]) for kind in ("appeared", "returned", "vanished")) == moves
    assert labels_of(run)[0].count == moves


@pytest.mark.parametrize("name", ["guided, joint, top 2", "plain, separate tracks"])
@pytest.mark.parametrize("output", list(Output))
def test_records_of_runs_give_the_same_counts(name, output):
    run = tiny(name, output)
    names = run.classifier.labels
    for track, one in zip(run.tracks, labels_of(run), strict=True):
        for done, change in zip(run.of_track(track), one.changes, strict=True):
            assert {names[index] for index in change.appeared} == set(run.appeared(done))
            assert {names[index] for index in change.vanished} == set(run.disappeared(done))


def test_a_run_without_rounds():
    (one,) = labels_of(handmade(NAMES, states("E")), frozenset({2}))
    result = count_changes([one], NAMES, 5).as_dict()
    assert row(result, "Effusion")["last"] == 1
    assert (row(result, "Mass")["annotated"], row(result, "Mass")["first"]) == (1, 0)
    assert result["pairs"] == []
    assert np.sum(result["by_round"]["appeared"]) == 0


def test_labels_that_repeat_are_counted_by_index():
    """The bird vanishes and the machine of the same name appears: two rows, and a pair of different classes."""
    names = ("crane", "heron", "crane")
    run = handmade(names, [[1.0, NO, NO], [NO, NO, 1.0]])
    table = count_changes(labels_of(run), names, 1)
    assert [(row.index, row.label, row.first, row.last) for row in table.labels] == [
        (0, "crane", 1, 0),
        (2, "crane", 0, 1),
    ]
    (pair,) = table.pairs
    assert (pair.vanished_index, pair.came_index, pair.count) == (0, 2, 1)
    assert table.as_dict()["pairs"][0]["came_index"] == 2
