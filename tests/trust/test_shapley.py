"""Shapley shares and interactions: against all orders of arrival, against laws, and in closed form on whole runs."""

from itertools import permutations
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toys import Additive, Strongest, toy, white
from unveil.attribution import Gradient
from unveil.fills import Constant
from unveil.recipes import Recipe, TrustSettings
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.rounds import find_regions
from unveil.saliency import MaxAbs
from unveil.stopping import MaxRounds
from unveil.targets import Class, Top
from unveil.trust.shapley import interactions, shapley

SQUARES = [(2, 3, 6), (20, 8, 8), (30, 30, 10)]
WEIGHTS = [[0.05, 0.03, 0.02], [0.0, 0.01, 0.0]]
FEW = TrustSettings(placements=5, fills=(Constant(0.0),), samples=0)


def recipe(**settings) -> Recipe:
    """A region is exactly where the gradient is, erased to black."""
    exact = SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.9), split=True)
    known = {"attribution": Gradient(), "magnitude": MaxAbs(), "selector": exact, "fill": Constant(0.0), "trust": FEW}
    return Recipe(**{**known, "target": Class("a"), **settings})


def total(index: int, label: int = 0) -> float:
    """What a square adds to a logit in a white image."""
    return WEIGHTS[label][index] * 3 * SQUARES[index][2] ** 2


def games(players: int):
    """v(S) of every subset."""
    values = st.floats(-100, 100, allow_nan=False)
    return st.lists(values, min_size=2**players, max_size=2**players).map(np.array)


def slow_shapley(values: np.ndarray) -> list[float]:
    """What each brings when it comes, over all orders of arrival."""
    count = len(values).bit_length() - 1
    brought = [0.0] * count
    for order in permutations(range(count)):
        here = 0
        for player in order:
            brought[player] += values[here | 1 << player] - values[here]
            here |= 1 << player
    return [one / factorial(count) for one in brought]


def slow_interaction(values: np.ndarray, one: int, other: int) -> float:
    """Two players merged into one that may come whole, or each without the other: the mean second difference over all
    orders of the others and the pair."""
    count = len(values).bit_length() - 1
    value_none = [player for player in range(count) if player not in (one, other)]
    differences = []
    for order in permutations([*value_none, -1]):
        here = sum(1 << player for player in order[: order.index(-1)])
        a, b = 1 << one, 1 << other
        differences.append(values[here | a | b] - values[here | a] - values[here | b] + values[here])
    return float(np.mean(differences))


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_shares_and_interactions_are_those_of_all_orders(players):
    @given(games(players))
    def check(values):
        np.testing.assert_allclose(shapley(values), slow_shapley(values), atol=1e-9)
        result = interactions(values)
        for one in range(players):
            assert result[one, one] == 0
            for other in range(one):
                expected = slow_interaction(values, one, other)
                assert result[one, other] == result[other, one] == pytest.approx(expected, abs=1e-9)

    check()


@given(games(6), games(6), st.floats(-3, 3))
def test_shares_add_up_and_are_linear(one, other, factor):
    assert shapley(one).sum() == pytest.approx(one[-1] - one[0], abs=1e-8)
    np.testing.assert_allclose(shapley(one + factor * other), shapley(one) + factor * shapley(other), atol=1e-8)


def test_where_evidence_adds_up_shares_are_drops_and_nothing_interacts():
    run = find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [-1.0, 0.0])), recipe(stop=MaxRounds(3)))
    (game,) = run.trust.games
    assert (game.track, game.target, game.players) == (None, "a", (0, 1, 2))
    assert game.value_all == pytest.approx(sum(total(i) for i in range(3)) - 1, rel=1e-5)
    assert game.value_none == pytest.approx(-1)
    np.testing.assert_allclose(game.shares, [total(i) for i in range(3)], rtol=1e-4)
    np.testing.assert_allclose(game.interactions, np.zeros((3, 3)), atol=1e-4)
    for index, (region, card) in enumerate(zip(run.regions, run.trust.cards, strict=True)):
        assert card.shapley_value == game.shares[index]
        assert card.necessity == pytest.approx(region.drop, rel=1e-4) == pytest.approx(total(index), rel=1e-4)
        assert card.sufficiency == pytest.approx(total(index) - 1, rel=1e-4)
        assert card.baseline == pytest.approx(-1)


