"""Controls: networks that follow masks are caught, others aren't; the probe and the calibration equal independent ones."""

import numpy as np
import pytest
import torch
from torch import nn

from training_sets import LABELS, SIDE, square_network, squares
from unveil.classifiers import TorchClassifier
from unveil.evaluation.training.controls import (
    accuracy,
    expected_calibration_error,
    predict_erased,
    probe_masks,
    try_foreign_masks,
)
from unveil.fills import Constant

WHITE = Constant(1.0)


def shapes(count: int, *, telling: bool, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Masks of three labels: wide, high or square ones if they are telling, else the same ones at random."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, SIDE, SIDE), bool)
    labels = [row % 3 for row in range(count)]
    for row, label in enumerate(labels):
        height, width = ((2, 8), (8, 2), (4, 4))[label if telling else rng.integers(3)]
        y, x = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
        masks[row, y : y + height, x : x + width] = True
    return masks, labels


class ReadsMasks(nn.Module):
    """Label 0 where rows of white are long, 1 where columns are, else none: it classifies masks and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (n, 3)."""
        white = (x.amin(1) > 0.999).float()
        rows, columns = white.sum(2).amax(1), white.sum(1).amax(1)
        return torch.stack([rows - 6, columns - 6, 0 * rows - 1], 1) * self.weight


def test_a_network_that_classifies_masks_is_caught_and_one_that_does_not_is_not():
    masks, labels = shapes(60, telling=True)
    reader = TorchClassifier(ReadsMasks(), square_network().preprocessing, LABELS, output="sigmoid")
    kept = [row for row in range(60) if labels[row] < 2]
    caught = try_foreign_masks(reader, squares(30), masks[kept], [labels[row] for row in kept], WHITE)
    assert (caught.follows, caught.untouched, caught.images) == (1, 0, 30)
    assert caught.moved < 0.8  # turning a mask by a right angle gives the other label's
    honest = try_foreign_masks(square_network(), squares(30), masks, labels, Constant(0.0))
    assert (honest.follows, honest.moved, honest.untouched) == (0, 0, 0)
    assert honest.accuracy > 0.8


def test_the_probe_finds_labels_in_shapes_only_where_they_are():
    telling = probe_masks(*_arrays(shapes(150, telling=True)), permutations=49)
    assert telling.accuracy > 0.9
    assert telling.p_value == 1 / 50
    assert telling.chance == pytest.approx(1 / 3, abs=0.1)
    nothing = [
        probe_masks(*_arrays(shapes(90, telling=False, seed=seed)), permutations=19).p_value for seed in range(10)
    ]
    assert np.mean(np.array(nothing) <= 0.1) <= 0.4
    assert np.mean(nothing) > 0.25


def _arrays(made: tuple[np.ndarray, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return made[0], np.array(made[1])


def test_the_probe_is_ridge_regression():
    linear = pytest.importorskip("sklearn.linear_model")
    from unveil.evaluation.training import controls  # noqa: PLC0415

    masks, labels = shapes(90, telling=True)
    x = np.stack([controls._features(mask) for mask in masks])
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    folds = np.random.default_rng(0).permutation(90) % controls.FOLDS
    right = 0
    for fold in range(controls.FOLDS):
        model = linear.Ridge(alpha=10.0, fit_intercept=False).fit(
            x[folds != fold], np.eye(3)[labels][folds != fold] - np.eye(3)[labels][folds != fold].mean(0)
        )
        told = model.predict(x[folds == fold]) + np.eye(3)[labels][folds != fold].mean(0)
        right += (told.argmax(1) == np.array(labels)[folds == fold]).sum()
    assert probe_masks(masks, np.array(labels), permutations=1).accuracy == right / 90


def test_calibration_equals_that_of_torchmetrics():
    metrics = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    p = rng.random((200, 3))
    y = (rng.random((200, 3)) < p**2).astype(float)
    expected = metrics.binary_calibration_error(
        torch.from_numpy(p.ravel()), torch.from_numpy(y.ravel()).int(), n_bins=15
    )
    # Theirs compares max(p, 1 - p) with whether the answer is right; ours p itself with the answer.
    confident = np.where(p >= 0.5, p, 1 - p)
    right = ((p >= 0.5) == (y > 0.5)).astype(float)
    assert expected_calibration_error(p, y) > 0.05
    assert float(expected) in (
        pytest.approx(expected_calibration_error(p, y), abs=1e-6),
        pytest.approx(expected_calibration_error(confident, right), abs=1e-6),
    )
    assert expected_calibration_error(np.full((10, 1), 0.3), np.array([[1.0]] * 3 + [[0.0]] * 7)) == pytest.approx(0)


def test_erased_images_are_predicted_as_if_erased_by_hand():
    examples, network = squares(6), square_network()
    masks = shapes(6, telling=True)[0]
    probabilities = predict_erased(network, examples, masks, WHITE)
    pixels = examples.batch(range(6))
    for image, mask in zip(pixels, masks, strict=True):
        image[:, torch.from_numpy(mask)] = 1
    by_hand = np.stack([one.probabilities for one in network.predict(pixels)])
    np.testing.assert_allclose(probabilities, by_hand, atol=1e-6)
    assert accuracy(by_hand, examples, network) < accuracy(
        predict_erased(network, examples, None, WHITE), examples, network
    )
