"""Tail probabilities: how likely a place is covered so often by chance."""

import numpy as np
from jaxtyping import Int
from scipy.optimize import minimize_scalar

from unveil.batch.summary.coverage import CELLS

DECIDED = 1e-9  # below, a bound says enough, and the sums of the exact tail are no longer exact
MOST_TILT = 60.0


def shift_tail(sizes: Int[np.ndarray, "257"], count: int) -> float:
    """The probability that at least `count` images cover a given cell, if each image is shifted at random.

    Args:
        sizes: How many images cover 0, 1, ... 256 of the 256 cells.
        count: The number of images that cover the cell.

    Shifts are around the edges, all of them equally likely and independent between images. So an image that covers a
    of 256 cells covers the given one with the probability a / 256, and the number of images that do has a Poisson
    binomial distribution. Its tail is exact down to 1e-9, and an upper bound (Chernoff's) below.

    >>> sizes = np.zeros(257, dtype=int)
    >>> sizes[128] = 3
    >>> round(shift_tail(sizes, 3), 6)
    0.125
    """
    if count <= 0:
        return 1.0
    used = np.flatnonzero(sizes)
    numbers, shares = sizes[used], used / CELLS
    if count > numbers.sum() - sizes[0]:
        return 0.0
    bound = _chernoff(numbers, shares, count)
    return bound if bound < DECIDED else _exact(numbers, shares, count)


def _chernoff(numbers: np.ndarray, shares: np.ndarray, count: int) -> float:
    """min over t >= 0 of E[exp(t (N − count))]."""

    def exponent(tilt: float) -> float:
        return float((numbers * np.log1p(shares * np.expm1(tilt))).sum() - tilt * count)

    best = minimize_scalar(exponent, bounds=(0.0, MOST_TILT), method="bounded")
    return float(np.exp(min(best.fun, 0.0)))


def _exact(numbers: np.ndarray, shares: np.ndarray, count: int) -> float:
    """The tail of the sum, from its characteristic function at n + 1 frequencies."""
    total = int(numbers.sum())
    waves = np.exp(2j * np.pi * np.arange(total + 1) / (total + 1))
    values = np.ones(total + 1, complex)
    for number, share in zip(numbers, shares, strict=True):
        values *= (1 - share + share * waves) ** int(number)
    chances = np.fft.fft(values).real / (total + 1)
    return float(np.clip(chances[count:].sum(), 0.0, 1.0))
