"""Sufficient subsets: against all sets tried one by one, on toys whose subsets follow in closed form, and by what they cost."""

import math

import numpy as np
import pytest
import torch
from asking import Counted, MaskedImage
from exhaustive import FEATURES, FULL, PIXELS, RULES, Ruled, any_of, area, at_least, kept_alone, minimal_sets
from hypothesis import given
from sufficient import (
    GradientSubsets,
    SufficientSubsets,
    back_select,
    back_select_by_gradient,
    find_sis,
    sis_collection,
)

from toys import SIDE, Additive, toy
from unveil.predictions import Output

ALL = np.ones(FEATURES, bool)


def by_hand(score, among: set[int]) -> list[int]:
    """BackSelect with sets, as the paper writes it."""
    order, left = [], set(among)
    while left:
        value = {}
        for i in sorted(left):
            row = np.zeros((1, FEATURES), bool)
            row[0, sorted(left - {i})] = True
            value[i] = score(row)[0]
        best = max(value, key=value.__getitem__)
        left.remove(best)
        order.append(best)
    return order


@given(RULES)
def test_the_collection_is_made_of_disjoint_minimal_sets_and_ends_when_the_rest_does_not_suffice(rule):
    score = Ruled(rule)
    found = sis_collection(score, lambda among: back_select(score, among), FEATURES, 0.9)
    sets = [frozenset(np.flatnonzero(one).tolist()) for one in found]
    assert set(sets) <= minimal_sets(rule)
    assert sum(len(one) for one in sets) == len(frozenset().union(*sets)), "they share nothing"
    assert sets, "the whole suffices, so something is found"
    assert not score.holds(frozenset(range(FEATURES)).difference(*sets))


@given(RULES)
def test_the_order_is_the_papers_and_costs_half_the_square(rule):
    score = Ruled(rule)
    order = back_select(score, ALL)
    assert score.asked == FEATURES * (FEATURES + 1) / 2
    assert order == by_hand(Ruled(rule), set(range(FEATURES)))
    some = np.array([True, False, True, True, False, True])
    assert back_select(score, some) == by_hand(Ruled(rule), {0, 2, 3, 5})
    assert some.tolist() == [True, False, True, True, False, True], "the set given is left as it is"


def test_find_sis_takes_from_the_end_until_it_suffices():
    score = Ruled(frozenset({frozenset({1, 4})}))
    assert np.flatnonzero(find_sis(score, [0, 2, 1, 3, 4, 5], FEATURES, 0.9)).tolist() == [1, 3, 4, 5]
    assert score.asked == 5, "the empty set is asked about too"
    # Three at a time: the end of the order is [5, 4, 3], which isn't enough, then all.
    assert find_sis(score, [0, 2, 1, 3, 4, 5], FEATURES, 0.9, step=3).sum() == 6
    assert find_sis(score, [4, 5], FEATURES, 0.9) is None
    assert find_sis(Ruled(frozenset({frozenset()})), [0], FEATURES, 0.9).sum() == 0


def test_an_image_below_the_threshold_has_no_subsets():
    score = Ruled(frozenset({frozenset({1, 4})}))
    assert sis_collection(score, lambda among: pytest.fail("nothing to select"), FEATURES, 1.1) == []
    assert score.asked == 1


# 9 patches: BackSelect asks 45, of 8 patches 36; FindSIS one more than it takes; the rest is asked about before each, and
# at the end; the whole once, for the threshold.
@pytest.mark.parametrize(
    ("classifier", "expected", "asked"),
    [
        (any_of(1, 6), [{1}, {6}], 1 + (1 + 45 + 2) + (1 + 36 + 2) + 1),
        (at_least(2, 1, 6), [{1, 6}], 1 + (1 + 45 + 3) + 1),
        (any_of(4), [{4}], 1 + (1 + 45 + 2) + 1),
    ],
    ids=["or", "and", "one"],
)
def test_patches_of_a_toy(classifier, expected, asked):
    answer = SufficientSubsets(cells=3).find(PIXELS, classifier, 0)
    found = [one.tolist() for one in answer.explanations]
    assert sorted(found) == sorted(area(one).tolist() for one in expected)
    assert (answer.forward_passes, answer.backward_passes) == (asked, 0)
    rest = ~np.any(answer.explanations, axis=0)
    assert classifier.predict(kept_alone(rest)[None])[0].probabilities[0] < 0.9 / (1 + math.exp(-4))


