"""Box means: a convolution with ones, separable and by running sums, so that the cost doesn't depend on the box."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from unveil.errors import RecipeError


def box_mean(values: Float[np.ndarray, "*grid"], size: int) -> Float[np.ndarray, "*grid"]:
    """Mean over a box of `size` pixels a side around every pixel, float64; `size` is odd.

    B(x) = Σ_{|d_i| ≤ (size−1)/2} S(x + d) / size^axes, axis by axis. At the rim of the grid the zeros outside count
    too, as in a convolution with zero padding. SciPy's running sums take two additions a pixel and axis for any size;
    where the true sum is 0, rounding may leave about 1e-16 of the largest value.
    """
    return uniform_filter(np.asarray(values, dtype=np.float64), size, mode="constant")


def require_odd(size: int, usual: str) -> None:
    """Raise `RecipeError`, with a size that is usual, for a box that has no middle."""
    if size < 1 or size % 2 == 0:
        raise RecipeError("an odd box size of at least 1 px", str(size), usual)
