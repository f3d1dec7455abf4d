"""Backward rules for rectifiers, registered on the autograd graph itself.

A rectifier y = max(x, 0) passes back, for the gradient g that arrives at its output:

| rule      | passes            | source                     |
|-----------|-------------------|----------------------------|
| plain     | g · [x > 0]       | Simonyan et al. 2013       |
| deconvnet | max(g, 0)         | Zeiler & Fergus 2014       |
| guided    | max(g, 0) · [x > 0] | Springenberg et al. 2014 |

Other tools hook `nn.ReLU` modules, and so miss `F.relu`, `torch.relu`, `x.clamp(min=0)` and rectifiers in scripted
code, and are wrong for modules that are used twice. Every rectifier that a forward pass used, however it was called, is
one node of the graph that autograd recorded. Rules are registered on these nodes: no module is changed, nothing has to
be undone, and the overridden nodes can be counted. A graph for which the rule isn't defined is refused.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch.autograd.graph import Node

from unveil.errors import AttributionError

# Elementwise nonlinearities with another shape than a rectifier: max(g, 0) has no agreed meaning for them.
UNDEFINED = {
    "SiluBackward": "SiLU",
    "GeluBackward": "GELU",
    "EluBackward": "ELU",
    "CeluBackward": "CELU",
    "LeakyReluBackward": "LeakyReLU",
    "PreluKernelBackward": "PReLU",
    "RreluWithNoiseBackward": "RReLU",
    "HardswishBackward": "Hardswish",
    "MishBackward": "Mish",
    "SoftplusBackward": "Softplus",
    "LogSigmoidBackward": "LogSigmoid",
    "HardshrinkBackward": "Hardshrink",
    "SoftshrinkBackward": "Softshrink",
    # These may be rectifiers, as torch.maximum(x, zeros) or torch.where(x > 0, x, 0), which can't be detected.
    "MaximumBackward": "torch.maximum",
    "WhereBackward": "torch.where",
}
# These keep their own derivative under every rule: they are gates and attention weights, not units of the network.
KEPT = {
    "SigmoidBackward": "sigmoid",
    "TanhBackward": "tanh",
    "SoftmaxBackward": "softmax",
    "HardsigmoidBackward": "hardsigmoid",
}
# Parts of a network that are one node for autograd, so that their operations are unknown.
OPAQUE = ("DifferentiableGraph", "CompiledFunction", "CheckpointFunction")


@dataclass(frozen=True)
class RuleReport:
    """The nonlinearities of a graph that a rule was applied to, by name, with their number.

    `overridden`: rectifiers that the rule was applied to. `kept`: gates (sigmoid, softmax, …) that kept their own
    derivative.
    """

    overridden: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of rectifiers overridden."""
        return sum(self.overridden.values())


class BackwardRule(ABC):
    """Base class of rules for the gradient that a rectifier passes back."""

    @abstractmethod
    def override(self, rectifier: Node) -> None:
        """Register the rule on the node of one rectifier."""

    def attach(self, output: torch.Tensor) -> RuleReport:
        """Register the rule on every rectifier of the graph that computed `output`, and report the nonlinearities.

        Raises `AttributionError` for a graph without a rectifier, or with nonlinearities that the rule isn't defined
        for.
        """
        overridden, kept, undefined, rectifiers = Counter(), Counter(), Counter(), []
        for node in graph_nodes(output):
            if name := rectifier_name(node):
                overridden[name] += 1
                rectifiers.append(node)
            elif name := _named(node, KEPT):
                kept[name] += 1
            elif name := _named(node, UNDEFINED) or _opaque(node):
                undefined[name] += 1
        if undefined or not rectifiers:
            raise _refusal(type(self).__name__, overridden, undefined)
        for node in rectifiers:
            self.override(node)
        return RuleReport(dict(overridden), dict(kept))


@dataclass(frozen=True)
class Guided(BackwardRule):
    """Pass max(g, 0) · [x > 0]; at a ReLU6, max(g, 0) · [0 < x < 6]: the positive part, then the unit's own
    derivative."""

    def override(self, rectifier: Node) -> None:
        """Clamp the gradient before the node's own backward pass."""
        rectifier.register_prehook(_positive_part)


@dataclass(frozen=True)
class Deconv(BackwardRule):
    """Pass max(g, 0) for any input, also at a ReLU6."""

    def override(self, rectifier: Node) -> None:
        """Replace the gradient that the node passes back."""
        rectifier.register_hook(lambda passed, received: (*_positive_part(received), *passed[1:]))


def graph_nodes(
    output: torch.Tensor, shortcuts: Mapping[Node, Sequence[Node]] = MappingProxyType({})
) -> Iterator[Node]:
    """Yield every node of the autograd graph of a tensor once.

    `shortcuts` maps a node to the nodes where the walk continues; the node itself is left out.
    """
    visited: set[Node] = set()
    pending = [output.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if node in shortcuts:
            pending.extend(shortcuts[node])
            continue
        yield node
        pending.extend(parent for parent, _ in node.next_functions)


def rectifier_name(node: Node) -> str | None:
    """`ReLU` or `ReLU6` for the node of a rectifier, else None.

    Rectifiers are relu, threshold(x, 0, 0), clamp(min=0), hardtanh(0, b) and clamp(0, b).
    """
    name = node.name()
    if name.startswith("ReluBackward"):
        return "ReLU"
    if name.startswith("ThresholdBackward"):
        return "ReLU" if _saved(node, "threshold") == 0 else None
    if name.startswith("ClampMinBackward"):
        return "ReLU" if _saved(node, "min") == 0 else None
    if name.startswith("HardtanhBackward"):
        return "ReLU6" if _saved(node, "min_val") == 0 else None
    if name.startswith("ClampBackward") and _saved(node, "min") == 0:
        return "ReLU" if _saved(node, "max") is None else "ReLU6"
    return None


def _saved(node: Node, name: str) -> object:
    return getattr(node, f"_saved_{name}", None)


def _positive_part(gradients: tuple) -> tuple:
    return tuple(None if gradient is None else gradient.clamp(min=0) for gradient in gradients)


def _named(node: Node, names: dict[str, str]) -> str | None:
    # Autograd numbers its classes by overload: SoftmaxBackward0, LogSigmoidBackward1, …
    return names.get(node.name().rstrip("0123456789"))


def _opaque(node: Node) -> str | None:
    name = node.name()
    if isinstance(node, torch.autograd.function.BackwardCFunction) or any(part in name for part in OPAQUE):
        return f"the custom function {name}"
    return None


def _refusal(rule: str, overridden: Counter, undefined: Counter) -> AttributionError:
    names = [f"{count} × {name}" for name, count in undefined.most_common()]
    got = "a model with " + ", ".join(names) if names else "a model without any rectifier"
    if overridden and names:
        got += f" and {sum(overridden.values())} rectifiers"
    return AttributionError(
        f"rectifiers only (ReLU, ReLU6) for the backward rule {rule}", got, "use Gradient() for this model"
    )
