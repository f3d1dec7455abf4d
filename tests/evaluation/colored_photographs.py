"""Photographs of one color each, and a network whose label is the color: what a mosaic shows is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.evaluation.mosaics.photographs import Photograph

SIDE = 48
COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
}
MEAN = (0.5, 0.5, 0.5)


def color_module() -> nn.Sequential:
    """logit_k = 50 · mean over the pixels of max(0, w_k · x − t_k): 0.5 · 50 = 25 for a whole image of color k.

    w_k is 1 for channels that the color has and −1 for the others; t_k is their number − 0.5. So a pixel counts for its
    own color only, and gray for none. The pixels that the network gets are x − MEAN.
    """
    has = torch.tensor(list(COLORS.values())) / 255
    count = len(COLORS)
    convolution, last = nn.Conv2d(3, count, 1), nn.Linear(count, count)
    weights = 2 * has - 1
    with torch.no_grad():
        convolution.weight.copy_(weights[:, :, None, None])
        convolution.bias.copy_(0.5 - has.sum(1) + (weights * torch.tensor(MEAN)).sum(1))
        last.weight.copy_(50 * torch.eye(count))
        last.bias.zero_()
    return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def color_network(side: int = SIDE) -> TorchClassifier:
    """The network; its own preprocessing crops, which would cut off the border of a mosaic."""
    preprocessing = Preprocessing((side, side), MEAN, (1.0, 1.0, 1.0), resize=side + 8)
    return TorchClassifier(color_module(), preprocessing, tuple(COLORS), name="colors")


def write_photograph(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> Path:
    """A photograph of one color, (width, height) px."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, color).save(path)
    return path


def photographs(folder: Path, names: Sequence[str] = tuple(COLORS)) -> list[Photograph]:
    """One photograph of each color."""
    return [
        Photograph(name, write_photograph(folder / f"{name}.png", COLORS[name]), list(COLORS).index(name), place)
        for place, name in enumerate(names)
    ]


def halves(folder: Path) -> Photograph:
    """A photograph whose left half is red and whose right half is blue, 40 x 40 px."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20, 0] = pixels[:, 20:, 2] = 255
    Pillow.fromarray(pixels).save(folder / "halves.png")
    return Photograph("halves", folder / "halves.png", 0, 0)
