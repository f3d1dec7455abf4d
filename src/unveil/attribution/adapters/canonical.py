"""A network in the form that rules for layers need: every step a layer, and no batch norm after a linear one."""

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from unveil.classifiers.engine.folding import fold_batch_norms
from unveil.errors import AttributionError

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
WITH_WEIGHTS = {  # and what they are given, in order
    functional.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    functional.linear: ("input", "weight", "bias"),
}

Make = Callable[[], nn.Module]


def canonical(network: nn.Module, total: Make) -> fx.GraphModule:
    """The same function as a traced network, for rules that are hung on layers.

    A layer used n times becomes n layers. Additions of two tensors become layers made by `total` (which sum a stack
    along its last axis), and so do ReLUs, batch norms, linear layers, average pools and means over all places that are
    written as functions. A batch norm that directly follows a convolution or a linear layer is folded into it. Layers
    stand in the order in which they are first used. Raises `AttributionError` for a network that torch.fx can't trace;
    the network given is used up.
    """
    try:
        traced = fx.symbolic_trace(network)
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise AttributionError(
            "a network that torch.fx can trace", said, "use Captum('IntegratedGradients') or Gradient()"
        ) from error
    _one_use_each(traced)
    for node in list(traced.graph.nodes):
        if node.op in ("call_function", "call_method"):
            _as_layer(traced, node, total)
    fold_batch_norms(traced)
    traced.graph.lint()
    return fx.GraphModule(traced, traced.graph)  # anew, for the order of the layers


def _one_use_each(traced: fx.GraphModule) -> None:
    """Rules remember what a layer was given: a second use would write over the first."""
    used = set()
    for node in traced.graph.nodes:
        if node.op == "call_module":
            if node.target in used:
                layer = copy.deepcopy(traced.get_submodule(node.target))
                node.target = f"again_{node.name}"
                traced.add_submodule(node.target, layer)
            used.add(node.target)
    traced.recompile()


def _as_layer(traced: fx.GraphModule, node: fx.Node, total: Make) -> None:
    """Put a layer in the place of a function, where it is one of ours."""
    tensors = [argument for argument in node.args if isinstance(argument, fx.Node)]
    if node.target in ADDITIONS and len(tensors) == len(node.args) == 2 and not node.kwargs:
        with traced.graph.inserting_before(node):
            # Stacked they have one shape.
            alike = traced.graph.call_function(torch.broadcast_tensors, tuple(tensors))
            stacked = traced.graph.call_function(torch.stack, (alike,), {"dim": -1})
        _replace(traced, node, total(), stacked)
    elif node.target in WITH_WEIGHTS:
        if layer := _with_weights(traced, node):
            _replace(traced, node, layer, tensors[0])
    elif len(tensors) != 1 or node.args[0] is not tensors[0]:
        return
    elif node.target in RECTIFIERS:
        _replace(traced, node, RECTIFIERS[node.target](), tensors[0])
    elif node.target in POOLS:
        _replace(traced, node, POOLS[node.target](*node.args[1:], **node.kwargs), tensors[0])
    elif node.target in (torch.mean, "mean") and (axes := _axes_of_places(node)):
        mean = _replace(traced, node, MEANS[axes](1), tensors[0])
        if not node.kwargs.get("keepdim", len(node.args) > 2 and node.args[2]):
            with traced.graph.inserting_after(mean):
                flat = traced.graph.call_function(torch.flatten, (mean, 1))
            mean.replace_all_uses_with(flat, lambda user: user is not flat)


def _with_weights(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """A layer with the weights that a function is given, where they are the network's own and not computed."""
    given: dict[str, Any] = {**dict(zip(WITH_WEIGHTS[node.target], node.args, strict=False)), **node.kwargs}
    x, training = given.pop("input"), given.pop("training", False)
    found = {name: one for name, one in given.items() if isinstance(one, fx.Node)}
    if training or x is not node.args[0] or any(one.op != "get_attr" for one in found.values()):
        return None
    tensors = {name: operator.attrgetter(str(one.target))(traced).detach() for name, one in found.items()}
    if node.target is functional.linear:
        layer = nn.Linear(*reversed(tensors["weight"].shape), bias="bias" in tensors)
    else:
        if not {"running_mean", "running_var"} <= set(tensors):
            return None
        layer = nn.BatchNorm2d(len(tensors["running_mean"]), given.get("eps", 1e-5), affine="weight" in tensors)
    layer.load_state_dict(tensors, strict=False, assign=True)
    return layer.eval().requires_grad_(False)


def _axes_of_places(node: fx.Node) -> int:
    """How many axes a mean is over, if they are all after the channels; else 0."""
    axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if not isinstance(axes, list | tuple) or len(axes) not in MEANS or not set(node.kwargs) <= {"dim", "keepdim"}:
        return 0
    count = len(axes)
    return count if set(axes) in ({*range(2, count + 2)}, {*range(-count, 0)}) else 0


def _replace(traced: fx.GraphModule, node: fx.Node, layer: nn.Module, argument: fx.Node) -> fx.Node:
    name = f"layer_of_{node.name}"
    traced.add_submodule(name, layer)
    with traced.graph.inserting_after(node):
        made = traced.graph.call_module(name, (argument,))
    node.replace_all_uses_with(made)
    traced.graph.erase_node(node)
    return made
