"""Means over square boxes, computed by running sums: the cost doesn't depend on the size of the box."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from unveil.errors import RecipeError

MAX_BOX_PX = 9999


def box_mean(values: Float[np.ndarray, "*grid"], size: int) -> Float[np.ndarray, "*grid"]:
    """Compute the mean over a box of `size` pixels per side around every pixel, in float64.

    B(x) = Σ_{|d_i| ≤ (size − 1)/2} S(x + d) / size^axes for odd `size`. Pixels outside the grid count as 0, as in a
    convolution with zero padding. SciPy's running sums take two additions per pixel and axis for any size; where
    the true sum is 0, rounding errors of about 1e-16 of the largest value may remain.

    >>> box_mean(np.array([0.0, 0.0, 3.0, 0.0, 0.0]), 3).tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0]
    """
    return uniform_filter(np.asarray(values, dtype=np.float64), size, mode="constant")


def require_odd(size: int, usual: str) -> None:
    """Raise `RecipeError` unless `size` is odd, so that the box has a central pixel, and in 1 … 9999.

    `usual` is the advice of the message.
    """
    if not size >= 1 or size % 2 == 0:
        raise RecipeError("an odd box size of at least 1 px", str(size), usual)
    if size > MAX_BOX_PX:
        raise RecipeError(f"an odd box size of at most {MAX_BOX_PX} px", str(size), usual)
