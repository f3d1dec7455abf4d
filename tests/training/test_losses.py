"""Losses equal sums written out by hand; accuracy counts images."""

import numpy as np
import pytest
import torch

from unveil.predictions import Output
from unveil.training.losses import Loss, is_right

TARGETS = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
LOGITS = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("balanced", [False, True])
def test_softmax(balanced):
    loss = Loss.for_targets(TARGETS, Output.SOFTMAX, balanced=balanced)
    weights = [4 / (2 * 3)] * 3 + [4 / 2] if balanced else [1.0] * 4
    chances = [np.exp(row[column]) / np.exp(row).sum() for row, column in zip(LOGITS, (0, 0, 0, 1), strict=True)]
    expected = -np.average(np.log(chances), weights=weights)
    assert float(loss(torch.from_numpy(LOGITS), torch.from_numpy(TARGETS))) == pytest.approx(expected)


@pytest.mark.parametrize("balanced", [False, True])
def test_sigmoid(balanced):
    loss = Loss.for_targets(TARGETS, Output.SIGMOID, balanced=balanced)
    weights = [1 / 3, 3.0, 4.0] if balanced else [1.0] * 3  # no image has the third label, which counts as one
    p = 1 / (1 + np.exp(-LOGITS))
    expected = -(np.array(weights) * TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p)).mean()
    assert float(loss(torch.from_numpy(LOGITS), torch.from_numpy(TARGETS))) == pytest.approx(expected)


def test_weights_are_limited():
    many = np.zeros((1000, 2), np.float32)
    many[0, 0] = 1
    assert Loss.for_targets(many, Output.SIGMOID, balanced=True).weights.tolist() == [20, 20]


def test_an_image_is_right_if_all_its_labels_are():
    scores = np.array([[0.9, 0.2, 0.1], [0.6, 0.7, 0.1]])
    targets = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    assert is_right(scores, targets, Output.SIGMOID).tolist() == [True, False]
    assert is_right(scores, targets, Output.SOFTMAX).tolist() == [True, True]
