"""Folds batch norms into neighboring layers, so that a network runs faster with the same outputs.

- To the left, a batch norm after a convolution or a linear layer: y = s·(w·x + b) + t is one layer with weights s·w.
- To the right, a batch norm before a rectifier and a convolution (DenseNet, ResNet v2). With s = σ·|s|, where σ is its
  sign: relu(s·x + t) = |s| · relu(σ·x + t/|s|). The factor |s| is folded into the convolution, which zero padding
  allows; one addition remains. The outputs of the rectifier change by positive factors only, so backward rules, which
  depend on signs, give the same gradients.
"""

import copy
from collections.abc import Callable, Iterator

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
Comparison = Callable[[nn.Module, nn.Module, Tensor], bool]


@torch.no_grad()
def outputs_match(module: nn.Module, other: nn.Module, blank: Tensor) -> bool:
    """True if both networks have equal outputs, up to rounding, for random inputs of the shape of `blank`."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn((2, *blank.shape[1:]), generator=random).to(blank)
    expected, outputs = module(inputs), other(inputs)
    return bool((expected - outputs).abs().max() <= AGREEMENT * expected.abs().max())


def fold_batch_norms(module: nn.Module, blank: Tensor, matches: Comparison = outputs_match) -> nn.Module:
    """Fold the batch norms of a frozen `module`; return `module` itself if nothing can be folded.

    `blank` is an input of the right shape. The folded network is used only if its outputs match those of `module` for
    random inputs of this shape; `matches` compares them. Networks that torch.fx can't trace are returned unchanged.
    Layers without a batch norm are shared with `module`, not copied.
    """
    if not any(isinstance(part, NORMS) for part in module.modules()) or _has_hooked_container(module):
        return module
    try:
        traced = fx.symbolic_trace(module)
        fold_into_previous(traced)
        fold_into_next(traced)
        traced.requires_grad_(False)
        return traced if matches(module, traced, blank) else module
    except Exception:  # noqa: BLE001 (tracing runs the user's code on proxies, which may raise anything)
        return module


def fold_into_previous(traced: fx.GraphModule) -> None:
    """Fold batch norms to the left where their input is a linear layer's output that no other node uses."""
    uses = _count_uses(traced)
    for node, name, norm in list(calls(traced)):
        before = node.args[0] if node.args else None
        if not isinstance(norm, NORMS) or not isinstance(before, fx.Node):
            continue
        if before.op != "call_module" or len(before.users) != 1 or uses[str(before.target)] != 1 or uses[name] != 1:
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
    """Fold batch norms to the right where only a rectifier, and then only a convolution, uses their output."""
    uses = _count_uses(traced)
    for node, name, norm in list(calls(traced)):
        if not isinstance(norm, NORMS) or uses[name] != 1 or norm.running_var is None:
            continue
        rectifier = _only_user(node)
        user = _only_user(rectifier) if rectifier is not None and _is_rectifier(traced, rectifier) else None
        if user is None or user.op != "call_module" or uses[str(user.target)] != 1:
            continue
        layer = traced.get_submodule(str(user.target))
        if isinstance(layer, CONVOLUTIONS) and layer.groups == 1 and layer.padding_mode == "zeros":
            shift = Shift.of(norm, layer.weight.ndim - 2)
            traced.set_submodule(name, shift)
            traced.set_submodule(str(user.target), _scale_inputs(layer, shift.scale))
    traced.recompile()


class Shift(nn.Module):
    """The rest of a batch norm whose scale |s| is folded to the right: σ·x + t/|s|, σ the sign of s; t where s is 0."""

    sign: Tensor | None
    shift: Tensor

    def __init__(self, sign: Tensor | None, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("sign", sign)
        self.register_buffer("shift", shift)
        self.scale = scale

    @classmethod
    def of(cls, norm: _BatchNorm, spatial_axes: int) -> "Shift":
        """Make the shift of a batch norm in evaluation mode with its own statistics, for inputs with `spatial_axes`."""
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a batch norm without statistics uses those of the batch")
        spread = torch.sqrt(variance + norm.eps)
        scale = (torch.ones_like(spread) if norm.weight is None else norm.weight.detach()) / spread
        shift = (0 if norm.bias is None else norm.bias.detach()) - mean * scale
        size = torch.where(scale == 0, 1, scale.abs())
        shape = (-1, *(1,) * spatial_axes)
        sign = None if bool((scale > 0).all()) else torch.sign(scale).reshape(shape)
        return cls(sign, (shift / size).reshape(shape), size)

    def forward(self, x: Tensor) -> Tensor:
        """Compute σ·x + t/|s| in one pass over `x`."""
        return x + self.shift if self.sign is None else torch.addcmul(self.shift, x, self.sign)


def calls(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, str, nn.Module]]:
    """Yield every call of a layer with the layer's name and the layer."""
    for node in traced.graph.nodes:
        if node.op == "call_module":
            yield node, str(node.target), traced.get_submodule(str(node.target))


def _count_uses(traced: fx.GraphModule) -> dict[str, int]:
    uses: dict[str, int] = {}
    for _, name, _ in calls(traced):
        uses[name] = uses.get(name, 0) + 1
    return uses


def _scale_inputs(layer: Convolution, factor: Tensor) -> Convolution:
    scaled = copy.copy(layer)
    scaled._parameters = dict(layer._parameters)  # a dict of its own, so that `layer` keeps its weight
    weight = layer.weight.detach() * factor.reshape(1, -1, *(1,) * (layer.weight.ndim - 2))
    scaled.weight = nn.Parameter(weight, requires_grad=False)
    return scaled


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_rectifier(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))) is nn.ReLU
    return node.target in RECTIFIERS and len(node.all_input_nodes) == 1


def _has_hooked_container(module: nn.Module) -> bool:
    """True if a module with children has hooks: tracing replaces it by its children, and the hooks would be lost."""
    containers = (part for part in module.modules() if any(part.children()))
    return any(has_forward_hooks(container) for container in containers)


def has_forward_hooks(part: nn.Module) -> bool:
    """True if the module has forward hooks, so that it must not be replaced."""
    return bool(part._forward_hooks or part._forward_pre_hooks)
