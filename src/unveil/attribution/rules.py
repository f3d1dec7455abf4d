"""Backward rules for rectifiers, written onto the autograd graph itself.

A rectifier y = max(x, 0) passes back, for the gradient g that arrives at its output:

| rule      | passes            | source                     |
|-----------|-------------------|----------------------------|
| plain     | g · [x > 0]       | Simonyan et al. 2013       |
| deconvnet | max(g, 0)         | Zeiler & Fergus 2014       |
| guided    | max(g, 0) · [x > 0] | Springenberg et al. 2014 |

Other tools hang these rules on `nn.ReLU` modules, and so miss `F.relu`, `torch.relu`, `x.clamp(min=0)`, rectifiers
inside scripted code, and get modules wrong that are reused. Every rectifier that a forward pass really used, however
it was called, is one node of the graph that autograd recorded, so that is where the rules go: no module is touched,
nothing has to be undone, and what was overridden can be counted. A graph in which the rule isn't defined is refused.
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
    # A rectifier may hide in these, as torch.maximum(x, zeros) or torch.where(x > 0, x, 0), and can't be told apart.
    "MaximumBackward": "torch.maximum",
    "WhereBackward": "torch.where",
}
# These keep their own derivative under every rule: gates and attention weights, not the units of the network.
KEPT = {
    "SigmoidBackward": "sigmoid",
    "TanhBackward": "tanh",
    "SoftmaxBackward": "softmax",
    "HardsigmoidBackward": "hardsigmoid",
}
# Whole pieces of network that autograd sees as one node: what is inside can't be known.
OPAQUE = ("DifferentiableGraph", "CompiledFunction", "CheckpointFunction")


@dataclass(frozen=True)
class RuleReport:
    """What a rule met in a graph: nonlinearities by name, with their number.

    `overridden`: rectifiers that got the rule. `kept`: gates (sigmoid, softmax, …) that kept their own derivative.
    """

    overridden: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of rectifiers overridden."""
        return sum(self.overridden.values())


class BackwardRule(ABC):
    """What a rectifier does to the gradient on its way back."""

    @abstractmethod
    def override(self, rectifier: Node) -> None:
        """Write the rule onto one rectifier's node."""

    def attach(self, output: torch.Tensor) -> RuleReport:
        """Write the rule onto every rectifier of the graph behind `output`, and report what was met.

        Raises `AttributionError` where the graph has no rectifier, or has nonlinearities the rule isn't defined for.
        """
        overridden, kept, undefined, rectifiers = Counter(), Counter(), Counter(), []
        for node in nodes(output):
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
        """Clamp what arrives, and let the node's own backward do the rest."""
        rectifier.register_prehook(_positive_part)


@dataclass(frozen=True)
class Deconv(BackwardRule):
    """Pass max(g, 0), whatever the input was; at a ReLU6 too."""

    def override(self, rectifier: Node) -> None:
        """Replace what the node passes on."""
        rectifier.register_hook(lambda passed, arrived: (*_positive_part(arrived), *passed[1:]))


def nodes(output: torch.Tensor, around: Mapping[Node, Sequence[Node]] = MappingProxyType({})) -> Iterator[Node]:
    """Every node of the autograd graph behind a tensor, once; in place of a node in `around`, and of those behind it,
    the nodes that it names."""
    seen: set[Node] = set()
    waiting = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in around:
            waiting.extend(around[node])
            continue
        yield node
        waiting.extend(parent for parent, _ in node.next_functions)


def rectifier_name(node: Node) -> str | None:
    """`ReLU` or `ReLU6` if the node is a rectifier: relu, threshold(x, 0, 0), clamp(min=0), hardtanh(0, b), clamp(0,
    b)."""
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
    met = [f"{count} × {name}" for name, count in undefined.most_common()]
    got = "a model with " + ", ".join(met) if met else "a model without any rectifier"
    if overridden and met:
        got += f" beside {sum(overridden.values())} rectifiers"
    return AttributionError(
        f"rectifiers only (ReLU, ReLU6) for the backward rule {rule}", got, "use Gradient() for this model"
    )
