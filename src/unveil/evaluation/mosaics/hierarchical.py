"""h-Shap: Shapley values of quadrants, then of the quadrants of those that count, down to a least size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from unveil.classifiers import Classifier
from unveil.fills import Mean
from unveil.masked import MaskedClassifier
from unveil.trust.shapley import shapley

LEAST_SHARE = 1 / 8  # of the shorter side: 28 px of 224
QUADRANTS = 4


@dataclass(frozen=True)
class QuadTreeCell:
    """A rectangle of the grid.

    Attributes:
        top, left: The first row and column in px.
        height, width: The sides in px.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def quadrants(self) -> "tuple[QuadTreeCell, ...]":
        """Four parts, row by row.

        >>> QuadTreeCell(0, 0, 4, 5).quadrants[3]
        QuadTreeCell(top=2, left=2, height=2, width=3)
        """
        heights, widths = ((side // 2, side - side // 2) for side in (self.height, self.width))
        rows = ((self.top, heights[0]), (self.top + heights[0], heights[1]))
        columns = ((self.left, widths[0]), (self.left + widths[0], widths[1]))
        return tuple(QuadTreeCell(top, left, height, width) for top, height in rows for left, width in columns)

    @property
    def window(self) -> tuple[slice, slice]:
        """Where it lies in an array."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def hierarchical_shapley(
    classifier: Classifier, pixels: Float[torch.Tensor, "c h w"], labels: Sequence[int], least_px: int
) -> Float[np.ndarray, "labels h w"]:
    """Maps of h-Shap (Teneggi, Luster and Sulam 2022), one per label.

    The four quadrants of a cell are the players of a game: v(S) is the probability of the label when only the quadrants
    in S are left and all else is the mean color. Quadrants with a Shapley value above 0 are split in the same way, as
    long as their shorter side is above `least_px`. The map has the Shapley values of the quadrants that aren't split,
    and 0 elsewhere. A cell costs 2^4 passes, less those that another cell or label needed before.
    """
    height, width = (int(side) for side in pixels.shape[1:])
    masked = MaskedClassifier(classifier, pixels, Mean(), "h-shap")
    maps = np.zeros((len(labels), height, width))
    asked = {QuadTreeCell(0, 0, height, width): list(range(len(labels)))}
    while asked:
        following: dict[QuadTreeCell, list[int]] = {}
        for cell, numbers in asked.items():
            probabilities = _probabilities(masked, cell)
            for number in numbers:
                shares = shapley(probabilities[:, labels[number]])
                for quadrant, share in zip(cell.quadrants, shares, strict=True):
                    if share <= 0:
                        continue
                    if min(quadrant.height, quadrant.width) > least_px:
                        following.setdefault(quadrant, []).append(number)
                    else:
                        maps[number][quadrant.window] = share
        asked = following
    return maps


def _probabilities(masked: MaskedClassifier, cell: QuadTreeCell) -> Float[np.ndarray, "subsets k"]:
    """The probabilities of all labels for each subset of the quadrants of a cell."""
    views = []
    for subset in range(1 << QUADRANTS):
        erased = np.ones(masked.grid, bool)
        for player, quadrant in enumerate(cell.quadrants):
            if subset >> player & 1:
                erased[quadrant.window] = False
        views.append(masked.view(erased))
    return np.stack([prediction.probabilities for prediction in masked.predict(views)])
