"""What an ONNX file says beside its inputs and outputs: its last operations, and the files that hold its weights.

onnxruntime tells neither, so the file is read here: a protocol buffer, of which six kinds of messages matter.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Messages within messages: kind -> {number of the field: kind of the message in it}.
_NESTED = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_DEEPEST = 32  # messages within messages, at most
_MOVING = {"Identity", "Cast", "CastLike", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
_MOVING |= {"QuantizeLinear", "DequantizeLinear", "Slice", "Gather", "Split", "Expand"}
_MIXING = {"Add", "Sum", "Mean", "ReduceMean", "Mul", "Div", "Concat"}  # also of several networks' probabilities


@dataclass
class OnnxGraph:
    """The operations of the main graph by what they compute, and all files that weights lie in."""

    producers: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    locations: set[str] = field(default_factory=set)

    def last_operations(self, output: str) -> frozenset[str]:
        """Types of the operations that `output` is made of, behind those that only move, average or scale numbers.

        Empty if the graph isn't known.
        """
        names, seen, last = [output], set(), set()
        while names:
            name = names.pop()
            if name in seen or name not in self.producers:
                continue
            seen.add(name)
            operation, inputs = self.producers[name]
            if operation in _MIXING:
                names += inputs
            elif operation in _MOVING:
                names += inputs[:1]
            else:
                last.add(operation)
                names += inputs[:1] if operation == "Clip" else ()  # of probabilities, or what makes them
        return frozenset(last)


def read_onnx_graph(path: Path) -> OnnxGraph:
    """The graph of a file; an empty one for a file of another format, which onnxruntime may be able to read."""
    graph = OnnxGraph()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _collect(content, (0, len(content)), "model", graph, 0)
    except (ValueError, OSError):
        return OnnxGraph()
    return graph


def _collect(content: mmap.mmap, part: tuple[int, int], kind: str, graph: OnnxGraph, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("messages nested too deeply")
    texts: dict[int, list[tuple[int, int]]] = {}
    for number, inner in _fields(content, *part):
        nested = _NESTED.get(kind, {}).get(number)
        if nested is not None:
            _collect(content, inner, nested, graph, depth + 1)
        elif kind in ("node", "external"):
            texts.setdefault(number, []).append(inner)
    if kind == "node" and depth == 2:  # model, graph, node: not those of branches and functions
        inputs, outputs, operations = (
            tuple(_text(content, inner) for inner in texts.get(number, [])) for number in (1, 2, 4)
        )
        graph.producers |= dict.fromkeys(outputs, ("".join(operations), inputs))
    if kind == "external" and [_text(content, key) for key in texts.get(1, [])] == ["location"]:
        graph.locations |= {_text(content, value) for value in texts.get(2, [])}


def _fields(content: mmap.mmap, start: int, stop: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Number and place of every field that has a length; raises `ValueError` where none can be."""
    while start < stop:
        tag, start = _varint(content, start, stop)
        match tag & 7:
            case 0:
                _, start = _varint(content, start, stop)
            case 1:
                start += 8
            case 2:
                length, start = _varint(content, start, stop)
                if start + length > stop:
                    raise ValueError("a field beyond the end")
                yield tag >> 3, (start, start + length)
                start += length
            case 5:
                start += 4
            case _:
                raise ValueError("not a protocol buffer")


def _varint(content: mmap.mmap, start: int, stop: int) -> tuple[int, int]:
    value = 0
    for place in range(start, min(start + 10, stop)):
        value |= (content[place] & 127) << 7 * (place - start)
        if content[place] < 128:
            return value, place + 1
    raise ValueError("a number without an end")


def _text(content: mmap.mmap, part: tuple[int, int]) -> str:
    return content[slice(*part)].decode("utf-8")
