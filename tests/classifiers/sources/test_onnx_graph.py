"""What the file's reader finds is what the onnx package finds; damaged files have nothing to say."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_files import Node, network, write

from unveil.classifiers.sources.onnx_graph import OnnxGraph, read_onnx_graph

SHAPE = ["n", 3, 64, 64]
HALF = {"half": np.float32(0.5)}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([], {"MatMul"}),
        ([Node("Softmax", "z", ("y",))], {"Softmax"}),
        ([Node("Sigmoid", "s", ("y",)), Node("Unsqueeze", "u", ("s", "axes")), Node("Identity", "z")], {"Sigmoid"}),
        # The mean of two networks' probabilities.
        (
            [Node("Sigmoid", "s", ("y",)), Node("Softmax", "t", ("y",)), Node("Add", "a", ("s", "t")), Node("Mul", "z", ("a", "half"))],
            {"Sigmoid", "Softmax"},
        ),
        ([Node("Sigmoid", "s", ("y",)), Node("Clip", "z")], {"Sigmoid", "Clip"}),
        ([Node("Sigmoid", "s", ("y",)), Node("Sub", "z", ("s", "half"))], {"Sub"}),
        ([Node("Relu", "z", ("y",))], {"Relu"}),
    ],
)  # fmt: skip
def test_last_operations(after, expected, tmp_path):
    out = after[-1].output if after else "y"
    constants = {**HALF, "axes": np.array([2], np.int64)}
    path = write(tmp_path / "net.onnx", SHAPE, network(*after), [out], constants=constants)
    graph = read_onnx_graph(path)
    assert graph.last_operations(out) == expected
    assert graph.last_operations("no such output") == frozenset()
    # The onnx package reads the same nodes.
    nodes = onnx.load(path).graph.node
    assert graph.producers == {node.output[0]: (node.op_type, tuple(node.input)) for node in nodes}


def test_files_with_weights_are_found_wherever_they_are_named(tmp_path):
    """In the graph, in the branch of an If, and in an attribute."""

    def outside(name: str, location: str) -> TensorProto:
        tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
        onnx.external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
        return tensor

    branch = helper.make_graph([helper.make_node("Constant", [], ["b"], value=outside("v", "branch.bin"))], "g", [], [])
    branch.initializer.append(outside("i", "inner.bin"))
    nodes = [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
    graph = helper.make_graph(nodes, "g", [], [], [outside("w", "graph.bin"), outside("w", "sub/folder.bin")])
    path = tmp_path / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    found = read_onnx_graph(path)
    assert found.locations == {"branch.bin", "inner.bin", "graph.bin", "sub/folder.bin"}
    # Nodes of branches aren't nodes of the graph.
    assert set(found.producers) == {"y"}


def test_whatever_the_bytes_are_reading_ends_with_a_graph(tmp_path):
    """Cut at every place, and with every byte of the beginning changed; a third of the cuts are between messages."""
    whole = write(tmp_path / "net.onnx", SHAPE, network(), ["y"]).read_bytes()
    path = tmp_path / "damaged.onnx"
    nothing = 0
    for number in range(400):
        path.write_bytes(whole[:number])
        nothing += read_onnx_graph(path) == OnnxGraph()
        path.write_bytes(whole[:number] + bytes([whole[number] ^ 0xFF]) + whole[number + 1 :])
        read_onnx_graph(path)
    assert nothing > 300
    for content in (b"", b"hello", b"\x3a\xff\xff\xff\xff\x0f", b"\x80" * 40, b"\x3a\x02\x3a"):
        path.write_bytes(content)
        assert read_onnx_graph(path) == OnnxGraph()


def test_messages_nested_without_end_are_left(tmp_path):
    """A graph in an attribute of a node of a graph in an attribute …, a thousand deep."""
    graph = b""
    for _ in range(1000):
        attribute = b"\x32" + length(graph) + graph
        node = b"\x2a" + length(attribute) + attribute
        graph = b"\x0a" + length(node) + node
    path = tmp_path / "deep.onnx"
    path.write_bytes(b"\x3a" + length(graph) + graph)
    assert read_onnx_graph(path) == OnnxGraph()


def length(content: bytes) -> bytes:
    """A length as a protocol buffer writes it."""
    number, written = len(content), bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])
