"""Classifiers whose regions, order, drops and stops are known in closed form."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.predictions import Output

SIDE = 48
PLAIN = Preprocessing.square(SIDE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Additive(nn.Module):
    """logit_k = offset_k + Σ_i weight_ki · Σ_pixels of square i: every square adds its own share, nothing else counts."""

    def __init__(
        self, squares: Sequence[tuple[int, int, int]], weights: Sequence[Sequence[float]], offsets: Sequence[float]
    ) -> None:
        super().__init__()
        masks = torch.zeros(len(squares), SIDE, SIDE)
        for number, (top, left, side) in enumerate(squares):
            masks[number, top : top + side, left : left + side] = 1
        self.masks = nn.Parameter(masks)
        self.weights = nn.Parameter(torch.tensor(weights))
        self.offsets = nn.Parameter(torch.tensor(offsets))

    def sums(self, x: Tensor) -> Tensor:
        """Σ over the channels and pixels of every square: shape (n, squares)."""
        return torch.einsum("nchw,shw->ns", x, self.masks)

    def forward(self, x: Tensor) -> Tensor:
        return self.sums(x) @ self.weights.T + self.offsets


class Strongest(Additive):
    """logit_k = offset_k + max_i weight_ki · Σ_pixels of square i: only the strongest square counts, the others are hidden."""

    def forward(self, x: Tensor) -> Tensor:
        return (self.sums(x)[:, None, :] * self.weights).amax(2) + self.offsets


def toy(module: nn.Module, labels: Sequence[str] = ("a", "b"), output: Output = Output.SIGMOID) -> TorchClassifier:
    """A classifier that sees the pixels as they are."""
    return TorchClassifier(module, PLAIN, labels, output=output)


def square(top: int, left: int, side: int) -> np.ndarray:
    """A square as a boolean array."""
    inside = np.zeros((SIDE, SIDE), bool)
    inside[top : top + side, left : left + side] = True
    return inside


def white() -> np.ndarray:
    """An image where every pixel is 1."""
    return np.ones((SIDE, SIDE, 3), np.float32)
