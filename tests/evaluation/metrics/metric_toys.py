"""A small network and noise for the tests of metrics."""

import numpy as np
import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def network(side=16, seed=0):
    """A small network with a mean color and a spread; float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 4)
    return TorchClassifier(nn.Sequential(*layers).double(), Preprocessing.square(side, MEAN, STD))


def noise(side=16, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).random((3, side, side))).float()
