"""ONNX files of every form give the logits of the network in PyTorch that they were made of, or are refused."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx_files import DENSE, Node, Twin, body, network, write

import unveil
from unveil.classifiers import Preprocessing, Returns, TorchClassifier
from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from unveil.errors import ClassifierError
from unveil.predictions import Output

SIZE = 64
SQUARE = Preprocessing.square(SIZE, IMAGENET_MEAN, IMAGENET_STD)
PIXELS = torch.rand((5, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
NHWC = Node("Transpose", "t", ("x",), {"perm": [0, 3, 1, 2]})
ROWS = {"rows": np.array([4, 4], np.int64)}
MAP = {"map": DENSE.T[:, :, None, None].copy()}


def torch_logits(preprocessing=SQUARE, pixels=PIXELS, module=None):
    with torch.no_grad():
        return TorchClassifier(module or Twin(preprocessing.channels), preprocessing).logits(pixels).numpy()


def logits_of(path, pixels=PIXELS, **options):
    """Of the file, as a classifier that isn't expected to warn."""
    classifier = unveil.load_classifier(f"onnx/{path}", **options)
    return classifier.logits(pixels).numpy()


FORMS = {
    "any batch": (["n", 3, SIZE, SIZE], network(), ["y"], {}),
    "one image": ([1, 3, SIZE, SIZE], network(), ["y"], {}),
    "four images": (
        [4, 3, SIZE, SIZE],
        [*body()[:3], Node("Reshape", "f", ("p", "rows")), Node("MatMul", "y", ("f", "dense"))],
        ["y"],
        {"constants": ROWS},
    ),
    "a batch that is said to be free and is one": (
        ["n", 3, SIZE, SIZE],
        [*body()[:3], Node("Reshape", "f", ("p", "row")), Node("MatMul", "y", ("f", "dense"))],
        ["y"],
        {"constants": {"row": np.array([1, 4], np.int64)}},
    ),
    "channels last": (["n", SIZE, SIZE, 3], [NHWC, *network(start="t")], ["y"], {}),
    "map of one pixel": (
        ["n", 3, SIZE, SIZE],
        [*body()[:3], Node("Conv", "z", ("p", "map"))],
        ["z"],
        {"constants": MAP},
    ),
    "label first": (
        ["n", 3, SIZE, SIZE],
        network(Node("ArgMax", "l", ("y",), {"axis": 1, "keepdims": 0})),
        [("l", TensorProto.INT64), "y"],
        {},
    ),
    "double": (
        ["n", 3, SIZE, SIZE],
        [Node("Cast", "t", ("x",), {"to": TensorProto.FLOAT}), *network(start="t")],
        ["y"],
        {"dtype": TensorProto.DOUBLE},
    ),
    "weights in a file beside it": (["n", 3, SIZE, SIZE], network(), ["y"], {"external": "weights.bin"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_logits_of_pytorch(form, tmp_path):
    shape, nodes, outputs, options = FORMS[form]
    path = write(tmp_path / "net.onnx", shape, nodes, outputs, **options)
    np.testing.assert_allclose(logits_of(path), torch_logits(), atol=1e-4)
    # The image on its own, too: padding of a batch doesn't matter.
    np.testing.assert_allclose(logits_of(path, PIXELS[:1]), torch_logits()[:1], atol=1e-4)


@pytest.mark.parametrize("shape", [["n", "c", "h", "w"], [None, 3, None, None], ["n", 3, "h", SIZE]])
def test_sides_that_the_file_leaves_open_are_those_of_the_preprocessing(shape, tmp_path):
    path = write(tmp_path / "net.onnx", shape, network(), ["y"])
    np.testing.assert_allclose(logits_of(path, preprocessing=SQUARE), torch_logits(), atol=1e-4)
    free = unveil.load_classifier(f"onnx/{path}").preprocessing
    assert (free.channels, free.mean) == (3, IMAGENET_MEAN)
    assert free.crop == (224, SIZE if shape[3] == SIZE else 224)


def test_free_channels_are_those_that_the_network_takes(tmp_path):
    path = write(tmp_path / "net.onnx", ["n", "c", "h", "w"], network(), ["y"], channels=1)
    gray = unveil.load_classifier(f"onnx/{path}").preprocessing
    assert (gray.mean, gray.std) == ((0.5,), (0.25,))
    pixels = PIXELS[:, :1].repeat(1, 1, 4, 4)[:, :, :224, :224]
    np.testing.assert_allclose(logits_of(path, pixels), torch_logits(gray, pixels), atol=1e-4)


def test_half_precision_images(tmp_path):
    path = write(
        tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], network(), ["y"], dtype=TensorProto.FLOAT16, weights=np.float16
    )
    np.testing.assert_allclose(logits_of(path), torch_logits(), atol=0.02)
    assert not np.allclose(logits_of(path), torch_logits(), atol=1e-6)


def test_images_of_whole_numbers_are_0_to_255(tmp_path):
    nodes = [Node("Cast", "t", ("x",), {"to": TensorProto.FLOAT}), *network(start="t")]
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["y"], dtype=TensorProto.UINT8)
    levels = (PIXELS * 255).round()
    with torch.no_grad():
        expected = Twin()(levels).numpy()
    np.testing.assert_allclose(logits_of(path, levels / 255), expected, rtol=1e-4)
    # Between two levels, the nearest counts.
    np.testing.assert_allclose(logits_of(path, ((levels + 0.4) / 255).clamp(max=1)), expected, rtol=1e-4)
    for preprocessing, got in ((SQUARE, "-2.118 to 2.64"), (Preprocessing.square(SIZE, (0,) * 3, (1,) * 3), "0 to 1")):
        with pytest.raises(ClassifierError, match=f"pixels as uint8, .*; got .* {got}; use mean 0 and std 1/255"):
            unveil.load_classifier(f"onnx/{path}", preprocessing=preprocessing)


def test_other_whole_numbers_need_a_preprocessing(tmp_path):
    nodes = [Node("Cast", "t", ("x",), {"to": TensorProto.FLOAT}), *network(start="t")]
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["y"], dtype=TensorProto.INT32)
    with pytest.raises(ClassifierError, match="int32; give a preprocessing"):
        unveil.load_classifier(f"onnx/{path}")
    twelve_bits = Preprocessing.square(SIZE, (0,) * 3, (1 / 4095,) * 3)
    levels = (PIXELS * 4095).round()
    with torch.no_grad():
        expected = Twin()(levels).numpy()
    np.testing.assert_allclose(logits_of(path, levels / 4095, preprocessing=twelve_bits), expected, rtol=1e-4)
    bools = write(tmp_path / "bools.onnx", ["n", 3, SIZE, SIZE], nodes, ["y"], dtype=TensorProto.BOOL)
    with pytest.raises(ClassifierError, match="bool; export it for float32 images"):
        unveil.load_classifier(f"onnx/{bools}")


