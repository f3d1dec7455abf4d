"""Ratios of sums over images, and bootstrap intervals over the images or their groups."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

RESAMPLES = 1000
LEVEL = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A mean or a share with its 95 % interval.

    Attributes:
        value: The mean or share; None where the denominator is 0.
        interval: The lower and the upper bound; None where it is unknown.
    """

    value: float | None
    interval: Interval | None = None

    def as_dict(self, name: str) -> dict[str, Any]:
        """The value as `name`, and the interval as `name_95`: a list [lower, upper], or None."""
        return {name: self.value, f"{name}_95": None if self.interval is None else list(self.interval)}


def ratio(numerator: float, denominator: float) -> float | None:
    """numerator / denominator; None where the denominator is 0."""
    return float(numerator / denominator) if denominator else None


def by_group(values: Float[np.ndarray, "images *stats"], groups: Sequence[Hashable]) -> Float[np.ndarray, "_ *stats"]:
    """Sums over the images of each group, in the order in which the groups first occur."""
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

    Each draw takes whole groups with replacement, as many as there are; the lower and the upper bound are the 2.5 % and
    97.5 % quantiles of the ratios. Draws whose denominator is 0 are left out. NaN where no draw has a denominator above
    0, and for fewer than two groups.
    """
    drawn = draws(np.stack([numerators, denominators], axis=1), seed, resamples)
    return percentiles(divided(drawn[:, 0], drawn[:, 1]))


def draws(
    sums: Float[np.ndarray, "groups *stats"], seed: int = 0, resamples: int = RESAMPLES
) -> Float[np.ndarray, "resamples *stats"]:
    """Sums over the groups of each draw; a draw takes as many groups as there are, with replacement.

    The same seed and number of groups draw the same groups, whatever is summed. NaN for fewer than two groups.
    """
    count, shape = len(sums), sums.shape[1:]
    if count < 2:
        return np.full((resamples, *shape), np.nan)
    flat = sums.reshape(count, -1)
    return np.stack([times @ flat for times in times_drawn(count, seed, resamples)]).reshape(resamples, *shape)


def times_drawn(count: int, seed: int = 0, resamples: int = RESAMPLES) -> Iterator[Float[np.ndarray, "groups"]]:
    """For each draw of `count` groups with replacement, how often each of the `count` groups is drawn."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)


def divided(over: Float[np.ndarray, "*any"], under: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """over / under, NaN where `under` is 0."""
    result = np.full(over.shape, np.nan)
    np.divide(over, under, out=result, where=under != 0)
    return result


def percentiles(drawn: Float[np.ndarray, "resamples *stats"]) -> Float[np.ndarray, "2 *stats"]:
    """The 2.5 % and 97.5 % quantiles over the draws that are not NaN; NaN where all draws are."""
    flat = drawn.reshape(len(drawn), -1)
    quantiles = np.full((2, flat.shape[1]), np.nan)
    known = ~np.isnan(flat).all(axis=0)
    if known.any():
        tail = (1 - LEVEL) / 2
        quantiles[:, known] = np.nanquantile(flat[:, known], [tail, 1 - tail], axis=0)
    return quantiles.reshape(2, *drawn.shape[1:])


def bounds(pair: Float[np.ndarray, "2"]) -> Interval | None:
    """An interval as (lower, upper); None where either bound is NaN."""
    return None if np.isnan(pair).any() else (float(pair[0]), float(pair[1]))
