"""Box sums: convolution with a filter of ones, separable and by running sums, so the cost doesn't depend on the box."""

import numpy as np
from jaxtyping import Float


def box_sum(values: Float[np.ndarray, "*grid"], size: int) -> Float[np.ndarray, "*grid"]:
    """Sum over a box of `size` pixels a side around every pixel; zero outside the grid; `size` is odd.

    B(x) = Σ_{|d_i| ≤ (size−1)/2} S(x + d), by the difference of two cumulative sums along every axis: two additions a
    pixel and axis for any size. float64 throughout.
    """
    result = np.asarray(values, dtype=np.float64)
    for axis in range(result.ndim):
        result = _running_sum(result, size, axis)
    return result


def box_mean(values: Float[np.ndarray, "*grid"], size: int) -> Float[np.ndarray, "*grid"]:
    """`box_sum / size^axes`: at the rim of the grid the zeros outside count too, as in a convolution with zero
    padding."""
    return box_sum(values, size) / size**values.ndim


def _running_sum(values: np.ndarray, size: int, axis: int) -> np.ndarray:
    half = size // 2
    length = values.shape[axis]
    padding = [(0, 0)] * values.ndim
    padding[axis] = (1, 0)
    cumulative = np.cumsum(np.pad(values, padding), axis=axis)
    stop = np.minimum(np.arange(length) + half + 1, length)
    start = np.maximum(np.arange(length) - half, 0)
    return np.take(cumulative, stop, axis) - np.take(cumulative, start, axis)
