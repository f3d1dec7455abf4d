"""Box means against sums written out, and against convolutions with ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import signal

from unveil.box_filter import box_mean

MAPS = st_numpy.arrays(
    np.float64,
    st_numpy.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=7),
    elements=st.floats(0, 10, width=32),
)


@given(MAPS, st.sampled_from([1, 3, 5, 11]))
def test_against_sums_written_out(values, size):
    half = size // 2
    expected = np.zeros(values.shape)
    for place in product(*(range(side) for side in values.shape)):
        window = tuple(slice(max(0, at - half), at + half + 1) for at in place)
        expected[place] = values[window].sum() / size**values.ndim
    np.testing.assert_allclose(box_mean(values, size), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [1, 3, 11, 301])
def test_against_a_convolution_with_ones(size):
    values = np.random.default_rng(0).random((60, 45)).astype(np.float32)
    ones = np.ones((size, size))
    expected = signal.fftconvolve(np.pad(values, size // 2).astype(np.float64), ones, mode="valid")
    np.testing.assert_allclose(box_mean(values, size), expected / size**2, rtol=1e-9, atol=1e-8)


@given(MAPS, MAPS.map(lambda values: values.ravel()[0]))
def test_it_is_linear_and_keeps_positive_maps_positive(values, factor):
    np.testing.assert_allclose(box_mean(values * factor, 5), factor * box_mean(values, 5), rtol=1e-9, atol=1e-9)
    assert box_mean(values, 3).min() >= -1e-9


def test_a_point_becomes_a_box():
    point = np.zeros((9, 9))
    point[4, 1] = 2.0
    expected = np.zeros((9, 9))
    expected[2:7, 0:4] = 2.0 / 25
    np.testing.assert_allclose(box_mean(point, 5), expected, atol=1e-12)
