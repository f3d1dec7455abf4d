"""How regions share the score between them: exact Shapley values over all subsets, and pairwise interactions."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Float

from unveil.masked import BoolMap, MaskedClassifier, MaskedView, RegionTest
from unveil.masks import union
from unveil.targets import TargetScore


@dataclass(frozen=True)
class ShapleyValues:
    """v of everyone (`value_all`) and of no one (`value_none`), the Shapley `shares`, and the pairwise `interactions`."""

    value_all: float
    value_none: float
    shares: tuple[float, ...]
    interactions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class ShapleyTest(RegionTest[ShapleyValues]):
    """Every subset of the players: v(S) is the target's value with all players but those in S erased."""

    masked: MaskedClassifier
    target_score: TargetScore
    players: tuple[BoolMap, ...]

    def views(self) -> Iterator[MaskedView]:
        """One for every subset; bit i of its number says that player i is there."""
        for number in range(2 ** len(self.players)):
            gone = (inside for index, inside in enumerate(self.players) if not number >> index & 1)
            yield self.masked.view(union(gone, self.masked.grid))

    def answer(self) -> ShapleyValues:
        """The division of v(all) − v(none)."""
        values = np.array([self.masked.score(view, self.target_score) for view in self.views()])
        return ShapleyValues(
            float(values[-1]),
            float(values[0]),
            tuple(shapley(values).tolist()),
            tuple(tuple(row) for row in interactions(values).tolist()),
        )


def shapley(values: Float[np.ndarray, "subsets"]) -> Float[np.ndarray, "k"]:
    """φ_i = Σ_{S ∌ i} |S|!(k−|S|−1)!/k! · [v(S∪i) − v(S)] (Shapley 1953); `values[S]`, bit i of S for player i."""
    count, sizes = _sizes(values)
    subsets = np.arange(len(values))
    result = np.zeros(count)
    for player in range(count):
        without = subsets[subsets >> player & 1 == 0]
        weights = _weights(count - 1)[sizes[without]]
        result[player] = (weights * (values[without | 1 << player] - values[without])).sum()
    return result


def interactions(values: Float[np.ndarray, "subsets"]) -> Float[np.ndarray, "k k"]:
    """I_ij = Σ_{S ∌ i,j} |S|!(k−|S|−2)!/(k−1)! · [v(S∪ij) − v(S∪i) − v(S∪j) + v(S)] (Grabisch & Roubens 1999).

    0 on the diagonal. Redundant players have I < 0, such that need each other I > 0.
    """
    count, sizes = _sizes(values)
    subsets = np.arange(len(values))
    result = np.zeros((count, count))
    for one in range(count):
        for other in range(one):
            a, b = 1 << one, 1 << other
            without = subsets[subsets & (a | b) == 0]
            together = values[without | a | b] - values[without | a] - values[without | b] + values[without]
            result[one, other] = result[other, one] = (_weights(count - 2)[sizes[without]] * together).sum()
    return result


def _sizes(values: Float[np.ndarray, "subsets"]) -> tuple[int, np.ndarray]:
    count = len(values).bit_length() - 1
    return count, np.array([number.bit_count() for number in range(len(values))])


def _weights(others: int) -> Float[np.ndarray, "sizes"]:
    """|S|!(n−|S|)!/(n+1)! for |S| = 0 … n: the chance that S comes before a player when all orders are alike."""
    return np.array([factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)])
