"""The pointing game and energy pointing: by hand, by laws, and pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.errors import AttributionError
from unveil.evaluation.metrics.pointing import (
    PointingResult,
    energy_inside,
    hits_truth,
    score_pointing,
    summarize_pointing,
)

SHAPE = (7, 9)


def spot(y, x):
    saliency = np.zeros(SHAPE, np.float32)
    saliency[y, x] = 1
    return saliency


def block(rows, columns):
    inside = np.zeros(SHAPE, bool)
    inside[rows, columns] = True
    return inside


def twin(saliency, truth, tolerance):
    """Every pixel of the truth compared with the peak, in whole numbers."""
    best, place = -1.0, (0, 0)
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            if saliency[y, x] > best:
                best, place = saliency[y, x], (y, x)
    distances = [(y - place[0]) ** 2 + (x - place[1]) ** 2 for y, x in np.argwhere(truth).tolist()]
    return 0 in distances or any(square < tolerance**2 for square in distances)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 1.5, 2, 3, 15]))
def test_the_pointing_game_compared_pixel_by_pixel(seed, tolerance):
    rng = np.random.default_rng(seed)
    saliency, truth = rng.integers(0, 9, SHAPE).astype(np.float32), rng.random(SHAPE) < 0.06
    if not truth.any() or saliency.max() == saliency.min():
        return
    assert hits_truth(saliency, truth, tolerance) is twin(saliency, truth, tolerance)


def test_the_tolerance_is_an_exclusive_distance():
    truth = block(slice(0, 1), slice(0, 1))
    assert [hits_truth(spot(0, 3), truth, tolerance) for tolerance in (0, 3, 3.01)] == [False, False, True]
    assert hits_truth(spot(0, 0), truth)
    against = spot(0, 0) - 3 * spot(5, 5)
    assert hits_truth(against, truth), "of a signed map the largest value, not the farthest from 0"


def test_an_empty_truth_is_none_and_an_empty_map_is_a_miss():
    nothing, everything = block(slice(0, 0), slice(0, 0)), np.ones(SHAPE, bool)
    assert hits_truth(spot(2, 2), nothing) is None
    assert hits_truth(np.full(SHAPE, 0.3, np.float32), everything) is False
    assert hits_truth(np.full(SHAPE, np.nan, np.float32), everything) is False
    assert score_pointing(spot(2, 2), nothing, "cat", 1) == PointingResult("cat", 1, None, None)


def test_pointing_and_energy_of_one_map():
    saliency, truth = 3 * spot(2, 2) + spot(5, 6), block(slice(1, 3), slice(1, 3))
    assert score_pointing(saliency, truth, "cat", 1) == PointingResult("cat", 1, True, 0.75)
    assert score_pointing(saliency, ~truth, "cat", 1) == PointingResult("cat", 1, False, 0.25)
    assert score_pointing(saliency, ~truth, "cat", 1, tolerance_px=1.5) == PointingResult("cat", 1, True, 0.25)


def test_pixels_outside_the_field_of_view_do_not_count():
    saliency = np.where(block(slice(0, 7), slice(0, 4)), np.nan, 1 + spot(3, 6)).astype(np.float32)
    assert hits_truth(saliency, block(slice(3, 4), slice(6, 7)))
    assert energy_inside(saliency, block(slice(0, 7), slice(0, 4))) == 0
    assert energy_inside(saliency, block(slice(0, 7), slice(4, 9))) == 1


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_energies_of_parts_add_up_and_have_no_unit(seed, factor):
    rng = np.random.default_rng(seed)
    saliency = rng.gamma(0.3, size=SHAPE)
    first = rng.random(SHAPE) < 0.5
    if first.all() or not first.any():
        return
    parts = energy_inside(saliency, first), energy_inside(saliency, ~first)
    assert sum(parts) == pytest.approx(1)
    assert energy_inside(factor * saliency, first) == pytest.approx(parts[0])
    flat = np.full(SHAPE, factor)
    assert energy_inside(flat, first) == pytest.approx(np.count_nonzero(first) / first.size)


def test_signed_infinite_and_misplaced_maps_are_refused():
    everything = np.ones(SHAPE, bool)
    with pytest.raises(AttributionError, match="a saliency map without negative values"):
        energy_inside(-spot(1, 1), everything)
    with pytest.raises(AttributionError, match="1 infinite values"):
        hits_truth(np.where(spot(1, 1) > 0, np.inf, 0).astype(np.float32), everything)
    with pytest.raises(AttributionError, match="map_to_source"):
        hits_truth(spot(1, 1), np.ones((9, 7), bool))


def test_summary_by_hand():
    result = [
        PointingResult("cat", 1, True, 0.5),
        PointingResult("cat", 2, False, 0.1),
        PointingResult("cat", 3, False, None),
        PointingResult("dog", 1, True, 0.9),
        PointingResult("dog", 3, None, None),
    ]
    table = summarize_pointing(result)
    cat, dog = table.labels["cat"], table.labels["dog"]
    assert cat.pointing.value == pytest.approx(1 / 3)
    assert cat.energy.value == pytest.approx(0.3), "a map of zeros has no share"
    assert (dog.pointing.value, dog.energy.value) == (1, 0.9)
    assert table.pooled.pointing.value == pytest.approx(2 / 4)
    assert table.mean.pointing.value == pytest.approx((1 / 3 + 1) / 2)
    low, high = cat.pointing.interval or (1, 0)
    assert low == 0
    assert 1 / 3 < high <= 1
