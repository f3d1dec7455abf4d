"""A network in the form in which it runs fastest and says the same: batch norms become part of the layers beside them.

- To the left, a batch norm after a convolution or a linear layer: y = s·(w·x + b) + t is one layer with weights s·w.
- To the right, a batch norm before a rectifier and a convolution (DenseNet, ResNet v2). With s = σ·|s|, σ its sign:
  relu(s·x + t) = |s| · relu(σ·x + t/|s|). The factor |s| goes into the convolution, which its zero padding doesn't
  mind; what is left is one addition. The rectifier passes on the same values but for positive factors, so backward
  rules, which look at signs, give the same gradients.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
RECTIFIERS = (functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_")
AGREEMENT = 1e-3  # largest difference of folded logits, relative to the largest logit


def fold_network(module: nn.Module, blank: Tensor) -> nn.Module:
    """The frozen `module` with its batch norms folded, or itself where torch.fx can't trace it or nothing can be
    folded.

    `blank`: an input of the right shape; both forms are asked about random values like it, and the folded one is taken
    only if it says the same. Layers without a batch norm are shared with the module given, not copied.
    """
    if not any(isinstance(part, NORMS) for part in module.modules()) or _heard(module):
        return module
    try:
        traced = fx.symbolic_trace(module)
        fold_batch_norms(traced)
        fold_into_next(traced)
        traced.requires_grad_(False)
        same = outputs_match(module, traced, blank)
    except Exception:  # noqa: BLE001 (tracing runs the user's code on proxies, which may raise anything)
        return module
    return traced if same else module


def fold_batch_norms(traced: fx.GraphModule) -> None:
    """Fold batch norms to the left where their input is a linear layer's output that nobody else reads."""
    used = _times_used(traced)
    for node, name, norm in list(calls(traced)):
        before = node.args[0] if node.args else None
        if not isinstance(norm, NORMS) or not isinstance(before, fx.Node):
            continue
        if before.op != "call_module" or len(before.users) != 1 or used[str(before.target)] != 1 or used[name] != 1:
            continue
        layer = traced.get_submodule(str(before.target))
        if isinstance(layer, CONVOLUTIONS):
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(layer, norm))
        elif isinstance(layer, nn.Linear):
            traced.set_submodule(str(before.target), fuse_linear_bn_eval(layer, norm))
        else:
            continue
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.recompile()


def fold_into_next(traced: fx.GraphModule) -> None:
    """Fold batch norms to the right where a rectifier and then a convolution, and nothing else, read them."""
    used = _times_used(traced)
    for node, name, norm in list(calls(traced)):
        if not isinstance(norm, NORMS) or used[name] != 1 or norm.running_var is None:
            continue
        rectifier = _only_reader(node)
        reader = _only_reader(rectifier) if rectifier is not None and _is_rectifier(traced, rectifier) else None
        if reader is None or reader.op != "call_module" or used[str(reader.target)] != 1:
            continue
        layer = traced.get_submodule(str(reader.target))
        if isinstance(layer, CONVOLUTIONS) and layer.groups == 1 and layer.padding_mode == "zeros":
            shift = Shift.of(norm, layer.weight.ndim - 2)
            traced.set_submodule(name, shift)
            traced.set_submodule(str(reader.target), _scaled(layer, shift.left_out))
    traced.recompile()


class Shift(nn.Module):
    """What is left of a batch norm once |s| went into the next layer: σ·x + t/|s|, σ the sign of s; t where s is 0."""

    sign: Tensor | None
    shift: Tensor

    def __init__(self, sign: Tensor | None, shift: Tensor, left_out: Tensor) -> None:
        super().__init__()
        self.register_buffer("sign", sign)
        self.register_buffer("shift", shift)
        self.left_out = left_out

    @classmethod
    def of(cls, norm: _BatchNorm, places: int) -> "Shift":
        """Of a batch norm in evaluation mode with its own statistics, over `places` axes."""
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a batch norm without statistics takes those of the batch")
        spread = torch.sqrt(variance + norm.eps)
        scale = (torch.ones_like(spread) if norm.weight is None else norm.weight.detach()) / spread
        shift = (0 if norm.bias is None else norm.bias.detach()) - mean * scale
        size = torch.where(scale == 0, 1, scale.abs())
        shape = (-1, *(1,) * places)
        sign = None if bool((scale > 0).all()) else torch.sign(scale).reshape(shape)
        return cls(sign, (shift / size).reshape(shape), size)

    def forward(self, x: Tensor) -> Tensor:
        """One pass over x."""
        return x + self.shift if self.sign is None else torch.addcmul(self.shift, x, self.sign)


def calls(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, str, nn.Module]]:
    """Every call of a layer, with its name and the layer."""
    for node in traced.graph.nodes:
        if node.op == "call_module":
            yield node, str(node.target), traced.get_submodule(str(node.target))


def _times_used(traced: fx.GraphModule) -> dict[str, int]:
    used: dict[str, int] = {}
    for _, name, _ in calls(traced):
        used[name] = used.get(name, 0) + 1
    return used


def _scaled(layer: Convolution, factor: Tensor) -> Convolution:
    made = copy.copy(layer)
    made._parameters = dict(layer._parameters)  # of its own: the layer given keeps its weight
    scaled = layer.weight.detach() * factor.reshape(1, -1, *(1,) * (layer.weight.ndim - 2))
    made.weight = nn.Parameter(scaled, requires_grad=False)
    return made


def _only_reader(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_rectifier(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))) is nn.ReLU
    return node.target in RECTIFIERS and len(node.all_input_nodes) == 1


def _heard(module: nn.Module) -> bool:
    """True if a part made of parts has hooks: tracing opens it, and they would be lost."""
    opened = (part for part in module.modules() if any(part.children()))
    return any(has_forward_hooks(part) for part in opened)


def has_forward_hooks(part: nn.Module) -> bool:
    """True if hooks listen to the part's forward pass, so that it has to stay as it is."""
    return bool(part._forward_hooks or part._forward_pre_hooks)


@torch.no_grad()
def outputs_match(module: nn.Module, other: nn.Module, blank: Tensor) -> bool:
    """True if both answer random values of the shape of `blank` alike, but for rounding."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn((2, *blank.shape[1:]), generator=random).to(blank)
    one, two = module(inputs), other(inputs)
    return bool((one - two).abs().max() <= AGREEMENT * one.abs().max())
