"""Stops: each reason, their order when joined, and bounds."""

from dataclasses import replace

import numpy as np
import pytest

from unveil.errors import RecipeError
from unveil.predictions import Output, Prediction
from unveil.stopping import (
    CoverageAbove,
    Explained,
    MaxRounds,
    NotPredicted,
    NotSignificant,
    ScoreBelow,
    StopKind,
    StopState,
    TargetLost,
)
from unveil.targets import TargetScore

A, B, MARGIN = TargetScore("a", ((0, 1.0),)), TargetScore("b", ((1, 1.0),)), TargetScore("a − b", ((0, 1.0), (1, -1.0)))


def state(
    round_: int = 1, first=(3.0, 1.0), now=(3.0, 1.0), target_scores=(A,), coverage: float = 0.1, output=Output.SIGMOID
) -> StopState:
    one, other = (Prediction(np.array(logits), output) for logits in (first, now))
    return StopState(round_, target_scores, one, other, coverage)


def kind(stop, at: StopState) -> StopKind | None:
    reason = stop.check(at)
    return reason and reason.kind


def test_rounds():
    assert kind(MaxRounds(3), state(2)) is None
    assert kind(MaxRounds(3), state(3)) is StopKind.MAX_ROUNDS


def test_a_target_is_lost_once_no_target_class_is_predicted():
    assert kind(TargetLost(), state(now=(0.1, -1.0))) is None
    assert kind(TargetLost(), state(now=(-0.1, 1.0))) is StopKind.TARGET_LOST
    assert kind(TargetLost(), state(now=(-0.1, 1.0), target_scores=(A, B))) is None
    assert kind(TargetLost(), state(now=(-0.1, -1.0), target_scores=(A, B))) is StopKind.TARGET_LOST
    assert kind(TargetLost(), state(now=(2.0, 3.0), output=Output.SOFTMAX)) is StopKind.TARGET_LOST
    assert kind(TargetLost(0.9), state(now=(2.0, 1.0))) is StopKind.TARGET_LOST


def test_a_class_that_was_never_predicted_cannot_be_lost():
    assert kind(TargetLost(), state(first=(-3.0, 1.0), now=(-5.0, 1.0))) is None
    assert kind(TargetLost(), state(now=(-9.0, -9.0), target_scores=(MARGIN,))) is None


def test_the_score_is_the_largest_probability():
    assert kind(ScoreBelow(0.3), state(now=(-2.0, 0.0))) is StopKind.SCORE_BELOW
    assert kind(ScoreBelow(0.3), state(now=(-2.0, 0.0), target_scores=(A, B))) is None
    assert kind(ScoreBelow(0.3), state(now=(-2.0, 0.0), target_scores=(MARGIN,))) is None


def test_classes_that_are_not_predicted_are_not_explained():
    def first(stop, now, target_scores=(A,)) -> StopKind | None:
        reason = stop.check_before(state(0, first=now, now=now, target_scores=target_scores))
        return reason.kind if reason else None

    # Sigmoid: 1/(1 + e^3) = .047, 1/(1 + e^2) = .119.
    assert first(NotPredicted(), (-3.0, 2.0)) is StopKind.NOTHING_PREDICTED
    assert first(NotPredicted(), (-2.0, 2.0)) is None
    assert first(NotPredicted(), (-3.0, 2.0), (A, B)) is None, "one of those asked about is enough"
    assert first(NotPredicted(), (-3.0, -3.0), (MARGIN,)) is None, "a margin has no probability"
    assert first(MaxRounds(3) | NotPredicted(), (-3.0, 2.0)) is StopKind.NOTHING_PREDICTED
    assert first(MaxRounds(3) | ScoreBelow(0.9), (-3.0, 2.0)) is None, "others never end a run before it began"
    assert kind(NotPredicted(), state(now=(-9.0, 0.0))) is None, "and it has no say later"


