"""Shapley values of the regions of one target, exact over all subsets, and their pairwise interactions."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Float

from unveil.masked import BoolMap, MaskedClassifier, MaskedView
from unveil.masks import union
from unveil.targets import TargetScore
from unveil.trust.base import RegionTest


@dataclass(frozen=True)
class ShapleyValues:
    """The results of a Shapley game, in logits.

    Attributes:
        value_all: The score with all regions.
        value_none: The score with none of them.
        shares: The Shapley value of each region; their sum is `value_all` − `value_none`.
        interactions: The Shapley interaction index of each pair.
    """

    value_all: float
    value_none: float
    shares: tuple[float, ...]
    interactions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class ShapleyTest(RegionTest[ShapleyValues]):
    """The Shapley game over regions: v(S) is the target score with all regions erased except those in the subset S.

    `masked` is the classifier and image of the run, `target_score` the target, and `players` are the regions.
    """

    masked: MaskedClassifier
    target_score: TargetScore
    players: tuple[BoolMap, ...]

    def views(self) -> Iterator[MaskedView]:
        """One view per subset; bit i of its number says whether region i is kept."""
        for number in range(2 ** len(self.players)):
            erased = (inside for index, inside in enumerate(self.players) if not number >> index & 1)
            yield self.masked.view(union(erased, self.masked.grid))

    def result(self) -> ShapleyValues:
        """Shapley values and interactions."""
        values = np.array([self.masked.score(view, self.target_score) for view in self.views()])
        return ShapleyValues(
            float(values[-1]),
            float(values[0]),
            tuple(shapley(values).tolist()),
            tuple(tuple(row) for row in interactions(values).tolist()),
        )


def shapley(values: Float[np.ndarray, "subsets"]) -> Float[np.ndarray, "k"]:
    """Shapley values φ_i = Σ_{S ∌ i} |S|!(k−|S|−1)!/k! · [v(S∪i) − v(S)] (Shapley 1953).

    `values[S]` is v(S), where bit i of the number S says whether player i belongs to the subset; its length is 2^k.

    >>> shapley(np.array([0.0, 3.0, 1.0, 4.0]))
    array([3., 1.])
    """
    count, sizes = _sizes(values)
    subsets = np.arange(len(values))
    result = np.zeros(count)
    for player in range(count):
        without = subsets[subsets >> player & 1 == 0]
        weights = _weights(count - 1)[sizes[without]]
        result[player] = (weights * (values[without | 1 << player] - values[without])).sum()
    return result


def interactions(values: Float[np.ndarray, "subsets"]) -> Float[np.ndarray, "k k"]:
    """Shapley interaction indices of all pairs (Grabisch & Roubens 1999), symmetric, 0 on the diagonal.

    I_ij = Σ_{S ∌ i,j} |S|!(k−|S|−2)!/(k−1)! · [v(S∪ij) − v(S∪i) − v(S∪j) + v(S)]: below 0 the two are redundant, above
    0 each needs the other.

    >>> interactions(np.array([0.0, 1.0, 1.0, 1.0]))
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    count, sizes = _sizes(values)
    subsets = np.arange(len(values))
    result = np.zeros((count, count))
    for first in range(count):
        for second in range(first):
            a, b = 1 << first, 1 << second
            without = subsets[subsets & (a | b) == 0]
            together = values[without | a | b] - values[without | a] - values[without | b] + values[without]
            result[first, second] = result[second, first] = (_weights(count - 2)[sizes[without]] * together).sum()
    return result


def _sizes(values: Float[np.ndarray, "subsets"]) -> tuple[int, np.ndarray]:
    count = len(values).bit_length() - 1
    return count, np.array([number.bit_count() for number in range(len(values))])


def _weights(others: int) -> Float[np.ndarray, "sizes"]:
    """|S|!(n−|S|)!/(n+1)! for |S| = 0 … n: the chance that S comes before a player in a random order."""
    return np.array([factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)])
