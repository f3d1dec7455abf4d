"""Rewrites a network into the form that rules on layers need: every step is a layer, and batch norms are folded."""

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from unveil.classifiers.engine.folding import fold_into_previous
from unveil.errors import AttributionError, first_line

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
RECTIFIERS = {
    **dict.fromkeys((functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_"), nn.ReLU),
    functional.relu6: nn.ReLU6,
}
POOLS = {
    functional.avg_pool1d: nn.AvgPool1d,
    functional.avg_pool2d: nn.AvgPool2d,
    functional.avg_pool3d: nn.AvgPool3d,
    functional.adaptive_avg_pool1d: nn.AdaptiveAvgPool1d,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    functional.adaptive_avg_pool3d: nn.AdaptiveAvgPool3d,
}
MEANS = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
WITH_WEIGHTS = {  # functions that take weights, with the names of their arguments
    functional.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    functional.linear: ("input", "weight", "bias"),
}

MakeLayer = Callable[[], nn.Module]


def to_canonical_form(network: nn.Module, make_sum: MakeLayer) -> fx.GraphModule:
    """Trace a network that computes the same function, for rules that hook layers; `network` itself is modified.

    A layer used n times becomes n layers. Additions of two tensors become layers made by `make_sum`, which sum a stack
    along its last axis. ReLUs, batch norms, linear layers, average pools and means over all positions that are written
    as functions become layers, too. A batch norm that directly follows a convolution or a linear layer is folded into
    it. Layers are in the order of their first use. Raises `AttributionError` for a network that torch.fx can't trace.
    """
    try:
        traced = fx.symbolic_trace(network)
    except Exception as error:
        advice = "use Captum('IntegratedGradients') or Gradient()"
        raise AttributionError("a network that torch.fx can trace", first_line(error), advice) from error
    _copy_reused_layers(traced)
    for node in list(traced.graph.nodes):
        if node.op in ("call_function", "call_method"):
            _replace_function(traced, node, make_sum)
    fold_into_previous(traced)
    traced.graph.lint()
    return fx.GraphModule(traced, traced.graph)  # made again, so that layers are in the order of their use


def _copy_reused_layers(traced: fx.GraphModule) -> None:
    """Make one layer per call, because rules store a layer's input: a second call would overwrite the first."""
    used = set()
    for node in traced.graph.nodes:
        if node.op == "call_module":
            if node.target in used:
                layer = copy.deepcopy(traced.get_submodule(node.target))
                node.target = f"again_{node.name}"
                traced.add_submodule(node.target, layer)
            used.add(node.target)
    traced.recompile()


def _replace_function(traced: fx.GraphModule, node: fx.Node, make_sum: MakeLayer) -> None:
    """Replace a function by a layer if there is an equivalent one."""
    tensors = [argument for argument in node.args if isinstance(argument, fx.Node)]
    if node.target in ADDITIONS and len(tensors) == len(node.args) == 2 and not node.kwargs:
        with traced.graph.inserting_before(node):
            # A stack needs equal shapes.
            broadcast = traced.graph.call_function(torch.broadcast_tensors, tuple(tensors))
            stacked = traced.graph.call_function(torch.stack, (broadcast,), {"dim": -1})
        _replace(traced, node, make_sum(), stacked)
    elif node.target in WITH_WEIGHTS:
        if layer := _layer_with_weights(traced, node):
            _replace(traced, node, layer, tensors[0])
    elif len(tensors) != 1 or node.args[0] is not tensors[0]:
        return
    elif node.target in RECTIFIERS:
        _replace(traced, node, RECTIFIERS[node.target](), tensors[0])
    elif node.target in POOLS:
        _replace(traced, node, POOLS[node.target](*node.args[1:], **node.kwargs), tensors[0])
    elif node.target in (torch.mean, "mean") and (axes := _count_spatial_axes(node)):
        mean = _replace(traced, node, MEANS[axes](1), tensors[0])
        if not node.kwargs.get("keepdim", len(node.args) > 2 and node.args[2]):
            with traced.graph.inserting_after(mean):
                flat = traced.graph.call_function(torch.flatten, (mean, 1))
            mean.replace_all_uses_with(flat, lambda user: user is not flat)


def _layer_with_weights(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """Make a layer with the weights passed to a function; None if they are computed and not the network's own."""
    arguments: dict[str, Any] = {**dict(zip(WITH_WEIGHTS[node.target], node.args, strict=False)), **node.kwargs}
    x, training = arguments.pop("input"), arguments.pop("training", False)
    weights = {name: value for name, value in arguments.items() if isinstance(value, fx.Node)}
    if training or x is not node.args[0] or any(weight.op != "get_attr" for weight in weights.values()):
        return None
    tensors = {name: operator.attrgetter(str(weight.target))(traced).detach() for name, weight in weights.items()}
    if node.target is functional.linear:
        layer = nn.Linear(*reversed(tensors["weight"].shape), bias="bias" in tensors)
    else:
        if not {"running_mean", "running_var"} <= set(tensors):
            return None
        layer = nn.BatchNorm2d(len(tensors["running_mean"]), arguments.get("eps", 1e-5), affine="weight" in tensors)
    layer.load_state_dict(tensors, strict=False, assign=True)
    return layer.eval().requires_grad_(False)


def _count_spatial_axes(node: fx.Node) -> int:
    """Count the axes of a mean if they are all spatial axes (those after the channels), else return 0."""
    axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if not isinstance(axes, list | tuple) or len(axes) not in MEANS or not set(node.kwargs) <= {"dim", "keepdim"}:
        return 0
    count = len(axes)
    return count if set(axes) in ({*range(2, count + 2)}, {*range(-count, 0)}) else 0


def _replace(traced: fx.GraphModule, node: fx.Node, layer: nn.Module, argument: fx.Node) -> fx.Node:
    name = f"layer_of_{node.name}"
    traced.add_submodule(name, layer)
    with traced.graph.inserting_after(node):
        call = traced.graph.call_module(name, (argument,))
    node.replace_all_uses_with(call)
    traced.graph.erase_node(node)
    return call
