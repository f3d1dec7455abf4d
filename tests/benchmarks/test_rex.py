"""The adapter to ReX: what its worker is told and tells, with a stand-in for ReX; and ReX itself where its environment is
(UNVEIL_REX_PYTHON)."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from exhaustive import PIXELS, any_of, area
from rex import Rex, RexError, export
from rex_worker import Predicting, main, onnx_logits

from toys import Strongest, toy
from unveil import load_classifier
from unveil.classifiers import BlackBox
from unveil.errors import ClassifierError
from unveil.planted import draw_scene
from unveil.predictions import Output, Prediction

# What the worker uses of ReX, as far as it uses it: a map that is there or not, and explanations with a choice of them.
STAND_IN = {
    "explanation/multi_explanation.py": """
import torch
class MultiExplanation:
    def __init__(self, maps, predict, data, args, stats):
        self.predict, self.data, self.args, self.explanations = predict, data, args, []
    def extract(self):
        for column in range(4):
            mask = torch.zeros(tuple(self.data.data.shape[1:] if column else self.data.data.shape), dtype=torch.bool)
            mask[..., column] = True
            self.predict(torch.where(mask, self.data.data, self.data.mask_value))
            self.explanations.append(mask)
    def separate_by(self, overlap):
        assert overlap == 0.25
        return [(3, 0, 2), (1, 2, 3)]
""",
    "explanation/rex.py": """
from types import SimpleNamespace
def predict_target(data, args, predict):
    return predict(data.data, None)[0]
def calculate_responsibility(data, args, predict):
    predict(data.data.repeat(5, 1, 1, 1), data.target)
    return SimpleNamespace(get=lambda key: None if args.empty else key), {}
""",
    "input/config.py": """
class CausalArgs:
    empty, mask_value = False, 9
def process_config_dict(tables, args):
    args.permitted_overlap, args.mask_value = tables["overlap"], tables["mask"]
    args.empty = tables["empty"]
""",
    "input/input_data.py": """
class Data:
    def __init__(self, given, shape, device, mode):
        assert (given, device, mode) == (None, "cpu", "RGB")
    def set_mask_value(self, value):
        self.mask_value = value
""",
    "responsibility/prediction.py": """
class Prediction:
    def __init__(self, pred, conf, box, target, target_confidence):
        self.classification, self.confidence, self.sought = pred, conf, target_confidence
""",
}


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder to look for modules in, with a package rex_xai."""
    for name, text in STAND_IN.items():
        path = tmp_path / "modules" / "rex_xai" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "modules"


@pytest.fixture(scope="module")
def exported() -> bytes:
    return export(load_classifier("planted/demo"))


@dataclass
class Told:
    """A prediction as ReX makes them."""

    pred: int
    conf: float
    box: None
    target: object
    target_confidence: float | None


def test_answers_are_the_classifiers_own_probabilities():
    logits = np.array([[2.0, -1.0, 0.5], [-3.0, 4.0, 800.0], [0.0, 0.0, 0.0]], np.float32)
    images = torch.zeros((3, 1, 1, 1))
    for sigmoid, output in ((True, Output.SIGMOID), (False, Output.SOFTMAX)):
        expected = [Prediction(row.astype(np.float64), output).probabilities for row in logits]
        predicting = Predicting(lambda batch: logits[: len(batch)], 1, sigmoid, Told)
        for raw, told, mine in zip(predicting(images, raw=True), predicting(images), expected, strict=True):
            if sigmoid:
                assert raw == pytest.approx([1 - mine[1], mine[1]])
                assert told.pred == int(mine[1] >= 0.5)
            else:
                assert raw == pytest.approx(mine)
                assert told.pred == mine.argmax()
            assert told.conf == pytest.approx(raw[told.pred])
        sought = predicting(images, SimpleNamespace(classification=predicting.target))
        assert [one.target_confidence for one in sought] == pytest.approx([mine[1] for mine in expected])
        assert predicting.forward_passes == 9


