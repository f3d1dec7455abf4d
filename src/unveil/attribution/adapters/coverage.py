"""Which steps of a forward pass stood inside layers that have a rule, and which did not."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from unveil.attribution.rules import nodes

# Steps that bring a value from one place to another, or pick the largest: their own derivative is the right way back.
MOVES = frozenset(
    f"{name}Backward"
    for name in (
        *("View", "UnsafeView", "ReshapeAlias", "Alias", "AsStrided", "Permute", "Transpose", "T", "Squeeze"),
        *("Unsqueeze", "Clone", "ToCopy", "Cat", "Stack", "Slice", "Select", "Split", "SplitWithSizes", "Unbind"),
        *("Index", "IndexSelect", "Narrow", "ConstantPadNd", "Expand", "PixelShuffle", "PixelUnshuffle", "Roll"),
        *("Flip", "MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D"),
        *("UpsampleNearest1D", "UpsampleNearest2D", "UpsampleNearest3D", "Amax", "Max"),
    )
) | {"torch::autograd::AccumulateGrad"}  # fmt: skip


class Coverage:
    """Watches a forward pass, within a `with`: `order` has the layers with a rule as often as they were used.

    Rules are hung on layers, so a step of the network that isn't inside one of them keeps its plain derivative without
    a word. `outside` names those steps, from the graph that autograd recorded.
    """

    def __init__(self, ruled: Iterable[nn.Module]) -> None:
        self.order: list[nn.Module] = []
        self._ruled = list(ruled)
        self._entries: dict[nn.Module, list[Node]] = {}
        self._inside: dict[Node, list[Node]] = {}  # from a layer's last step to those before its first
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> "Coverage":
        """Begin to watch; before any hook that is there already sees the input, and after it has seen the output."""
        for layer in self._ruled:
            self._handles.append(layer.register_forward_pre_hook(self._enter, prepend=True))
            self._handles.append(layer.register_forward_hook(self._leave))
        return self

    def __exit__(self, *failed: object) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def outside(self, output: Tensor) -> Iterator[Node]:
        """Every step behind a result that is in no layer with a rule, once."""
        return nodes(output, self._inside)

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._entries[layer] = [one.grad_fn for one in inputs if isinstance(one, Tensor) and one.grad_fn is not None]

    def _leave(self, layer: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self.order.append(layer)
        if isinstance(output, Tensor) and output.grad_fn is not None:
            self._inside[output.grad_fn] = self._entries[layer]


def moves(node: Node) -> bool:
    """Whether a step only moves values or picks one of them."""
    return node.name().rstrip("0123456789") in MOVES


def counted(nodes: Iterable[Node]) -> str:
    """Steps by name, with their number: `2 × Mul, 1 × Add`."""
    names = Counter(node.name().rstrip("0123456789").removesuffix("Backward") for node in nodes)
    return ", ".join(f"{count} × {name}" for name, count in names.most_common())
