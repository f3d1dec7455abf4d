"""Kappa and its interval against scikit-learn and a plain bootstrap; tables against counting."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from judged_runs import judged, run_with
from unveil.errors import RecordError
from unveil.records import Verdict
from unveil.review import Answer, Judgment, cohen_kappa, compute_agreement

VERDICTS, ANSWERS = tuple(Verdict), tuple(Answer)
PAIRS = st.tuples(st.sampled_from(VERDICTS), st.sampled_from((*ANSWERS, None)))
RUNS = st.lists(st.lists(PAIRS, min_size=1, max_size=6), min_size=1, max_size=5)
SAID = {Verdict.SUPPORTED: 1, Verdict.ARTIFACT: 0, Answer.ACCEPT: 1, Answer.REJECT: 0}


def compared(pairs: list) -> list[tuple[int, int]]:
    return [(SAID[verdict], SAID[answer]) for verdict, answer in pairs if verdict in SAID and answer in SAID]


def independent_kappa(pairs: list[tuple[int, int]]) -> float | None:
    """By scikit-learn, from the lists of labels; None where it isn't defined."""
    if not pairs or len({label for pair in pairs for label in pair}) < 2:
        return None
    return float(cohen_kappa_score(*zip(*pairs, strict=True), labels=[0, 1]))


@given(RUNS)
def test_kappa_is_that_of_scikit_learn(runs):
    agreement = compute_agreement(judged(pairs) for pairs in runs)
    expected = independent_kappa([pair for pairs in runs for pair in compared(pairs)])
    assert agreement.all.kappa.value == (None if expected is None else pytest.approx(expected, abs=1e-12))
    assert agreement.all.compared == sum(len(compared(pairs)) for pairs in runs)
    assert agreement.all.runs == sum(bool(compared(pairs)) for pairs in runs)


@given(RUNS)
def test_the_table_counts_every_judged_region(runs):
    counted = Counter(pair for pairs in runs for pair in pairs if pair[1] is not None)
    table = compute_agreement(judged(pairs) for pairs in runs).as_dict()["all"]["counts"]
    for verdict, answer in itertools.product(VERDICTS, ANSWERS):
        assert table[str(verdict)][str(answer)] == counted[verdict, answer]
    assert table["none"] == {"accept": 0, "unsure": 0, "reject": 0}


def test_the_interval_is_that_of_resampled_runs():
    """30 runs that mostly agree: the percentiles of 4000 draws made here, by another generator."""
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(30):
        verdicts = rng.integers(0, 2, rng.integers(1, 6))
        answers = np.where(rng.random(len(verdicts)) < 0.8, verdicts, 1 - verdicts)
        runs.append(
            [
                ((Verdict.ARTIFACT, Verdict.SUPPORTED)[v], (Answer.REJECT, Answer.ACCEPT)[a])
                for v, a in zip(verdicts, answers, strict=True)
            ]
        )
    drawn = []
    for _ in range(4000):
        some = [pair for index in rng.integers(0, 30, 30) for pair in compared(runs[index])]
        verdicts, answers = np.array(some).T
        agreed = np.mean(verdicts == answers)
        chance = np.mean(verdicts) * np.mean(answers) + np.mean(1 - verdicts) * np.mean(1 - answers)
        drawn.append((agreed - chance) / (1 - chance))
    low, high = np.quantile(drawn, [0.025, 0.975])
    agreement = compute_agreement([judged(pairs) for pairs in runs])
    assert agreement.all.kappa.interval == pytest.approx((low, high), abs=0.04)
    again, other = (compute_agreement([judged(pairs) for pairs in runs], seed).all.kappa for seed in (0, 1))
    assert again == agreement.all.kappa
    assert other.interval != again.interval


def test_one_run_has_no_interval_and_one_cell_has_no_kappa():
    agree = [(Verdict.SUPPORTED, Answer.ACCEPT), (Verdict.ARTIFACT, Answer.REJECT)]
    one = compute_agreement([judged(agree)]).all
    assert (one.kappa.value, one.kappa.interval) == (1.0, None)
    same = compute_agreement([judged(agree[:1]), judged(agree[:1])]).all
    assert (same.kappa.value, same.kappa.interval, same.agreeing) == (None, None, 2)
    nothing = compute_agreement([])
    assert (nothing.runs, nothing.all.judged, nothing.all.kappa.value) == (0, 0, None)


def test_weak_unsure_and_untested_regions_are_counted_and_not_compared():
    pairs = [(Verdict.WEAK, Answer.ACCEPT), (Verdict.SUPPORTED, Answer.UNSURE), (Verdict.ARTIFACT, Answer.REJECT)]
    agreement = compute_agreement([judged(pairs), judged([(None, Answer.ACCEPT)])])
    assert (agreement.all.judged, agreement.all.compared, agreement.all.agreeing) == (4, 1, 1)
    counts = agreement.as_dict()["all"]["counts"]
    assert (counts["none"]["accept"], counts["weak"]["accept"], counts["supported"]["unsure"]) == (1, 1, 1)


def test_blind_judgments_are_counted_apart():
    agree = [(Verdict.SUPPORTED, Answer.ACCEPT), (Verdict.ARTIFACT, Answer.REJECT)]
    differ = [(Verdict.SUPPORTED, Answer.REJECT), (Verdict.ARTIFACT, Answer.ACCEPT)]
    agreement = compute_agreement([judged(agree + differ, blind=[True, True, False, False]), judged(agree, blind=True)])
    assert (agreement.blind.kappa.value, agreement.seen.kappa.value) == (1.0, -1.0)
    assert (agreement.blind.judged, agreement.seen.judged, agreement.all.judged) == (4, 2, 6)
    assert agreement.all.kappa.value == pytest.approx(1 / 3)
    assert (agreement.runs, agreement.regions, agreement.blind.runs, agreement.seen.runs) == (2, 6, 2, 1)


def test_a_judgment_of_an_unknown_region_is_refused():
    run, review = judged([(Verdict.SUPPORTED, Answer.ACCEPT)])
    with pytest.raises(RecordError, match="expected judgments of regions of 'array'; got r9.1; take ids from its view"):
        compute_agreement([(run, review.with_judgment("r9.1", Judgment(Answer.REJECT)))])


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_kappa_of_a_table_is_that_of_its_list(cells):
    labels = [pair for pair, count in zip([(1, 1), (1, 0), (0, 1), (0, 0)], cells, strict=True) for _ in range(count)]
    expected, kappa = independent_kappa(labels), float(cohen_kappa(np.array(cells, dtype=float).reshape(2, 2)))
    assert np.isnan(kappa) if expected is None else kappa == pytest.approx(expected, abs=1e-12)


def test_verdicts_stay_with_their_regions():
    """Run lists of judged regions that begin in the middle."""
    verdicts = [Verdict.SUPPORTED, Verdict.WEAK, Verdict.ARTIFACT]
    assert run_with(verdicts).verdicts == tuple(verdicts)
    pairs = [(Verdict.SUPPORTED, None), (Verdict.WEAK, None), (Verdict.ARTIFACT, Answer.REJECT)]
    counts = compute_agreement([judged(pairs)]).as_dict()["all"]["counts"]
    assert counts["artifact"]["reject"] == 1
