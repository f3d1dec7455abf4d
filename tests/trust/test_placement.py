"""The placement test: random placements of a shape, and p-values that are uniform where there is no evidence."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import ndimage, stats
from torch import nn

from toys import SIDE, toy
from unveil.fills import Constant
from unveil.masked import MaskedClassifier
from unveil.targets import TargetScore
from unveil.trust.base import RegionContext
from unveil.trust.placement import PlacementResult, PlacementTest, random_placements

SCALAR = TargetScore("a", ((0, 1.0),))
IMAGES = 120


class Linear(nn.Module):
    """logit_a = Σ weights · pixels of the first channel: a drop is the sum of the weights of what is erased."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights).float())

    def forward(self, x):
        return (x[:, 0] * self.weights).sum((1, 2))[:, None] * torch.tensor([1.0, 0.0])


def disc(area: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.hypot(y, x) <= np.sqrt(area / np.pi)


def anywhere(shape: np.ndarray, key: str) -> np.ndarray:
    (place,) = random_placements(shape, np.zeros_like(shape), key, 1)
    return place


def question(module: nn.Module, inside: np.ndarray, draws: int = 39, erased: np.ndarray | None = None) -> PlacementTest:
    before = np.zeros_like(inside) if erased is None else erased
    masked = MaskedClassifier(toy(module), torch.ones(3, SIDE, SIDE), Constant(0.0), "key", 40)
    return PlacementTest(RegionContext(masked, SCALAR, inside, before, before | inside, np.zeros_like(inside)), draws)


# ---- places


@given(st_numpy.arrays(bool, (9, 11)).filter(np.any), st_numpy.arrays(bool, (9, 11)), st.integers(1, 12))
def test_placements_have_the_shape_of_the_region(inside, erased, draws):
    """Mostly outside of what is taken, as many pixels, and on the torus the same shape but for turns and mirrorings."""
    taken, area = erased | inside, np.count_nonzero(inside)
    result = random_placements(inside, taken, "key", draws)
    assert len(result) <= draws
    shape = cropped(inside)
    turned = [np.rot90(flipped, turns) for flipped in (shape, shape[::-1]) for turns in range(4)]
    same = {tiled.tobytes() for one in turned for tiled in everywhere(one, inside.shape)}
    for place in result:
        assert np.count_nonzero(place & taken) <= 0.3 * area
        assert np.packbits(place).tobytes() in same


def everywhere(shape: np.ndarray, grid: tuple[int, int]):
    """A shape at every place of the torus, packed."""
    if shape.shape[0] > grid[0] or shape.shape[1] > grid[1]:
        return
    whole = np.zeros(grid, bool)
    whole[: shape.shape[0], : shape.shape[1]] = shape
    for y in range(grid[0]):
        for x in range(grid[1]):
            yield np.packbits(np.roll(whole, (y, x), (0, 1)))


def cropped(inside: np.ndarray) -> np.ndarray:
    (slices,) = ndimage.find_objects(inside.astype(int))
    return inside[slices]


def test_placements_in_a_volume_are_rotated_about_all_axes():
    block = np.zeros((12, 12, 12), bool)
    block[:2, :3, :5] = True
    result = random_placements(block, block, "key", 60)
    assert len(result) == 60
    whole = [place for place in result if np.prod(cropped(place).shape) == 30]  # not cut by an edge
    assert {cropped(place).shape for place in whole} == {
        (2, 3, 5),
        (2, 5, 3),
        (3, 2, 5),
        (3, 5, 2),
        (5, 2, 3),
        (5, 3, 2),
    }


def test_placements_are_uniform():
    """A pixel on a grid of 16, of which one is taken: χ² over 15 places."""
    inside = np.zeros((4, 4), bool)
    inside[1, 1] = True
    counts = sum(
        place.astype(int) for number in range(200) for place in random_placements(inside, inside, f"{number}", 15)
    )
    assert counts[1, 1] == 0
    assert counts.sum() == 3000
    assert stats.chisquare(counts[~inside]).pvalue > 0.001


def test_placements_depend_on_the_stream_and_their_number_only():
    shape = disc(50)
    some, more, other = (random_placements(shape, shape, key, n) for key, n in (("a", 5), ("a", 9), ("b", 5)))
    assert np.array_equal(some, more[:5])
    assert not np.array_equal(some, other)


def test_without_a_placement_there_is_no_p_value():
    most = np.ones((SIDE, SIDE), bool)
    most[:, : SIDE // 4] = False
    null = question(Linear(np.ones((SIDE, SIDE))), most).result()
    assert (null.p_value, null.placements) == (None, 0)
    # There is room for many pixels, but for no place of this shape.
    checked = np.indices((SIDE, SIDE)).sum(0) % 2 == 0
    block = np.zeros((SIDE, SIDE), bool)
    block[:3, :3] = True
    assert random_placements(block, checked | block, "key", 9) == ()


# ---- p


def test_the_p_value_counts_placements_with_as_large_a_drop():
    weights = np.random.default_rng(6).standard_normal((SIDE, SIDE))
    inside = max((anywhere(disc(50), f"{number}") for number in range(9)), key=lambda place: weights[place].sum())
    ask = question(Linear(weights), inside)
    drops = [weights[place].sum() for place in ask.places]
    own = weights[inside].sum()
    larger = np.cumsum([drop >= own for drop in drops])
    assert larger[-1] < 5  # so that all are drawn
    assert ask.result() == PlacementResult((1 + int(larger[-1])) / 40, 39, int(larger[-1]))


def test_drawing_ends_at_the_fifth_placement_with_as_large_a_drop():
    weights = np.random.default_rng(6).standard_normal((SIDE, SIDE))
    inside = next(
        place
        for place in (anywhere(disc(50), f"{number}") for number in range(99))
        if abs(weights[place].sum()) < 1  # a drop like most others
    )
    ask = question(Linear(weights), inside)
    larger = np.cumsum([weights[place].sum() >= weights[inside].sum() for place in ask.places])
    drawn = int(np.argmax(larger == 5)) + 1
    assert ask.result() == PlacementResult(5 / drawn, drawn, 5)
    assert ask.region.masked.passes <= 2 + 40 * -(-drawn // 40)


def test_ties_count_against_a_region():
    null = question(Linear(np.zeros((SIDE, SIDE))), anywhere(disc(50), "r")).result()
    assert null == PlacementResult(1.0, 5, 5)


def test_a_region_with_the_largest_drop_has_the_smallest_p_value():
    weights = np.random.default_rng(6).uniform(0, 0.1, (SIDE, SIDE))
    inside = anywhere(disc(50), "r")
    weights[inside] = 1
    assert question(Linear(weights), inside).result().p_value == 1 / 40


def test_placements_avoid_erased_pixels_and_drops_start_from_them():
    """The erased half has all the weight: it's neither in the region's drop nor in any other."""
    weights = np.random.default_rng(6).uniform(0, 0.1, (SIDE, SIDE))
    erased = np.zeros((SIDE, SIDE), bool)
    erased[:, : SIDE // 2] = True
    inside = np.zeros((SIDE, SIDE), bool)
    inside[10:16, 30:36] = True
    weights[inside] += 0.01  # larger than at most places
    plain = question(Linear(weights), inside, 20, erased).result()
    weights[erased] += 100
    heavy = question(Linear(weights), inside, 20, erased).result()
    assert plain == heavy
    assert plain.p_value is not None
    assert 0 < plain.p_value < 1


@pytest.mark.parametrize(("smooth", "area"), [(0, 140), (4, 50)])
def test_without_evidence_p_values_are_uniform(smooth, area):
    """Random weights, white or smooth, and a place that nothing has chosen: p must be uniform on (0, 1].

    p has steps of 1/(1 + draws), so its distance from the uniform is at least that; more than the 1 % bound of
    Kolmogorov and Smirnov on top of it would be a fault.
    """
    rng = np.random.default_rng((smooth, area))
    p, draws = [], 39
    for number in range(IMAGES):
        weights = rng.standard_normal((SIDE, SIDE))
        weights = ndimage.gaussian_filter(weights, smooth, mode="wrap") if smooth else weights
        inside = anywhere(disc(area), f"{number}")
        # As `PlacementTest` counts; that it does so is tested above, and this is faster than predicting images.
        drops = [weights[place].sum() for place in random_placements(inside, inside, f"{number}/null", 39)]
        assert len(drops) == draws
        p.append((1 + sum(drop >= weights[inside].sum() for drop in drops)) / (1 + draws))
    assert stats.kstest(p, "uniform").statistic < 1.63 / np.sqrt(IMAGES) + 1 / (1 + draws)
    assert np.mean(np.array(p) <= 0.1) < 0.2
