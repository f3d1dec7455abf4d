"""Stability, revealed and rim share, each counted pixel by pixel; rank correlation against scipy and torchmetrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy.stats import spearmanr
from torchmetrics.functional import spearman_corrcoef

from unveil.measures import RIM_PX, rank_correlation, revealed, rim_share, stability

GRID = np.zeros((20, 30), bool)


def square(top: int, left: int, side: int) -> np.ndarray:
    inside = GRID.copy()
    inside[top : top + side, left : left + side] = True
    return inside


def test_stability_is_the_iou_of_the_halves_at_the_region():
    region = square(2, 2, 6)
    elsewhere = square(12, 20, 5)
    assert stability(region, square(2, 2, 6) | elsewhere, square(2, 2, 6)) == 1
    assert stability(region, square(2, 2, 4), square(4, 4, 4)) == pytest.approx(4 / 28)
    assert stability(region, elsewhere, square(2, 2, 6)) == 0
    assert stability(region, elsewhere, elsewhere) == 0


@given(
    st_numpy.arrays(np.float64, (6, 7), elements=st.floats(0, 1), unique=True),
    st_numpy.arrays(bool, (6, 7)),
    st.integers(1, 42),
)
def test_revealed_is_what_a_first_map_of_equal_area_misses(first, region, area):
    region[0, 0] = True
    strongest = set(sorted(np.ndindex(first.shape), key=lambda at: -first[at])[:area])
    missed = [tuple(at) not in strongest for at in np.argwhere(region)]
    assert revealed(region, first, area) == pytest.approx(sum(missed) / len(missed))


def test_rim_is_the_share_of_saliency_near_what_was_erased():
    erased = square(0, 0, 5)
    region = GRID.copy()
    region[2, 5:25] = True  # distances 1, 2, …, 20 from the erased square
    saliency = np.zeros(GRID.shape)
    saliency[2, 5:25] = np.arange(1.0, 21.0)
    near = sum(value for distance, value in enumerate(range(1, 21), start=1) if distance <= RIM_PX)
    assert rim_share(region, saliency, erased) == pytest.approx(near / sum(range(1, 21)))
    assert rim_share(region, saliency, GRID) == 0
    assert rim_share(region, np.zeros(GRID.shape), erased) == 0


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_ranks_against_scipy_and_torchmetrics_also_where_values_are_equal(seed):
    one, other = np.random.default_rng(seed).integers(0, 9, (2, 12, 15)).astype(float)
    other += one
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-12)
    theirs = spearman_corrcoef(torch.from_numpy(one.ravel()), torch.from_numpy(other.ravel()))
    assert rank_correlation(one, other) == pytest.approx(float(theirs), abs=1e-6)


def test_only_ranks_matter():
    one = np.random.default_rng(3).gamma(0.5, size=(6, 7))
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, one * 0) is None
