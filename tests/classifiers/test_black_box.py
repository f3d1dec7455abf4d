"""Black boxes: functions and ONNX files answer as the models they come from, and find the same regions."""

import numpy as np
import pytest
import torch
from torch import nn

import unveil
from unveil.attribution import Rise
from unveil.classifiers import BlackBox, Preprocessing, Returns, TorchClassifier
from unveil.errors import ClassifierError, MissingLibraryError
from unveil.evaluation.planted.cue_recall import CueTally, count_cues
from unveil.images import Image
from unveil.planted import SIZE, draw_scene
from unveil.planted.networks.demo import PIXEL_MEAN, PIXEL_STD, load_network
from unveil.predictions import Output
from unveil.recipes import Recipe, black_box
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.saliency import PositiveSum
from unveil.stopping import MaxRounds, TargetLost

SQUARE = Preprocessing.square(16, (0.5,) * 3, (0.25,) * 3)


def export(module: nn.Module, path, shape: tuple[int, ...], *, free_batch: bool = True) -> None:
    dynamic = {"dynamic_shapes": ({0: torch.export.Dim("n", min=1, max=64)},)} if free_batch else {}
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (torch.rand(2 if free_batch else 1, *shape),),
            str(path),
            dynamo=True,
            verbose=False,
            **dynamic,
        )


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "planted.onnx"
    export(load_network(), path, (3, SIZE, SIZE))
    preprocessing = Preprocessing.square(SIZE, PIXEL_MEAN, PIXEL_STD)
    return unveil.load_classifier(
        f"onnx/{path}",
        labels=list(unveil.load_classifier("planted/demo").labels),
        preprocessing=preprocessing,
        output="sigmoid",
    )


def small() -> Recipe:
    """Black-box settings for the planted scenes."""
    selector = SmoothedThreshold(
        size_px=5, passes=1, threshold=RelativeToMax(0.5), band_px=3, split=True, min_area_share=0.002, max_regions=1
    )
    return Recipe(
        "small",
        attribution=Rise(400, 10),
        magnitude=PositiveSum(),
        selector=selector,
        fill=black_box().fill,
        stop=MaxRounds(3) | TargetLost(),
    )


def test_an_onnx_file_of_the_demo_classifier_finds_the_regions_of_the_network_itself(planted):
    white = unveil.load_classifier("planted/demo")
    assert planted.labels == white.labels
    overlaps = []
    for seed in (100_019, 100_006):
        image = Image.from_array(draw_scene(seed).pixels)
        one, other = (unveil.find_regions(image, classifier, small()) for classifier in (white, planted))
        np.testing.assert_allclose(one.first.logits, other.first.logits, atol=1e-3)
        assert len(one.regions) == len(other.regions) > 0
        overlaps += [a.mask.iou(b.mask) for a, b in zip(one.regions, other.regions, strict=True)]
    assert min(overlaps) > 0.95


def test_a_black_box_finds_cues_by_its_answers_alone(planted):
    """RISE is coarser than gradients, but the cues of a scene come out."""
    total = CueTally()
    for seed in (100_019, 100_006, 100_024):
        scene = draw_scene(seed)
        total += count_cues(unveil.find_regions(Image.from_array(scene.pixels), planted, small()), scene, 3)
    assert total.recall(3) is not None
    assert (total.recall(3) or 0) > 0.5


def test_gradient_recipes_say_what_to_use_instead(planted):
    with pytest.raises(unveil.UnveilError, match="use --recipe black-box"):
        unveil.find_regions(Image.from_array(draw_scene(100_019).pixels), planted)


@pytest.mark.parametrize("free_batch", [True, False])
def test_files_for_one_or_many_images(tmp_path, free_batch):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(784, 3))
    export(module, tmp_path / "net.onnx", (3, 16, 16), free_batch=free_batch)
    classifier = unveil.load_classifier(f"onnx/{tmp_path / 'net.onnx'}", preprocessing=SQUARE)
    white = TorchClassifier(module, SQUARE)
    pixels = torch.rand(5, 3, 16, 16)
    with torch.no_grad():
        np.testing.assert_allclose(classifier.logits(pixels), white.logits(pixels), atol=1e-4)
    assert classifier.labels == ("class 0", "class 1", "class 2")
    assert unveil.load_classifier(f"onnx/{tmp_path / 'net.onnx'}").preprocessing.crop == (16, 16)


def test_onnx_files_that_cannot_be_used(tmp_path, monkeypatch):
    module = nn.Sequential(nn.Flatten(), nn.Linear(768, 3))
    export(module, tmp_path / "net.onnx", (3, 16, 16))
    whole = (tmp_path / "net.onnx").read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(ClassifierError, match="a whole ONNX file; got .*; export it again") as error:
            unveil.load_classifier(f"onnx/{tmp_path / name}.onnx")
        assert "\n" not in str(error.value)
    with pytest.raises(ClassifierError, match="which is not a file"):
        unveil.load_classifier("onnx/none.onnx")
    with pytest.raises(ClassifierError, match="leave --weights out"):
        unveil.load_classifier(f"onnx/{tmp_path / 'net.onnx'}", "w.pth")
    with pytest.raises(ClassifierError, match="3 labels for .*; got 2"):
        unveil.load_classifier(f"onnx/{tmp_path / 'net.onnx'}", labels=["a", "b"])
    export(nn.Linear(8, 2), tmp_path / "flat.onnx", (8,))
    with pytest.raises(ClassifierError, match="one input"):
        unveil.load_classifier(f"onnx/{tmp_path / 'flat.onnx'}")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\[onnx\]'"):
        unveil.load_classifier(f"onnx/{tmp_path / 'net.onnx'}")


@pytest.mark.parametrize("output", list(Output))
def test_probabilities_become_logits_that_give_them_back(output):
    rng = np.random.default_rng(0)
    table = rng.random((4, 3))
    table = table / table.sum(1, keepdims=True) if output is Output.SOFTMAX else table
    rows = np.linspace(0, 1, 4)

    def look_up(inputs):
        # The mean of an image says which row of the table is its answer.
        return table[[np.abs(rows - value).argmin() for value in inputs.mean((1, 2, 3)) * 0.25 + 0.5]]

    box = BlackBox(look_up, SQUARE, output=output, returns=Returns.PROBABILITIES)
    found = box.predict(torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 3, 16, 16))
    np.testing.assert_allclose([one.probabilities for one in found], table, rtol=1e-6)


def raising(inputs):
    raise KeyError("weights")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda inputs: inputs, "one row of logits per image"),
        (lambda inputs: np.zeros((7, 2)), r"shape \(7, 2\) for 1 image"),
        (raising, "to take images of 3x16x16; got KeyError: 'weights'"),
        (lambda inputs: "cat", "numbers from black box; got an array of <U3"),
    ],
)
def test_functions_that_answer_wrongly(function, told):
    with pytest.raises(ClassifierError, match=told):
        BlackBox(function, SQUARE)


def test_answers_that_are_no_probabilities_or_not_finite():
    with pytest.raises(ClassifierError, match=r"probabilities in \[0, 1\]; got 0 to 3"):
        BlackBox(lambda inputs: np.array([[0.0, 3.0]]), SQUARE, returns=Returns.PROBABILITIES).predict(
            torch.rand(1, 3, 16, 16)
        )
    with pytest.raises(ClassifierError, match="finite logits"):
        BlackBox(lambda inputs: np.array([[0.0, np.nan]]), SQUARE).predict(torch.rand(1, 3, 16, 16))