def test_of_two_where_the_strongest_decides_the_weaker_is_redundant():
    """v = max(a, b): half of b's worth is a's as well, I = −b."""
    run = find_regions(
        white(), toy(Strongest(SQUARES[1:], [[0.03, 0.02], [0, 0]], [0.0, 0.0])), recipe(stop=MaxRounds(2))
    )
    a, b = sorted((total(1), total(2)), reverse=True)
    (game,) = run.trust.games
    assert game.players == (0, 1)
    np.testing.assert_allclose(game.shares, [a - b / 2, b / 2], rtol=1e-4)
    assert game.interactions[0][1] == pytest.approx(-b, rel=1e-4)
    first, second = run.trust.cards
    assert (first.necessity, second.necessity) == (pytest.approx(a - b, rel=1e-4), pytest.approx(0, abs=1e-4))
    assert (first.sufficiency, second.sufficiency) == (pytest.approx(a, rel=1e-4), pytest.approx(b, rel=1e-4))


class Product(Additive):
    """logit_a = Π_i weight_i · Σ_pixels of square i: all are needed."""

    def forward(self, x):
        return (self.sums(x)[:, None, :] * self.weights).prod(2) + self.offsets


def test_where_both_are_needed_there_is_synergy():
    squares = [(4, 4, 8), (30, 30, 8)]
    run = find_regions(white(), toy(Product(squares, [[0.05, 0.05], [0, 0]], [0.0, 0.0])), recipe(stop=MaxRounds(1)))
    value_all = prod(0.05 * 3 * 64 for _ in squares)
    (game,) = run.trust.games
    np.testing.assert_allclose(game.shares, [value_all / 2] * 2, rtol=1e-4)
    assert game.interactions[0][1] == pytest.approx(value_all, rel=1e-4)
    for card in run.trust.cards:
        assert card.necessity == pytest.approx(value_all, rel=1e-4)
        assert card.sufficiency == pytest.approx(0, abs=1e-4)


def test_a_shapley_game_has_the_largest_drops_of_one_target():
    chosen = recipe(stop=MaxRounds(3), trust=TrustSettings(placements=2, fills=(), max_players=2, samples=0))
    run = find_regions(white(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), chosen)
    (game,) = run.trust.games
    largest = sorted(range(3), key=lambda index: -run.regions[index].drop)[:2]
    assert game.players == tuple(sorted(largest))
    assert [card.shapley_value is None for card in run.trust.cards] == [index not in largest for index in range(3)]
    assert (
        find_regions(
            white(), toy(Additive(SQUARES, WEIGHTS, [0.0, 0.0])), recipe(trust=TrustSettings(max_players=0, samples=0))
        ).trust.games
        == ()
    )


@pytest.mark.parametrize("joint", [True, False])
def test_each_target_has_a_shapley_game(joint):
    """a is square 0 alone, b square 1 alone; what one target's region does to another isn't counted."""
    module = Additive(SQUARES, [[0.05, 0.0, 0.0], [0.0, 0.04, 0.0]], [0.0, 0.0])
    run = find_regions(white(), toy(module), recipe(target=Top(2), stop=MaxRounds(1), joint=joint))
    worth = {"a": 0.05 * 3 * 36, "b": 0.04 * 3 * 64}
    assert sorted(game.target for game in run.trust.games) == ["a", "b"]
    for game in run.trust.games:
        assert game.track == (None if joint else game.target)
        assert [run.regions[index].target for index in game.players] == [game.target]
        assert game.shares == (pytest.approx(worth[game.target], rel=1e-4),)
    for region, card in zip(run.regions, run.trust.cards, strict=True):
        assert card.shapley_value == pytest.approx(worth[region.target], rel=1e-4)