def test_the_exported_classifier_answers_alike(exported, tmp_path):
    classifier = load_classifier("planted/demo")
    path = tmp_path / "model.onnx"
    path.write_bytes(exported)
    pixels = torch.from_numpy(np.stack([draw_scene(seed).pixels for seed in (100_001, 100_002, 100_003)]))
    inputs = classifier.normalized(pixels).numpy()
    expected = classifier.logits(pixels).numpy()
    logits = onnx_logits(path)
    assert logits(inputs) == pytest.approx(expected, abs=1e-3)
    assert logits(inputs[:1]) == pytest.approx(expected[:1], abs=1e-3), "any number of images"
    assert len(onnxruntime.InferenceSession(str(path)).get_inputs()) == 1


def test_the_worker_keeps_rexs_choice_in_the_order_of_the_spotlights(tmp_path, monkeypatch, stand_in, exported):
    monkeypatch.syspath_prepend(str(stand_in))
    monkeypatch.setattr(sys, "argv", ["rex_worker.py", str(tmp_path)])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    scene, classifier = draw_scene(100_001), load_classifier("planted/demo")
    pixels = torch.from_numpy(scene.pixels)[None]
    asked, absent = (classifier.labels.index(label) for label in (scene.labels[0], "clover"))
    (tmp_path / "model.onnx").write_bytes(exported)
    np.save(tmp_path / "pixels.npy", classifier.normalized(pixels).numpy())

    def ask(label_index: int, empty: bool) -> None:
        tables = {"overlap": 0.25, "mask": 0, "empty": empty}
        question = {"label_index": label_index, "sigmoid": True, "settings": tables}
        (tmp_path / "question.json").write_text(json.dumps(question))
        main()

    for empty, kept, passes in ((False, [0, 2, 3], 1 + 5 + 4), (True, [], 1 + 5)):
        ask(asked, empty)
        explanations = np.load(tmp_path / "explanations.npy")
        assert explanations.dtype == bool
        assert explanations.shape == (len(kept), 128, 128)
        for one, column in zip(explanations, kept, strict=True):
            assert np.argwhere(one)[:, 1].tolist() == [column] * 128
        told = json.loads((tmp_path / "answer.json").read_text())
        assert told["forward_passes"] == passes
        assert told["seconds"] > 0
    with pytest.raises(ValueError, match="the classifier's answer is 0, not 1"):
        ask(absent, False)


def test_a_rex_that_is_not_there_is_an_error_that_says_so(tmp_path):
    classifier = any_of(4)
    exported = {classifier.fingerprint: b""}
    with pytest.raises(RexError, match=r"expected a Python that has rex-xai.*README\.md"):
        Rex(tmp_path / "none", exported=exported).find(PIXELS, classifier, 0)
    # A Python that hasn't got it says what it lacks.
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(RexError, match="exit 1: ModuleNotFoundError"):
        Rex(bare, exported=exported).find(PIXELS, classifier, 0)
    box = BlackBox(lambda inputs: np.zeros((len(inputs), 2)), classifier.preprocessing)
    with pytest.raises(ClassifierError, match="a PyTorch classifier"):
        Rex(bare).find(PIXELS, box, 0)


@pytest.mark.skipif(
    "UNVEIL_REX_PYTHON" not in os.environ, reason="no environment of ReX: set UNVEIL_REX_PYTHON to its Python"
)
def test_rex_itself_finds_both_of_two_squares_that_suffice():
    classifier = toy(Strongest([(2, 2, 10), (34, 34, 10)], [[8 / 300] * 2] * 2, [-4.0, -4.0]))
    rex = Rex(Path(os.environ["UNVEIL_REX_PYTHON"]), scale=0.3)
    answer = rex.find(PIXELS, classifier, 0)
    again = rex.find(PIXELS, classifier, 0)
    assert answer.forward_passes == again.forward_passes > 100
    assert len(answer.explanations) >= 2
    overlap = np.sum(answer.explanations, axis=0)
    assert overlap.max() == 1, "no two share a pixel"
    both = [any(one[y : y + 10, x : x + 10].sum() >= 50 for one in answer.explanations) for y, x in ((2, 2), (34, 34))]
    assert both == [True, True]
    for one, other in zip(answer.explanations, again.explanations, strict=True):
        assert (one == other).all(), "the same seed, the same explanations"
    assert area({0}).shape == answer.explanations[0].shape
