"""One small network, as a module and as ONNX files in the many forms that exporters write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

RNG = np.random.default_rng(0)
KERNEL = (RNG.normal(size=(4, 13, 5, 5)) * 0.2).astype(np.float32)
DENSE = RNG.normal(size=(4, 3)).astype(np.float32)
BODY = "Conv", "Relu", "GlobalMaxPool"


class Twin(nn.Module):
    """The network in PyTorch: a convolution, a rectifier, the largest value of each feature, a linear layer."""

    def __init__(self, channels: int = 3, *, features: bool = False) -> None:
        super().__init__()
        self.kernel, self.dense, self.features = torch.tensor(KERNEL[:, :channels]), torch.tensor(DENSE), features

    def forward(self, x):
        features = nn.functional.conv2d(x, self.kernel).relu().amax((2, 3))
        return features if self.features else features @ self.dense


@dataclass
class Node:
    """An operation on the last result, or on `inputs`."""

    operation: str
    output: str = ""
    inputs: Sequence[str] = ()
    attributes: dict | None = None


def body(channels: int = 3, *, start: str = "x") -> list[Node]:
    """Up to the features (n, 4) in `f`."""
    return [
        Node("Conv", "c", (start, "kernel")),
        Node("Relu", "r"),
        Node("GlobalMaxPool", "p"),
        Node("Flatten", "f"),
    ]


def network(*after: Node, start: str = "x") -> list[Node]:
    """The whole network, with logits in `y`, and what comes after it."""
    return [*body(start=start), Node("MatMul", "y", ("f", "dense")), *after]


def write(
    path: Path,
    shape: Sequence[int | str | None],
    nodes: Sequence[Node],
    outputs: Sequence[str | tuple[str, int]],
    *,
    channels: int = 3,
    dtype: int = TensorProto.FLOAT,
    weights: type = np.float32,
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    ir: int = 8,
    external: str = "",
) -> Path:
    """An ONNX file; an output is a name, or a name and its type where that isn't the weights' type."""
    arrays = {"kernel": KERNEL[:, :channels].astype(weights), "dense": DENSE.astype(weights), **(constants or {})}
    made, last = [], "x"
    for node in nodes:
        made.append(
            helper.make_node(node.operation, list(node.inputs or (last,)), [node.output], **node.attributes or {})
        )
        last = node.output
    usual = helper.np_dtype_to_tensor_dtype(np.dtype(weights))
    named = [(each, usual) if isinstance(each, str) else each for each in outputs]
    graph = helper.make_graph(
        made,
        "network",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in named],
        [numpy_helper.from_array(values, name) for name, values in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir
    path.parent.mkdir(exist_ok=True)
    kept = {"save_as_external_data": True, "location": external, "size_threshold": 0} if external else {}
    onnx.save(model, str(path), **kept)
    return path
