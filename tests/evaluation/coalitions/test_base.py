"""The game: logits of images of which only some pixels are kept, and a count of those that were predicted."""

import numpy as np
import torch
from additive import CELL, MEAN, SIDE, WEIGHTS, additive_network, cells_image

from unveil.classifiers.engine.passes import counting_passes
from unveil.evaluation.coalitions.base import CoalitionGame


def kept(*cells: tuple[int, int]) -> np.ndarray:
    inside = np.zeros((SIDE, SIDE), bool)
    for row, column in cells:
        inside[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = True
    return inside


def test_values_are_sums_over_the_cells_that_are_kept():
    game = CoalitionGame(additive_network(), cells_image(), [1, 0], "stream")
    sets = np.stack([kept(), kept((0, 1), (1, 1)), kept((2, 3), (3, 0)), ~kept()])
    with counting_passes() as count:
        values = game.values(sets)
    assert np.allclose(values, [[0, 0], [4, 3], [0, 1], [5, 4]])
    assert game.passes == count.forward == 4
    game.values(sets[:2])
    assert game.passes == 4, "equal sets are predicted once"
    assert np.isclose(WEIGHTS.sum(), 9)


def test_images_for_segments():
    """Colors are kept as they are; other numbers of channels become gray."""
    image = cells_image()
    game = CoalitionGame(additive_network(), image, [0], "stream")
    assert np.abs(game.image.transpose(2, 0, 1) / 255 - image.numpy()).max() <= 0.5 / 255 + 1e-6
    two = torch.stack([torch.full((4, 4), MEAN), torch.zeros(4, 4)])
    gray = CoalitionGame(additive_network(), two, [0], "stream").image
    assert gray.shape == (4, 4, 3) and set(gray.ravel()) == {64}
