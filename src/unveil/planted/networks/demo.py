"""The small residual network for planted scenes: five independent labels, each from the maximum of its evidence
map."""

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from unveil.planted.scenes.designs import LABELS

PIXEL_MEAN, PIXEL_STD = (0.418, 0.402, 0.334), (0.160, 0.134, 0.135)  # of 300 scenes
WEIGHTS = Path(__file__).with_name("demo.safetensors")

Pooling = Literal["max", "average"]


class Residual(nn.Module):
    """`relu(x' + conv(relu(conv(x))))` with batch norms; x' is x, or a 1 x 1 convolution of it where the size
    changes."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and channels_in == channels
        self.skip = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, channels_in, h, w) to (n, channels, h/stride, w/stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.skip(x))


class PlantedNet(nn.Module):
    """A residual network that ends in one map of evidence per label, at an eighth of the image's resolution.

    A label's logit is the largest value of its map, so the strongest cue alone decides and hides all others: a single
    saliency map shows one cue, and only iterating finds the rest. With `pooling="average"` all cues add up instead.
    """

    def __init__(self, labels: int = len(LABELS), pooling: Pooling = "max") -> None:
        super().__init__()
        self.pooling = pooling
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2, 2, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(inplace=True),
            Residual(24, 48, 2),
            Residual(48, 48),
            Residual(48, 96, 2),
            Residual(96, 96),
        )
        self.evidence = nn.Conv2d(96, labels, 1)

    def evidence_maps(self, x: Tensor) -> Tensor:
        """Evidence maps: shape (n, labels, h/8, w/8), in logits."""
        return self.evidence(self.features(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, labels)."""
        maps = self.evidence_maps(x)
        return maps.amax((2, 3)) if self.pooling == "max" else maps.mean((2, 3))


def build_network(pooling: Pooling = "max") -> PlantedNet:
    """An untrained network."""
    return PlantedNet(pooling=pooling)


def load_network() -> PlantedNet:
    """The network with the weights that ship with `unveil`, in evaluation mode."""
    network = build_network()
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()


def normalized(pixels: Tensor) -> Tensor:
    """(x − mean) / std of scenes, for pixels in [0, 1], shape (n, 3, h, w)."""
    mean, std = (torch.tensor(values, device=pixels.device)[:, None, None] for values in (PIXEL_MEAN, PIXEL_STD))
    return (pixels - mean) / std


def logits_of(network: nn.Module, pixels: Tensor) -> Tensor:
    """Logits for pixels in [0, 1], shape (n, 3, h, w)."""
    return network(normalized(pixels))
