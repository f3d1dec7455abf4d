"""Records which steps of a forward pass are inside layers that have a rule, and which are not."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from unveil.attribution.rules import graph_nodes

# Steps that move values or pick the largest one: relevance passes them by their own derivative.
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
    """Context manager that records a forward pass: `order` lists the layers with a rule, once per call.

    Rules are hooks on layers, so a step outside such a layer silently keeps its plain derivative. `steps_outside` lists
    those steps, from the graph that autograd recorded.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self.order: list[nn.Module] = []
        self._layers = list(layers)
        self._entries: dict[nn.Module, list[Node]] = {}
        self._inside: dict[Node, list[Node]] = {}  # from a layer's last step to those before its first
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> "Coverage":
        """Register the hooks: before all other hooks on inputs, and after them on outputs."""
        for layer in self._layers:
            self._handles.append(layer.register_forward_pre_hook(self._enter, prepend=True))
            self._handles.append(layer.register_forward_hook(self._leave))
        return self

    def __exit__(self, *failed: object) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def steps_outside(self, output: Tensor) -> Iterator[Node]:
        """Yield each step that led to `output` and isn't inside a layer with a rule."""
        return graph_nodes(output, self._inside)

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._entries[layer] = [
            value.grad_fn for value in inputs if isinstance(value, Tensor) and value.grad_fn is not None
        ]

    def _leave(self, layer: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self.order.append(layer)
        if isinstance(output, Tensor) and output.grad_fn is not None:
            self._inside[output.grad_fn] = self._entries[layer]


def only_moves_values(node: Node) -> bool:
    """True for a step that only moves values or picks one of them."""
    return node.name().rstrip("0123456789") in MOVES


def count_by_name(nodes: Iterable[Node]) -> str:
    """Format steps by name with their number: `2 × Mul, 1 × Add`."""
    names = Counter(node.name().rstrip("0123456789").removesuffix("Backward") for node in nodes)
    return ", ".join(f"{count} × {name}" for name, count in names.most_common())
