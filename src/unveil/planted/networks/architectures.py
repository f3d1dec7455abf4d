"""The benchmark's networks: four architectures with two heads each, all with a map of evidence per label."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unveil.planted.networks.demo import Residual
from unveil.planted.scenes.signs import BENCHMARK

Architecture = Literal["convnet", "resnet", "densenet", "vit"]
Head = Literal["max", "average"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
HEADS: tuple[Head, ...] = get_args(Head)
CELL_PX = 8  # side of a cell of the evidence maps, in pixels of the image; the transformer's cells are twice as wide
TOKENS = 64
NETWORKS = Path(__file__).parent
PARTS: Mapping[str, tuple[Architecture, Head]] = MappingProxyType(
    {f"{architecture}-{head}": (architecture, head) for architecture in ARCHITECTURES for head in HEADS}
)
NAMES: tuple[str, ...] = tuple(PARTS)


class EvidenceNet(nn.Module):
    """`features`, a linear map of evidence per label, and a head that pools each map to one logit.

    With the head `max` the logit is the map's largest value: one cue decides and hides the others. With `average` it is
    the map's mean: cues add up.
    """

    def __init__(self, features: nn.Module, channels: int, labels: int, head: Head) -> None:
        super().__init__()
        self.features = features
        self.evidence = nn.Conv2d(channels, labels, 1)
        self.head = nn.AdaptiveMaxPool2d(1) if head == "max" else nn.AdaptiveAvgPool2d(1)

    def evidence_maps(self, x: Tensor) -> Tensor:
        """Evidence maps: shape (n, labels, rows, columns), in logits."""
        return self.evidence(self.features(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, labels)."""
        return self.head(self.evidence_maps(x)).flatten(1)


def build_evidence_net(architecture: Architecture, head: Head, labels: int = len(BENCHMARK.labels)) -> EvidenceNet:
    """An untrained network."""
    features, channels = _FEATURES[architecture]()
    return EvidenceNet(features, channels, labels, head)


def load_trained(architecture: Architecture, head: Head) -> EvidenceNet:
    """A network with the weights that ship with `unveil`, in evaluation mode."""
    network = build_evidence_net(architecture, head)
    tensors = load_file(NETWORKS / f"{architecture}-{head}.safetensors")
    full = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    network.load_state_dict(full)
    return network.eval()


def save_halves(network: EvidenceNet, path: Path) -> None:
    """Write the weights as half floats to a safetensors file."""
    tensors = network.state_dict()
    halves = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    save_file({name: value.contiguous() for name, value in halves.items()}, path)


def _conv(channels_in: int, channels: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]


def _stem() -> list[nn.Module]:
    """Two convolutions down to a quarter of the image's resolution."""
    return [*_conv(3, 16, 2), *_conv(16, 32, 2)]


def _convnet() -> tuple[nn.Module, int]:
    """Seven convolutions in a row."""
    layers = [*_stem(), *_conv(32, 32), *_conv(32, 64, 2), *_conv(64, 64), *_conv(64, 64), *_conv(64, 64)]
    return nn.Sequential(*layers), 64


def _resnet() -> tuple[nn.Module, int]:
    return nn.Sequential(*_stem(), Residual(32, 32), Residual(32, 64, 2), Residual(64, 64)), 64


class DenseLayer(nn.Module):
    """Concatenates x with a convolution of it: `cat(x, conv(relu(norm(x))))`."""

    def __init__(self, channels_in: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels_in)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(channels_in, growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, channels_in, h, w) to (n, channels_in + growth, h, w)."""
        return torch.cat([x, self.conv(self.relu(self.norm(x)))], 1)


def _dense(channels_in: int, growths: Sequence[int]) -> list[nn.Module]:
    return [DenseLayer(channels_in + sum(growths[:index]), growth) for index, growth in enumerate(growths)]


def _densenet() -> tuple[nn.Module, int]:
    first, second = (16,) * 3, (16,) * 5
    between = [nn.BatchNorm2d(80), nn.ReLU(), nn.Conv2d(80, 48, 1, bias=False), nn.AvgPool2d(2)]
    layers = [*_stem(), *_dense(32, first), *between, *_dense(48, second), nn.BatchNorm2d(128), nn.ReLU()]
    return nn.Sequential(*layers), 128


class Attention(nn.Module):
    """Multi-head self-attention: `softmax(q kᵀ/√d) v`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of shape (n, tokens, width), to the same."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        # Written out: on a CPU the fused form takes longer to train.
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, tokens, width))


class Block(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))` (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of shape (n, tokens, width), to the same."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """A small vision transformer: patches of 16 px by convolutions (Xiao et al. 2021), learned positions, four
    blocks."""

    def __init__(self, width: int = 64, blocks: int = 4, heads: int = 4) -> None:
        super().__init__()
        steps = ((3, width // 4), (width // 4, width // 2), (width // 2, width), (width, width))
        self.patches = nn.Sequential(
            *(
                layer
                for before, after in steps
                for layer in (nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.GELU())
            ),
            nn.Conv2d(width, width, 1),
        )
        self.places = nn.Parameter(0.02 * torch.randn(1, TOKENS, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, 3, 128, 128) to (n, width, 8, 8)."""
        patches = self.patches(x)
        tokens = self.norm(self.blocks(patches.flatten(2).transpose(1, 2) + self.places))
        return tokens.transpose(1, 2).reshape(patches.shape)


def _vit() -> tuple[nn.Module, int]:
    return Transformer(64), 64


_FEATURES = {"convnet": _convnet, "resnet": _resnet, "densenet": _densenet, "vit": _vit}
