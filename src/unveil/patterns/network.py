"""Traces a network into its linear layers, with batch norms folded in, and rewires their backward passes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from unveil.classifiers.engine.folding import calls, fold_into_previous
from unveil.errors import UnveilError, first_line

# Linear layers without weights, rectifiers, and layers that select values: their own derivative is correct.
PASSING = (
    nn.ReLU, nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d, nn.ZeroPad2d, nn.Unflatten,
)  # fmt: skip
WITH_WEIGHTS = (nn.Conv2d, nn.Linear)


class PatternError(UnveilError):
    """Patterns aren't defined for a network, or were estimated for another one."""


def trace_and_fold(module: nn.Module) -> fx.GraphModule:
    """Trace a network in evaluation mode, and fold batch norms that directly follow a convolution or linear layer.

    Raises `PatternError` for a network that can't be traced, or has layers that patterns aren't defined for.
    """
    try:
        traced = fx.symbolic_trace(module.eval())
    except Exception as error:
        advice = "patterns work for VGG, ResNet, DenseNet and similar networks; use Gradient()"
        raise PatternError("a network that torch.fx can trace", first_line(error, None), advice) from error
    fold_into_previous(traced)
    _refuse_unknown(traced)
    return traced


def linear_layers(traced: fx.GraphModule) -> dict[str, nn.Conv2d | nn.Linear]:
    """The convolutions and linear layers of a `traced` network by their names, in the order of their calls."""
    layers: dict[str, nn.Conv2d | nn.Linear] = {}
    for _, name, layer in calls(traced):
        if isinstance(layer, WITH_WEIGHTS):
            layers[name] = layer
    return layers


@contextmanager
def watch_inputs(traced: fx.GraphModule, on_call: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
    """Call `on_call(name, layer, input)` at every call of a linear layer."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Any], None]:
        return lambda layer, inputs, output: on_call(name, layer, inputs[0])

    handles = [layer.register_forward_hook(hook(name)) for name, layer in linear_layers(traced).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def unfold_inputs(layer: nn.Conv2d | nn.Linear, inputs: Tensor) -> list[Float[Tensor, "samples inputs"]]:
    """The inputs of each group of a layer's units, one row per sample; each position of a convolution is a sample.

    Padding is included as zeros.
    """
    if isinstance(layer, nn.Linear):
        return [inputs.flatten(0, -2)]
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise PatternError(
            "convolutions padded with zeros", f"padding {layer.padding!r}", "use Gradient() for this model"
        )
    size, shape = (int(side) for side in layer.kernel_size), inputs.shape
    patches = F.unfold(inputs, tuple(size), layer.dilation, layer.padding, layer.stride)
    per_group = patches.reshape(shape[0], layer.groups, -1, patches.shape[-1]).permute(1, 0, 3, 2)
    return list(per_group.flatten(1, 2))


@dataclass(frozen=True, eq=False)
class RewiredNetwork:
    """A network whose backward pass uses the patterns of its linear layers; its outputs are unchanged.

    PatternNet (`attribution` False) uses a in place of w, which computes the signal. PatternAttribution (True) uses
    w ∘ a. A batch norm that can't be folded (before a rectifier, as in DenseNet) is a linear layer with one input, and
    w·a = 1 makes its pattern 1/w for any data. So PatternNet divides by its scale, and PatternAttribution passes the
    gradient unchanged.

    Attributes:
        traced: The rewired network.
    """

    traced: fx.GraphModule

    @classmethod
    def of(cls, module: nn.Module, patterns: Mapping[str, Tensor], *, attribution: bool) -> "RewiredNetwork":
        """Rewire `module` (a copy) by `patterns` for PatternNet, or for PatternAttribution if `attribution` is set.

        Raises `PatternError` if the patterns belong to another network.
        """
        traced = trace_and_fold(module)
        layers = linear_layers(traced)
        problems = [
            name for name, layer in layers.items() if name not in patterns or patterns[name].shape != layer.weight.shape
        ]
        if problems or len(patterns) != len(layers):
            got = (
                f"{len(patterns)} patterns, where {problems[0]} doesn't fit"
                if problems
                else f"{len(patterns)} patterns"
            )
            raise PatternError(
                f"patterns of this network's {len(layers)} linear layers", got, "estimate them for this model"
            )
        for name, layer in layers.items():
            pattern = patterns[name].to(layer.weight)
            traced.set_submodule(name, _Patterned(layer, layer.weight * pattern if attribution else pattern))
        for _, name, layer in list(calls(traced)):
            if isinstance(layer, nn.BatchNorm2d):
                traced.set_submodule(name, _Scaled(layer, attribution=attribution))
        return cls(traced)

    def __call__(self, inputs: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Compute the network's logits for normalized `inputs`."""
        return self.traced(inputs)


class _ConvolutionWithBackwardKernel(torch.autograd.Function):
    """A convolution whose backward pass uses another kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d, kernel: Tensor) -> Tensor:
        ctx.layer, ctx.shape = layer, x.shape
        ctx.save_for_backward(kernel)
        return layer(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (kernel,) = ctx.saved_tensors
        layer = ctx.layer
        shape, settings = ctx.shape, (layer.stride, layer.padding, layer.dilation, layer.groups)
        return conv2d_input(shape, kernel, gradients[0].contiguous(), *settings), None, None


class _Patterned(nn.Module):
    def __init__(self, layer: nn.Conv2d | nn.Linear, kernel: Tensor) -> None:
        super().__init__()
        self.layer, self.kernel = layer, nn.Parameter(kernel, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.layer, nn.Conv2d):
            return _ConvolutionWithBackwardKernel.apply(x, self.layer, self.kernel)  # type: ignore[return-value]
        # The value is the layer's own; the derivative is the kernel's.
        surrogate = F.linear(x, self.kernel)
        return surrogate + (self.layer(x) - surrogate).detach()


class _Scaled(nn.Module):
    """A batch norm y = s·x + t whose derivative is replaced by 1/s or by 1."""

    def __init__(self, norm: nn.BatchNorm2d, *, attribution: bool) -> None:
        super().__init__()
        self.norm = norm
        scale = _scale_of(norm)
        derivative = torch.ones_like(scale) if attribution else torch.where(scale.abs() > 1e-6, 1 / scale, 0.0)
        self.derivative = nn.Parameter(derivative[:, None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        surrogate = x * self.derivative
        return surrogate + (self.norm(x) - surrogate).detach()


def _scale_of(norm: nn.BatchNorm2d) -> Tensor:
    if norm.running_var is None:
        raise PatternError("batch norms with running statistics", "one without", "use Gradient() for this model")
    spread = torch.sqrt(norm.running_var + norm.eps)
    return (norm.weight if norm.weight is not None else torch.ones_like(spread)).detach() / spread


def _refuse_unknown(traced: fx.GraphModule) -> None:
    uses: dict[str, int] = {}
    for _, name, layer in calls(traced):
        uses[name] = uses.get(name, 0) + isinstance(layer, WITH_WEIGHTS)
        if not isinstance(layer, (*PASSING, *WITH_WEIGHTS, nn.BatchNorm2d)):
            expected = "convolutions, linear layers, batch norms, pools and ReLUs"
            raise PatternError(expected, f"{type(layer).__name__} at {name}", "use Gradient() for this model")
    if repeated := [name for name, count in uses.items() if count > 1]:
        raise PatternError(
            "every linear layer used once", f"{repeated[0]} used {uses[repeated[0]]} times", "use Gradient()"
        )
    if not any(uses.values()):
        raise PatternError("a network with linear layers", "one without", "use Gradient() for this model")