def test_two_of_three_patches_leave_one_disjoint_set_only():
    """{a, b}, {a, c} and {b, c} all suffice, but share patches: a disjoint collection holds one of them."""
    answer = SufficientSubsets(cells=3).find(PIXELS, at_least(2, 0, 4, 8), 0)
    (one,) = answer.explanations
    assert one.tolist() in [area(pair).tolist() for pair in ({0, 4}, {0, 8}, {4, 8})]


def test_at_most_so_many():
    assert len(SufficientSubsets(cells=3, most=1).find(PIXELS, any_of(1, 6), 0).explanations) == 1


STEP = 10


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_by_gradients_a_square_gives_the_fewest_pixels_that_suffice(share):
    """logit = 8·(pixels/256) − 4 over the square: n pixels suffice where it reaches logit(share·σ(4)); n is rounded up to
    whole steps. What is left of the square must be fewer for the collection to end."""
    threshold = share / (1 + math.exp(-4))
    needed = 256 * (math.log(threshold / (1 - threshold)) + 4) / 8
    steps = math.ceil(needed / STEP)
    answer = GradientSubsets(step_px=STEP, share=share).find(PIXELS, any_of(4), 0)
    assert [int(one.sum()) for one in answer.explanations] == [steps * STEP]
    assert not (answer.explanations[0] & ~area({4})).any()
    gradients = math.ceil(SIDE**2 / STEP)
    assert (answer.forward_passes, answer.backward_passes) == (1 + (1 + gradients + steps + 1) + 1, gradients)


def test_by_gradients_two_squares_of_which_one_suffices_are_both_found():
    answer = GradientSubsets(step_px=STEP).find(PIXELS, any_of(1, 6), 0)
    one, other = answer.explanations
    assert sorted([(one & area({1})).any(), (other & area({1})).any()]) == [False, True]
    assert not ((one | other) & ~area({1, 6})).any()
    assert not (one & other).any()


@pytest.mark.parametrize("output", [Output.SIGMOID, Output.SOFTMAX])
def test_the_order_by_gradients_of_a_linear_classifier_is_that_of_its_weights(output):
    """dp/dkept of pixel i is p(1 − p)·(w_i0 − w_i1)·x_i for two labels, p(1 − p)·w_i0·x_i for one."""
    squares = [(top, left, 12) for top in range(0, SIDE, 12) for left in range(0, SIDE, 12)]
    weights = torch.randn((2, len(squares)), generator=torch.Generator().manual_seed(0)) / 100
    counted = Counted(toy(Additive(squares, weights.tolist(), [0.0, 0.0]), output=output))
    masked = MaskedImage(counted, PIXELS, 0)
    among = np.ones(SIDE**2, bool)
    among[:12] = False  # part of the first square's first line
    order = back_select_by_gradient(masked, among, 144)
    assert among.sum() == SIDE**2 - 12, "the set given is left as it is"
    assert sorted(order) == np.flatnonzero(among).tolist()
    matter = (weights[0] - weights[1] if output is Output.SOFTMAX else weights[0]).tolist()
    per_pixel = np.zeros((SIDE, SIDE))
    for (top, left, side), value in zip(squares, matter, strict=True):
        per_pixel[top : top + side, left : left + side] = value
    hidden = per_pixel.ravel()[order]
    assert (np.diff(hidden) >= -1e-9).all()
    assert counted.backward_passes == math.ceil((SIDE**2 - 12) / 144)


def test_a_sum_over_a_patch_is_what_the_toys_are_scaled_by():
    assert float(kept_alone(area({3})).sum()) == FULL
