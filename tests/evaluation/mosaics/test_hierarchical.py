"""h-Shap on tiles of plain colors, where its cells and values follow from the probabilities."""

from itertools import permutations

import numpy as np
import torch
from colored_photographs import COLORS, SIDE, color_network, photographs

from unveil.classifiers import load_classifier
from unveil.evaluation.mosaics.drawing import MosaicCanvas, Piece
from unveil.evaluation.mosaics.hierarchical import QuadTreeCell, hierarchical_shapley

CANVAS = MosaicCanvas(color_network().preprocessing)
NETWORK = load_classifier(color_network(), preprocessing=CANVAS.unscaled)
LABELS = list(COLORS)
HALF = SIDE // 2


def drawn(folder, *names: str) -> torch.Tensor:
    """Four tiles, row by row."""
    tiles = zip(photographs(folder, names), CANVAS.places(2), strict=True)
    return torch.from_numpy(CANVAS.draw([Piece(photograph, *place, place[2]) for photograph, place in tiles]))


def probability(pixels: torch.Tensor, label: str, *windows) -> float:
    """The probability of a label when only some windows are left."""
    left = torch.full_like(pixels, 0.5)
    for window in windows:
        left[:, *window] = pixels[:, *window]
    (prediction,) = NETWORK.predict(left[None])
    return prediction.probabilities[LABELS.index(label)]


def mean_gain(pixels: torch.Tensor, label: str, windows, player: int) -> float:
    """The Shapley value by its definition: the mean gain over all orders in which the players can come."""
    gains = []
    for order in permutations(range(4)):
        before = [windows[other] for other in order[: order.index(player)]]
        gains.append(probability(pixels, label, *before, windows[player]) - probability(pixels, label, *before))
    return float(np.mean(gains))


def test_only_the_own_tile_is_split(tmp_path):
    """Another color lowers the probability of red, so that only the red quadrant counts, and all of its parts."""
    pixels = drawn(tmp_path, "red", "blue", "green", "cyan")
    red, blue = hierarchical_shapley(NETWORK, pixels, [LABELS.index("red"), LABELS.index("blue")], HALF // 2)
    assert (red[:HALF, :HALF] > 0).all() and np.count_nonzero(red) == HALF**2
    assert (blue[:HALF, HALF:] > 0).all() and np.count_nonzero(blue) == HALF**2
    windows = [cell.window for cell in QuadTreeCell(0, 0, HALF, HALF).quadrants]
    for player, window in enumerate(windows):
        assert np.allclose(red[window], mean_gain(pixels, "red", windows, player))


def test_values_of_the_first_cell(tmp_path):
    """With a least side of a half, the map has the values of the four quadrants, where they are positive."""
    pixels = drawn(tmp_path, "red", "blue", "red", "green")
    (red,) = hierarchical_shapley(NETWORK, pixels, [LABELS.index("red")], HALF)
    windows = [cell.window for cell in QuadTreeCell(0, 0, SIDE, SIDE).quadrants]
    expected = [mean_gain(pixels, "red", windows, player) for player in range(4)]
    assert expected[0] > 0 > expected[1]
    for window, value in zip(windows, expected, strict=True):
        assert np.allclose(red[window], max(value, 0))


def test_quadrants_cover_odd_sides():
    covered = np.zeros((9, 11), int)
    for cell in QuadTreeCell(1, 2, 7, 9).quadrants:
        covered[cell.window] += 1
    assert (covered[1:8, 2:11] == 1).all() and covered.sum() == 63
