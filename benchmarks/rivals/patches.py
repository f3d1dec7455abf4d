"""A grid of patches over an image: sets of patches as rows of booleans, and the pixels they hold."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from asking import MaskedImage, Score
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Patches:
    """`cells` patches a side, as equal as whole pixels allow, numbered row by row."""

    cells: int
    shape: tuple[int, int]

    @property
    def count(self) -> int:
        """How many patches there are."""
        return self.cells**2

    @cached_property
    def numbers(self) -> Int[np.ndarray, "h w"]:
        """The number of the patch that every pixel lies in."""
        rows, columns = (np.arange(side) * self.cells // side for side in self.shape)
        return rows[:, None] * self.cells + columns

    def inside(self, chosen: Bool[np.ndarray, "n patches"]) -> Bool[np.ndarray, "n h w"]:
        """Pixels of the patches chosen in every row."""
        return chosen[:, self.numbers]

    def score(self, masked: MaskedImage) -> Score:
        """What asks about sets of patches, a row each: the label's probability with all other patches hidden."""

        def of(kept: Bool[np.ndarray, "n patches"]) -> Float[np.ndarray, "n"]:
            return masked.probabilities(self.inside(kept))

        return of
