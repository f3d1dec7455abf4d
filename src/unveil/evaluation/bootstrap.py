"""Ratios of sums, and how far they would move had other images been drawn."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

RESAMPLES = 1000
LEVEL = 0.95


def ratio(numerator: float, denominator: float) -> float | None:
    """numerator / denominator; None where there is nothing to divide by."""
    return float(numerator / denominator) if denominator else None


def by_group(values: Float[np.ndarray, "images *stats"], groups: Sequence[Hashable]) -> Float[np.ndarray, "_ *stats"]:
    """Sums over the images of each group, in the order in which the groups first come."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(numbers), *values.shape[1:]))
    np.add.at(sums, [numbers[group] for group in groups], values)
    return sums


def intervals(
    numerators: Float[np.ndarray, "groups *stats"],
    denominators: Float[np.ndarray, "groups *stats"],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Float[np.ndarray, "2 *stats"]:
    """95 % percentile intervals (Efron 1979) of Σ numerators / Σ denominators, both sums over the groups.

    Whole groups are drawn with replacement, as many as there are; the lower and the upper bound are the 2.5 % and
    97.5 % quantiles of the ratios. A draw without anything to divide by is left out. NaN where no draw has anything to
    divide by, and for fewer than two groups.
    """
    count, shape = len(numerators), numerators.shape[1:]
    if count < 2:
        return np.full((2, *shape), np.nan)
    both = np.stack([numerators.reshape(count, -1), denominators.reshape(count, -1)], axis=1).reshape(count, -1)
    rng = np.random.default_rng(seed)
    draws = np.stack([_times_drawn(rng, count) @ both for _ in range(resamples)]).reshape(resamples, 2, -1)
    ratios = np.full((resamples, draws.shape[2]), np.nan)
    np.divide(draws[:, 0], draws[:, 1], out=ratios, where=draws[:, 1] != 0)
    found = np.full((2, ratios.shape[1]), np.nan)
    known = ~np.isnan(ratios).all(axis=0)
    if known.any():
        tail = (1 - LEVEL) / 2
        found[:, known] = np.nanquantile(ratios[:, known], [tail, 1 - tail], axis=0)
    return found.reshape(2, *shape)


def _times_drawn(rng: np.random.Generator, count: int) -> Float[np.ndarray, "groups"]:
    return np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)


def bounds(pair: Float[np.ndarray, "2"]) -> list[float] | None:
    """An interval as [lower, upper]; None where there is none."""
    return None if np.isnan(pair).any() else [float(pair[0]), float(pair[1])]
