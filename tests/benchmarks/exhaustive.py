"""Rules whose minimal sufficient sets are found by going through all sets, and toy classifiers that follow such rules."""

from collections.abc import Collection
from itertools import combinations

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from toys import Additive, Strongest, toy, white
from unveil.classifiers import TorchClassifier

FEATURES = 6
CELLS, PATCH = 3, 16  # patches a side of the toys' image, and their side in px
# A rule: "all of these features, or all of those, or …".
Rule = frozenset[frozenset[int]]
RULES = st.frozensets(st.frozensets(st.integers(0, FEATURES - 1), min_size=1, max_size=3), min_size=1, max_size=5)


class Ruled:
    """1 where a set of features holds one of the rule's parts, a little less than 1/2 a feature where not; counts."""

    def __init__(self, rule: Rule, features: int = FEATURES) -> None:
        self.rule, self.features, self.asked = rule, features, 0

    def holds(self, one: Collection[int]) -> bool:
        return any(part <= frozenset(one) for part in self.rule)

    def __call__(self, kept: np.ndarray) -> np.ndarray:
        self.asked += len(kept)
        sets = [np.flatnonzero(row).tolist() for row in kept]
        return np.array([1.0 if self.holds(one) else 0.4 * len(one) / self.features for one in sets])


def minimal_sets(rule: Rule, features: int = FEATURES) -> set[frozenset[int]]:
    """All sets that suffice and of which no smaller part suffices: by trying every set."""
    ruled = Ruled(rule)
    every = [frozenset(one) for size in range(features + 1) for one in combinations(range(features), size)]
    enough = [one for one in every if ruled.holds(one)]
    return {one for one in enough if not any(other < one for other in enough)}


def square(patch: int) -> tuple[int, int, int]:
    """Top, left and side of a patch of the toys' image."""
    return (patch // CELLS * PATCH, patch % CELLS * PATCH, PATCH)


def area(patches: Collection[int]) -> np.ndarray:
    """Pixels of some patches."""
    inside = np.zeros((CELLS * PATCH, CELLS * PATCH), bool)
    for patch in patches:
        top, left, side = square(patch)
        inside[top : top + side, left : left + side] = True
    return inside


PIXELS = torch.from_numpy(white().transpose(2, 0, 1).copy())
FULL = 3.0 * PATCH * PATCH  # sum over one patch of a white image


def any_of(*patches: int) -> TorchClassifier:
    """Label 0 needs one of the patches: logit +4 with any, −4 with none."""
    weights = [8.0 / FULL] * len(patches)
    return toy(Strongest([square(one) for one in patches], [weights, weights], [-4.0, -4.0]))


def at_least(needed: int, *patches: int) -> TorchClassifier:
    """Label 0 needs so many of the patches: every patch adds 8, and one less than needed gives −4."""
    weights = [8.0 / FULL] * len(patches)
    return toy(Additive([square(one) for one in patches], [weights, weights], [4.0 - 8.0 * needed] * 2))


def kept_alone(inside: np.ndarray) -> Tensor:
    """The white image with everything else hidden: black, the toys' mean color."""
    return PIXELS * torch.from_numpy(inside)
