"""What layers take in PyTorch's own order and in ours, forward and backward: where `classifiers/rearranging.py` pays.

    python benchmarks/layers.py          # a minute

Milliseconds of batches of 8, the fastest of twelve of each; both orders in turns, in bf16 and in fp32.
"""

import argparse

import torch
from measuring import timed
from rich.console import Console
from torch import Tensor, nn

from unveil.classifiers.engine.faster_layers import replace_class
from unveil.evaluation.paper.report_markdown import markdown_table as table

BATCH = 8


Shape = tuple[int, ...]


def convolution(channels: int, out: int, kernel: int, step: int, padding: int) -> tuple[nn.Module, Shape]:
    """A first layer and the shape of what it is given."""
    return nn.Conv2d(channels, out, kernel, step, padding), (BATCH, channels, 224, 224)


def attention(tokens: int) -> tuple[nn.Module, Shape]:
    """A ViT-B's layer."""
    return nn.MultiheadAttention(768, 12, batch_first=True).eval(), (BATCH, tokens, 768)


def layers() -> dict[str, tuple[nn.Module, Shape]]:
    """Every layer by its name."""
    return {
        "7 x 7 in steps of 2, 3 channels (ResNet, DenseNet)": convolution(3, 64, 7, 2, 3),
        "the same, 1 channel (radiographs)": convolution(1, 64, 7, 2, 3),
        "11 x 11 in steps of 4 (AlexNet)": convolution(3, 64, 11, 4, 2),
        "4 x 4 in steps of 4 (ConvNeXt)": convolution(3, 96, 4, 4, 0),
        "3 x 3 in steps of 2 (MobileNet): left as it is": convolution(3, 32, 3, 2, 1),
        "32 x 32 in steps of 32 (ViT-B/32)": convolution(3, 768, 32, 32, 0),
        "attention, 50 tokens (ViT-B/32)": attention(50),
        "attention, 197 tokens (ViT-B/16)": attention(197),
        "attention, 577 tokens": attention(577),
    }


def ask(layer: nn.Module, inputs: Tensor) -> Tensor:
    """As a network calls it."""
    if isinstance(layer, nn.MultiheadAttention):
        return layer(inputs, inputs, inputs, need_weights=False)[0]
    return layer(inputs)


def compare(layer: nn.Module, shape: Shape, digits: torch.dtype, turns: int) -> str:
    """PyTorch's milliseconds and ours, of a forward and a backward pass to the inputs."""
    layer.requires_grad_(False).to(digits)
    inputs = torch.randn(shape).to(digits)
    if len(shape) == 4:
        layer.to(memory_format=torch.channels_last)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    inputs.requires_grad_()
    arriving = torch.randn_like(ask(layer, inputs))
    both = layer, replace_class(layer)
    seconds = [
        [timed(lambda one=one: torch.autograd.grad(ask(one, inputs), inputs, arriving)) for one in both]
        for _ in range(turns)
    ]
    return " / ".join(f"{1e3 * min(own):.1f}" for own in zip(*seconds, strict=True))


def main() -> None:
    """A row a layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=12)
    turns = parser.parse_args().turns
    rows = [
        (name, *(compare(*layer, digits, turns) for digits in (torch.bfloat16, torch.float32)))
        for name, layer in layers().items()
    ]
    Console().print(
        table(("layer", "bf16: PyTorch / ours, ms", "fp32: PyTorch / ours, ms"), rows), soft_wrap=True, markup=False
    )


if __name__ == "__main__":
    main()