def test_the_most_likely_of_many_classes_is_predicted_however_unlikely():
    low = Prediction(np.r_[0.1, np.zeros(99)].astype(np.float32), Output.SOFTMAX)
    assert low.probabilities[0] < 0.02
    for index, expected in ((0, None), (1, StopKind.NOTHING_PREDICTED)):
        requested = StopState(0, (TargetScore("x", ((index, 1.0),)),), low, low, 0.0)
        reason = NotPredicted().check_before(requested)
        assert (reason.kind if reason else None) is expected


def test_explained_is_the_share_of_the_score_beyond_a_blank_image():
    def kind_of(share, *, first, now, blank, target_scores=(A,)) -> StopKind | None:
        at = state(first=first, now=now, target_scores=target_scores)
        at = replace(at, blank=lambda: Prediction(np.array(blank), Output.SIGMOID))
        return kind(Explained(share), at)

    # (10 − 1) / (10 − −2) = .75
    assert kind_of(0.75, first=(10.0, 0.0), now=(1.0, 0.0), blank=(-2.0, 0.0)) is StopKind.EXPLAINED
    assert kind_of(0.76, first=(10.0, 0.0), now=(1.0, 0.0), blank=(-2.0, 0.0)) is None
    # The least explained of two decides: b keeps all it had.
    assert kind_of(0.5, first=(10.0, 5.0), now=(0.0, 5.0), blank=(0.0, 0.0), target_scores=(A, B)) is None
    assert kind_of(0.5, first=(10.0, 5.0), now=(0.0, 1.0), blank=(0.0, 0.0), target_scores=(A, B)) is StopKind.EXPLAINED
    # A margin has a score too: first 10 − 4, now 3 − 4, blank 0.
    assert (
        kind_of(1.0, first=(10.0, 4.0), now=(3.0, 4.0), blank=(0.0, 0.0), target_scores=(MARGIN,)) is StopKind.EXPLAINED
    )
    assert kind_of(0.1, first=(1.0, 0.0), now=(-9.0, 0.0), blank=(2.0, 0.0)) is None, "less than blank to begin with"
    assert kind(Explained(0.1), state(now=(-9.0, 0.0))) is None, "never where blank isn't known"


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_no_share_to_explain(share):
    with pytest.raises(RecipeError, match="a share above 0"):
        Explained(share)


def test_coverage():
    assert kind(CoverageAbove(0.5), state(coverage=0.5)) is None
    assert kind(CoverageAbove(0.5), state(coverage=0.51)) is StopKind.COVERAGE_ABOVE


def test_joined_stops_keep_their_order_and_the_smallest_bound():
    joined = MaxRounds(5) | TargetLost() | (CoverageAbove(0.05) | MaxRounds(2))
    assert len(joined.stops) == 4
    assert joined.most_rounds == 2
    assert kind(joined, state(1)) is StopKind.COVERAGE_ABOVE
    assert kind(joined, state(2, now=(-1.0, 0.0))) is StopKind.TARGET_LOST
    assert kind(joined, state(5, now=(-1.0, 0.0))) is StopKind.MAX_ROUNDS
    assert (TargetLost() | ScoreBelow()).most_rounds is None


def test_a_reason_is_a_sentence():
    reason = TargetLost().check(state(now=(-0.1, 1.0)))
    assert reason is not None
    assert reason.text == "a no longer predicted"


def test_numbers_of_rounds_below_one_are_refused():
    with pytest.raises(RecipeError, match="1 to 1000 rounds"):
        MaxRounds(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TargetLost(1.5), "a threshold above 0, and at most 1; got 1.5"),
        (lambda: TargetLost(0.0), "a threshold above 0, and at most 1; got 0.0"),
        (lambda: ScoreBelow(float("nan")), "a probability above 0, and at most 1; got nan"),
        (lambda: NotPredicted(-0.1), "a probability from 0 to 1; got -0.1"),
        (lambda: CoverageAbove(2.0), "a coverage from 0 to 1, a share of the image; got 2.0"),
        (lambda: MaxRounds(10**6), "1 to 1000 rounds; got 1000000"),
        (lambda: NotSignificant(0.1, 10**12), "1 to 10000 placements; got 1000000000000"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_range(make, message):
    with pytest.raises(RecipeError, match=message):
        make()
