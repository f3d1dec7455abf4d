"""Rank correlation against scipy and torchmetrics, structural similarity against scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torchmetrics.functional import spearman_corrcoef

from unveil.evaluation.metrics.similarity import rank_correlation, ssim


def pair(seed, shape=(24, 31)):
    rng = np.random.default_rng(seed)
    one, other = gaussian_filter(rng.gamma(0.5, size=(2, *shape)), (0, 1.5, 1.5))
    return one, 0.4 * one + other


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_ranks_against_scipy_and_torchmetrics_also_where_values_are_equal(seed):
    one, other = (np.round(values, 1) for values in pair(seed))
    assert len(np.unique(one)) < one.size / 5
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-12)
    theirs = spearman_corrcoef(torch.from_numpy(one.ravel()), torch.from_numpy(other.ravel()))
    assert rank_correlation(one, other) == pytest.approx(float(theirs), abs=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_ssim_against_scikit_image(seed):
    one, other = pair(seed)
    a, b = one / one.max(), other / other.max()
    expected = structural_similarity(
        a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(one, other) == pytest.approx(expected, abs=1e-9)


def test_a_map_is_like_itself_whatever_its_unit():
    one, other = pair(3)
    assert ssim(one, 1e-9 * one) == pytest.approx(1)
    assert rank_correlation(one, one**3) == pytest.approx(1), "ranks alone count"
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert ssim(one, other) == pytest.approx(ssim(other, one))


def test_what_cannot_be_compared_is_none():
    one, _ = pair(3)
    flat, nothing = np.ones_like(one), np.zeros_like(one)
    assert rank_correlation(one, flat) is None
    assert ssim(one, nothing) is None
    assert ssim(one[:10], one[:10]) is None
    assert ssim(one[:11], one[:11]) == pytest.approx(1)
