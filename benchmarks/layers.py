"""What layers take in PyTorch's own order and in ours, forward and backward: where `classifiers/rearranging.py` pays.

    python benchmarks/layers.py          # a minute

Milliseconds of batches of 8, the fastest of twelve of each; both orders in turns, in bf16 and in fp32.
"""

import argparse
import time

import torch
from rich.console import Console
from torch import Tensor, nn

from unveil.classifiers.rearranging import PatchConvolution, SelfAttention, SteppedConvolution
from unveil.cli.markdown import table

BATCH = 8


class Attention(nn.MultiheadAttention):
    """As a transformer's block calls it: q, k and v of the same tokens, without the weights."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """The tokens after attention."""
        return super().forward(tokens, tokens, tokens, need_weights=False)[0]


class FastAttention(SelfAttention):
    """The same in our order."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """The tokens after attention."""
        return super().forward(tokens, tokens, tokens, need_weights=False)[0]


def convolution(channels: int, out: int, kernel: int, step: int, padding: int) -> tuple[nn.Conv2d, tuple[int, ...]]:
    """A first layer and the shape of what it is given."""
    return nn.Conv2d(channels, out, kernel, step, padding), (BATCH, channels, 224, 224)


def attention(tokens: int) -> tuple[Attention, tuple[int, ...]]:
    """A ViT-B's layer."""
    return Attention(768, 12, batch_first=True).eval(), (BATCH, tokens, 768)


LAYERS = {
    "7 x 7 in steps of 2, 3 channels (ResNet, DenseNet)": (convolution(3, 64, 7, 2, 3), SteppedConvolution),
    "the same, 1 channel (radiographs)": (convolution(1, 64, 7, 2, 3), SteppedConvolution),
    "11 x 11 in steps of 4 (AlexNet)": (convolution(3, 64, 11, 4, 2), SteppedConvolution),
    "4 x 4 in steps of 4 (ConvNeXt)": (convolution(3, 96, 4, 4, 0), SteppedConvolution),
    "3 x 3 in steps of 2 (MobileNet): left as it is": (convolution(3, 32, 3, 2, 1), SteppedConvolution),
    "32 x 32 in steps of 32 (ViT-B/32)": (convolution(3, 768, 32, 32, 0), PatchConvolution),
    "attention, 50 tokens (ViT-B/32)": (attention(50), FastAttention),
    "attention, 197 tokens (ViT-B/16)": (attention(197), FastAttention),
    "attention, 577 tokens": (attention(577), FastAttention),
}


def once(layer: nn.Module, inputs: Tensor, arriving: Tensor) -> float:
    """Milliseconds of a forward and a backward pass to the inputs."""
    started = time.perf_counter()
    torch.autograd.grad(layer(inputs), inputs, arriving)
    return 1e3 * (time.perf_counter() - started)


def compare(layer: nn.Module, shape: tuple[int, ...], kind: type[nn.Module], digits: torch.dtype, turns: int) -> str:
    """PyTorch's milliseconds and ours."""
    layer.requires_grad_(False).to(digits)
    inputs = torch.randn(shape).to(digits)
    if len(shape) == 4:
        layer.to(memory_format=torch.channels_last)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    inputs.requires_grad_()
    arriving = torch.randn_like(layer(inputs))
    theirs, ours = [], []
    for _ in range(turns):
        theirs.append(once(layer, inputs, arriving))
        before, layer.__class__ = layer.__class__, kind
        ours.append(once(layer, inputs, arriving))
        layer.__class__ = before
    return f"{min(theirs):.1f} / {min(ours):.1f}"


def main() -> None:
    """A row a layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=12)
    turns = parser.parse_args().turns
    rows = [
        (name, *(compare(layer, shape, kind, digits, turns) for digits in (torch.bfloat16, torch.float32)))
        for name, ((layer, shape), kind) in LAYERS.items()
    ]
    Console().print(
        table(("layer", "bf16: PyTorch / ours, ms", "fp32: PyTorch / ours, ms"), rows), soft_wrap=True, markup=False
    )


if __name__ == "__main__":
    main()