def test_an_output_is_chosen_by_its_name_by_the_labels_or_not_at_all(tmp_path):
    path = write(tmp_path / "two.onnx", ["n", 3, SIZE, SIZE], network(), ["f", "y"])
    with pytest.raises(ClassifierError, match=r"one output .*'n', 4.*y tensor.*; name the one .* with f or y$"):
        unveil.load_classifier(f"onnx/{path}")
    np.testing.assert_allclose(logits_of(f"{path}:y"), torch_logits(), atol=1e-4)
    np.testing.assert_allclose(logits_of(f"{path}:f"), torch_logits(module=Twin(features=True)), atol=1e-4)
    np.testing.assert_allclose(logits_of(path, labels=["a", "b", "c"]), torch_logits(), atol=1e-4)
    with pytest.raises(ClassifierError, match="name one of its outputs"):
        unveil.load_classifier(f"onnx/{path}:z")
    features, logits = (unveil.load_classifier(f"onnx/{path}:{name}") for name in "fy")
    assert (features.name, logits.name) == ("onnx/two.onnx:f", "onnx/two.onnx:y")
    assert features.fingerprint != logits.fingerprint


def test_outputs_called_logits_come_first_and_names_may_hold_colons(tmp_path):
    nodes = network(Node("Softmax", "probabilities:0", ("y",)), Node("Identity", "logits", ("y",)))
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["probabilities:0", "logits"])
    np.testing.assert_allclose(logits_of(path), torch_logits(), atol=1e-4)
    with pytest.warns(UserWarning, match="taken as probabilities"):
        chosen = unveil.load_classifier(f"onnx/{path}:probabilities:0")
    assert chosen.returns is Returns.PROBABILITIES


