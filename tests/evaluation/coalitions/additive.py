"""A black box whose logits are sums over cells, so that the Shapley value of every cell is known in advance."""

import numpy as np
import torch

from unveil.classifiers import BlackBox, Classifier, Preprocessing

SIDE, CELL = 32, 8
CELLS = SIDE // CELL
MEAN = 0.5
# Logits that the cells of a 4 x 4 grid add: what each of two labels has, and where a third has nothing.
WEIGHTS = np.zeros((3, CELLS, CELLS))
WEIGHTS[0, 0, 1], WEIGHTS[0, 2, 3], WEIGHTS[0, 3, 0] = 3, 2, -1
WEIGHTS[1, 1, 1], WEIGHTS[1, 3, 3] = 4, 1


def additive(images: np.ndarray) -> np.ndarray:
    """logit_k = Σ over cells of weight_k · (share of the cell that isn't the mean color).

    The pixels of the image differ from the mean color by more than 0.1 in every channel.
    """
    shown = (np.abs(images).max(1) > 0.1).astype(float)
    shares = shown.reshape(len(images), CELLS, CELL, CELLS, CELL).mean((2, 4))
    return np.einsum("nyx,kyx->nk", shares, WEIGHTS)


def additive_network() -> Classifier:
    """The black box; its inputs are pixels − MEAN."""
    preprocessing = Preprocessing.square(SIDE, (MEAN,) * 3, (1.0,) * 3)
    return BlackBox(additive, preprocessing, ["a", "b", "c"], output="softmax", returns="logits")


def cells_image() -> torch.Tensor:
    """An image of cells in colors of their own, so that segments of equal color are the cells."""
    rng = np.random.default_rng(0)
    colors = MEAN + rng.choice([-1, 1], (3, CELLS, CELLS)) * rng.uniform(0.2, 0.5, (3, CELLS, CELLS))
    return torch.from_numpy(np.kron(colors, np.ones((1, CELL, CELL))).astype(np.float32))


def true_maps(labels: list[int]) -> np.ndarray:
    """The Shapley value of each pixel: an additive game gives each player what it adds."""
    return np.kron(WEIGHTS[labels], np.ones((1, CELL, CELL))) / CELL**2
