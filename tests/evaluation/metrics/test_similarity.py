"""Structural similarity against scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from unveil.evaluation.metrics.similarity import ssim


def pair(seed, shape=(24, 31)):
    rng = np.random.default_rng(seed)
    one, other = gaussian_filter(rng.gamma(0.5, size=(2, *shape)), (0, 1.5, 1.5))
    return one, 0.4 * one + other


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_ssim_against_scikit_image(seed):
    one, other = pair(seed)
    a, b = one / one.max(), other / other.max()
    expected = structural_similarity(
        a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(one, other) == pytest.approx(expected, abs=1e-9)


def test_similarity_does_not_depend_on_the_unit():
    one, other = pair(3)
    assert ssim(one, 1e-9 * one) == pytest.approx(1)
    assert ssim(one, other) == pytest.approx(ssim(other, one))


def test_maps_that_cannot_be_compared_give_none():
    one, _ = pair(3)
    nothing = np.zeros_like(one)
    assert ssim(one, nothing) is None
    assert ssim(one[:10], one[:10]) is None
    assert ssim(one[:11], one[:11]) == pytest.approx(1)
