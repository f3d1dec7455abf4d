"""Slow float64 twins of the backward rules, in numpy: every layer a matrix, every backward pass written out by hand."""

import numpy as np
import torch
from torch import nn

RULES = ("plain", "deconvnet", "guided")


def matrix_of(linear: nn.Module, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The matrix and offset of a linear layer, found by asking it about every unit vector."""
    size = int(np.prod(shape))
    with torch.no_grad():
        offset = linear(torch.zeros(1, *shape, dtype=torch.float64)).flatten().numpy()
        units = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
        columns = torch.stack([linear(unit[None]).flatten() for unit in units]).numpy()
    return (columns - offset).T, offset


def back_through_rectifier(rule: str, gradient: np.ndarray, into: np.ndarray, ceiling: float = np.inf) -> np.ndarray:
    """What a rectifier min(max(x, 0), ceiling) passes back, element by element."""
    passed = np.zeros_like(gradient)
    for index, (g, x) in enumerate(zip(gradient, into, strict=True)):
        open_ = 0 < x < ceiling
        if rule == "plain":
            passed[index] = g if open_ else 0
        elif rule == "deconvnet":
            passed[index] = max(g, 0)
        else:
            passed[index] = max(g, 0) if open_ else 0
    return passed


class ChainTwin:
    """x → A1 x → rectifier → A2 · → rectifier → A3 · : the gradient of logit `k`, layer by layer."""

    def __init__(self, layers: list[tuple[np.ndarray, np.ndarray]], ceiling: float = np.inf) -> None:
        self.layers, self.ceiling = layers, ceiling

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Forward."""
        for matrix, offset in self.layers[:-1]:
            x = np.clip(matrix @ x + offset, 0, self.ceiling)
        matrix, offset = self.layers[-1]
        return matrix @ x + offset

    def gradient(self, x: np.ndarray, k: int, rule: str) -> np.ndarray:
        """Backward: the transposed matrices, with the rule at every rectifier."""
        into = []
        for matrix, offset in self.layers[:-1]:
            into.append(matrix @ x + offset)
            x = np.clip(into[-1], 0, self.ceiling)
        gradient = self.layers[-1][0][k].copy()
        for (matrix, _), before in zip(reversed(self.layers[:-1]), reversed(into), strict=True):
            gradient = matrix.T @ back_through_rectifier(rule, gradient, before, self.ceiling)
        return gradient
