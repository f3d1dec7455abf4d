"""Attention graphs: the beam against all sets tried one by one, the choice of roots against all choices, toys with known
roots, and the optimized mask against a float64 twin."""

from itertools import combinations

import numpy as np
import pytest
import torch
from asking import Counted, MaskedImage
from attention_graphs import AttentionGraph, Sets, beam_search, largest_apart
from exhaustive import FEATURES, PIXELS, RULES, Ruled, any_of, area, at_least, minimal_sets
from hypothesis import given
from hypothesis import strategies as st
from integrated_descent import IntegratedDescent

from toys import SIDE, Additive, toy

SHORT = IntegratedDescent(iterations=3, steps=4)
SETS = st.lists(st.frozensets(st.integers(0, 5), min_size=1, max_size=4), max_size=7, unique=True)


@given(RULES)
def test_a_wide_beam_finds_every_minimal_set_and_a_narrow_one_only_such(rule):
    ranked = list(range(FEATURES))
    wide = beam_search(Sets(Ruled(rule), FEATURES, 0.9), ranked, width=2**FEATURES)
    assert set(wide) == minimal_sets(rule)
    assert set(wide.values()) == {1.0}
    narrow = beam_search(Sets(Ruled(rule), FEATURES, 0.9), ranked, width=3)
    assert set(narrow) <= minimal_sets(rule)


@given(RULES, st.permutations(range(FEATURES)))
def test_pruning_leaves_a_minimal_part(rule, ranked):
    sets = Sets(Ruled(rule), FEATURES, 0.9)
    pruned, value = sets.pruned(frozenset(range(FEATURES)), ranked)
    assert pruned in minimal_sets(rule)
    assert value == 1.0


def test_the_beam_asks_about_the_ranked_features_only():
    """{0} suffices but isn't ranked. {2, 3} is found: 3 singles, then from the best 2 of them 2 + 1 pairs and one triple."""
    score = Ruled(frozenset({frozenset({0}), frozenset({2, 3})}))
    found = beam_search(Sets(score, FEATURES, 0.9), [1, 2, 3], width=2)
    assert list(found) == [frozenset({2, 3})]
    # 3 singles; beam {1}, {2}: {1,2}, {1,3}, {2,3}; pruning {2,3} asks about it and its two parts; beam {1,2}, {1,3}: only
    # {1,2,3}, which holds what is found.
    assert score.asked == 3 + 3 + 3


@given(SETS, st.integers(0, 2))
def test_the_roots_are_a_largest_choice_that_hardly_overlaps(sets, overlap):
    def apart(choice) -> bool:
        return all(len(one & other) <= overlap for one, other in combinations(choice, 2))

    best = max((size for size in range(len(sets) + 1) if any(map(apart, combinations(sets, size)))), default=0)
    chosen = largest_apart(sets, overlap)
    assert len(chosen) == best
    assert apart(chosen)
    assert [one for one in sets if one in chosen] == chosen, "in their order"


@pytest.mark.parametrize(
    ("classifier", "expected"),
    [
        (any_of(1, 6), [{1}, {6}]),
        (at_least(2, 1, 6), [{1, 6}]),
        (at_least(2, 0, 4, 8), [{0, 4}, {0, 8}, {4, 8}]),  # no two share more than one patch
    ],
    ids=["or", "and", "two of three"],
)
def test_roots_of_a_toy(classifier, expected):
    graph = AttentionGraph(cells=3, candidates=9, ranking=SHORT)
    answer = graph.find(PIXELS, classifier, 0)
    found = sorted(one.tolist() for one in answer.explanations)
    assert found == sorted(area(one).tolist() for one in expected)
    assert answer.backward_passes == 3 * 4
    stricter = AttentionGraph(cells=3, candidates=9, overlap=0, ranking=SHORT).find(PIXELS, classifier, 0)
    assert len(stricter.explanations) == (1 if len(expected) == 3 else len(expected))


def test_no_more_roots_than_asked_for():
    five = any_of(0, 2, 4, 6, 8)
    for roots, expected in ((3, 3), (None, 5)):
        answer = AttentionGraph(cells=3, candidates=9, roots=roots, ranking=SHORT).find(PIXELS, five, 0)
        assert len(answer.explanations) == expected


def test_the_ranking_puts_first_what_the_classifier_needs():
    for classifier, needed in ((at_least(2, 1, 6), {1, 6}), (any_of(4), {4})):
        ranked = IntegratedDescent().rank(MaskedImage(classifier, PIXELS, 0), 3)
        assert set(ranked[: len(needed)]) == needed
        assert sorted(ranked) == list(range(9))


def enlarged(mask: np.ndarray) -> np.ndarray:
    """Linear interpolation between the centers of the cells, constant beyond the outermost."""
    cells = len(mask)
    at = (np.arange(SIDE) + 0.5) * cells / SIDE - 0.5
    lines = np.array([np.interp(at, np.arange(cells), column) for column in mask.T]).T
    return np.array([np.interp(at, np.arange(cells), line) for line in lines])


def test_the_loss_is_that_of_its_twin():
    """f + λ·mean(1 − m) + κ·(mean of squared steps down + across), f = σ(offset + w·Σ over the square of cover·x)."""
    mask = np.random.default_rng(0).random((7, 7))
    pixels = torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    classifier = toy(Additive([(5, 9, 20)], [[0.01], [0.0]], [-2.0, 0.0]))
    covered = enlarged(mask) * pixels.double().numpy()
    probability = 1 / (1 + np.exp(2.0 - 0.01 * covered[:, 5:25, 9:29].sum()))
    rough = (np.diff(mask, axis=0) ** 2).mean() + (np.diff(mask, axis=1) ** 2).mean()
    expected = probability + 1.5 * (1 - mask).mean() + 7.0 * rough
    descent = IntegratedDescent(area=1.5, roughness=7.0)
    found = descent.loss(MaskedImage(classifier, pixels, 0), torch.from_numpy(mask)[None, None].float())
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_every_step_lowers_the_loss_and_costs_its_gradients():
    counted = Counted(at_least(2, 1, 6))
    masked = MaskedImage(counted, PIXELS, 0)
    losses = []
    for iterations in range(4):
        before = counted.backward_passes
        descent = IntegratedDescent(iterations=iterations, steps=5, area=0.1, roughness=0.1)
        mask, _ = descent.descend(masked, 3)
        assert counted.backward_passes - before == 5 * iterations
        losses.append(float(descent.loss(masked, mask)))
        assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
    assert losses[0] == pytest.approx(1 / (1 + np.exp(-12.0 + 8.0)), rel=1e-5), "nothing hidden: the probability itself"
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 < losses[0], "a needed patch is hidden"