def test_softmax_in_the_file_gives_its_probabilities_and_one_warning(tmp_path):
    nodes = network(Node("Softmax", "z", ("y",), {"axis": 1}))
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["z"])
    with pytest.warns(UserWarning, match=r"net.onnx are in \[0, 1\] and add up to 1: taken as probabilities") as caught:
        classifier = unveil.load_classifier(f"onnx/{path}")
    assert len(caught) == 1
    expected = np.exp(torch_logits()) / np.exp(torch_logits()).sum(1, keepdims=True)
    found = [prediction.probabilities for prediction in classifier.predict(PIXELS)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ClassifierError, match="the output softmax; got sigmoid"):
        unveil.load_classifier(f"onnx/{path}", output="sigmoid")


def test_sigmoid_in_the_file_gives_its_probabilities(tmp_path):
    nodes = network(Node("Sigmoid", "s", ("y",)), Node("Identity", "z", ("s",)))
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["z"])
    for output in (None, "sigmoid"):
        with pytest.warns(UserWarning, match="come from Sigmoid: taken as probabilities"):
            classifier = unveil.load_classifier(f"onnx/{path}", output=output)
        assert classifier.output is Output.SIGMOID
        np.testing.assert_allclose(classifier.logits(PIXELS).numpy(), torch_logits(), atol=1e-3)
    with pytest.raises(ClassifierError, match="the output sigmoid; got softmax .* ends in Sigmoid"):
        unveil.load_classifier(f"onnx/{path}", output="softmax")


def test_one_number_per_image_is_the_logit_of_a_sigmoid(tmp_path):
    nodes = network(Node("ReduceMax", "z", ("y",), {"axes": [1], "keepdims": 0}))
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], nodes, ["z"])
    classifier = unveil.load_classifier(f"onnx/{path}")
    assert classifier.output is Output.SIGMOID
    np.testing.assert_allclose(classifier.logits(PIXELS).numpy()[:, 0], torch_logits().max(1), atol=1e-4)


def test_numbers_that_may_be_probabilities_are_not_guessed(tmp_path):
    """Clipped to [0, 1]: probabilities of some other kind, or logits?"""
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], network(Node("Clip", "z", ("y", "low", "high"))), ["z"],
                 constants={"low": np.float32(0), "high": np.float32(1)})  # fmt: skip
    with pytest.raises(ClassifierError, match=r"may be probabilities \(last: Clip, MatMul\)"):
        unveil.load_classifier(f"onnx/{path}")


def test_a_preprocessing_that_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], network(), ["y"])
    for other in (Preprocessing.square(32, IMAGENET_MEAN, IMAGENET_STD), Preprocessing.square(SIZE, (0.5,), (0.5,))):
        got = f"a preprocessing with {other.channels} channels of {other.crop[0]} x {other.crop[1]}"
        with pytest.raises(ClassifierError, match=f"got {got}"):
            unveil.load_classifier(f"onnx/{path}", preprocessing=other)
    # Made for one size, and not saying so.
    nodes = [*body()[:1], Node("Flatten", "f"), Node("MatMul", "y", ("f", "dense"))]
    free = write(tmp_path / "free.onnx", ["n", "c", "h", "w"], nodes, ["y"])
    with pytest.raises(ClassifierError, match="free.onnx to take images of 3x224x224; got .*; give a preprocessing"):
        unveil.load_classifier(f"onnx/{free}")


