"""Images of colored squares, and a network that learns to tell them, for tests of trainings."""

import numpy as np
import torch
from torch import nn

from unveil.attribution import SmoothGrad
from unveil.classifiers import TorchClassifier
from unveil.classifiers.preprocessing import Preprocessing
from unveil.fills import Mean
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds
from unveil.training import Erasing, Examples, TrainingSettings

SIDE, LABELS = 16, ("red", "green", "blue")
SELECTOR = SmoothedThreshold(size_px=3, passes=1, threshold=RelativeToMax(0.3))
QUICK = Recipe(
    "quick", attribution=SmoothGrad(samples=4), selector=SELECTOR, fill=Mean(), stop=MaxRounds(2), trust=None
)


class Brightest(nn.Module):
    """Logit of a channel: twenty times the largest of its 4 x 4 means, minus 12; every step has weights."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Conv2d(3, 3, 4, 4, groups=3, bias=False)
        self.scale = nn.Conv2d(3, 3, 1, groups=3)
        with torch.no_grad():
            self.mean.weight.fill_(1 / 16)
            self.scale.weight.fill_(20)
            self.scale.bias.fill_(-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (n, 3)."""
        return self.scale(self.mean(x)).amax((2, 3))


def square_network(*, output: str = "sigmoid") -> TorchClassifier:
    """The network with its exact weights."""
    preprocessing = Preprocessing.square(SIDE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return TorchClassifier(Brightest(), preprocessing, LABELS, output=output)


def squares(count: int, seed: int = 0) -> Examples:
    """Two squares of 4 x 4 px of one color on each image, on the network's own grid of cells; dark noise elsewhere."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 30, (count, 3, SIDE, SIDE)).astype(np.uint8)
    targets = np.zeros((count, 3), np.float32)
    for row in range(count):
        label = row % 3
        targets[row, label] = 1
        for place, value in zip(rng.choice(16, 2, replace=False), (250, 200), strict=True):
            y, x = 4 * (place // 4), 4 * (place % 4)
            pixels[row, label, y : y + 4, x : x + 4] = value
    names = tuple(f"image {row}" for row in range(count))
    return Examples(pixels, targets, names, names)


def quick(**changes) -> TrainingSettings:
    """Settings of a training of seconds."""
    given = {"epochs": 2, "steps": 3, "batch_size": 6, "samples": 4, "recipe": QUICK, "learning_rate": 1e-3}
    given |= changes
    return TrainingSettings(Erasing(given.pop("erase", "found")), **given)