def test_files_that_onnxruntime_refuses_are_refused_in_one_line(tmp_path):
    shape = ["n", 3, SIZE, SIZE]
    cases = {
        "ir": (
            write(tmp_path / "ir.onnx", shape, network(), ["y"], ir=99),
            "got .*ir.onnx: Unsupported model IR version: 99.*; update onnxruntime",
        ),
        "opset": (
            write(tmp_path / "opset.onnx", shape, network(), ["y"], opset=99),
            "got .*opset.onnx: ONNX Runtime only.* opset.*; update onnxruntime",
        ),
        "type": (
            write(tmp_path / "type.onnx", shape, network(Node("ArgMax", "l", ("y",))), [("l", TensorProto.FLOAT)]),
            "a whole ONNX file; got .*Type.*; export it again",
        ),
        "kernel": (
            write(tmp_path / "double.onnx", shape, network(), ["y"], dtype=TensorProto.DOUBLE, weights=np.float64),
            "Could not find an implementation for Conv.*; export it in float32",
        ),
        "external": (
            write(tmp_path / "lost" / "net.onnx", shape, network(), ["y"], external="weights.bin"),
            "the weights of .*net.onnx; got no file weights.bin beside it; copy both",
        ),
    }
    (tmp_path / "lost" / "weights.bin").unlink()
    for path, expected in cases.values():
        with pytest.raises(ClassifierError, match=expected) as error:
            unveil.load_classifier(f"onnx/{path}")
        assert "\n" not in str(error.value)


def test_outputs_that_are_no_rows_are_refused(tmp_path):
    path = write(tmp_path / "maps.onnx", ["n", 3, SIZE, SIZE], body()[:2], ["r"])
    with pytest.raises(ClassifierError, match="an output with one row of numbers per image; got .*maps.onnx"):
        unveil.load_classifier(f"onnx/{path}")


def test_the_fingerprint_is_that_of_all_files_with_weights(tmp_path):
    path = write(tmp_path / "net.onnx", ["n", 3, SIZE, SIZE], network(), ["y"], external="weights.bin")
    before = unveil.load_classifier(f"onnx/{path}").fingerprint
    assert unveil.load_classifier(f"onnx/{path}").fingerprint == before
    content = bytearray((tmp_path / "weights.bin").read_bytes())
    content[1] ^= 1  # the smallest change of the first weight but a few
    (tmp_path / "weights.bin").write_bytes(content)
    assert unveil.load_classifier(f"onnx/{path}").fingerprint != before


def test_no_file_outside_of_the_folder_is_read(tmp_path):
    path = write(tmp_path / "inner" / "net.onnx", ["n", 3, SIZE, SIZE], network(), ["y"], external="weights.bin")
    (tmp_path / "inner" / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "../weights.bin" if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ClassifierError) as error:
        unveil.load_classifier(f"onnx/{path}")
    assert "\n" not in str(error.value)


def test_images_of_other_numbers_of_channels_keep_them(tmp_path):
    for channels in (1, 2, 4, 13):
        path = write(tmp_path / f"{channels}.onnx", ["n", channels, SIZE, SIZE], network(), ["y"], channels=channels)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            classifier = unveil.load_classifier(f"onnx/{path}")
        pixels = torch.rand((2, channels, SIZE, SIZE), generator=torch.Generator().manual_seed(channels))
        np.testing.assert_allclose(classifier.logits(pixels), torch_logits(classifier.preprocessing, pixels), atol=1e-4)
