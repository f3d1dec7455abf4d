"""A model as plain values gives the same classifier as the values themselves."""

import json

import pytest

from batch_sets import write_network
from unveil.batch import ModelSpec
from unveil.batch.model_spec import preprocessing_table
from unveil.classifiers import Preprocessing, load_classifier
from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.preprocessing import Fit, Interpolation
from unveil.errors import BatchError

WHOLE = Preprocessing((24, 20), (0.5, 0.4, 0.3), (0.2, 0.2, 0.1), 24, Fit.SQUASH, Interpolation.BICUBIC, (0.0, 4095.0))
CHANGES = PreprocessingChanges(size=(20, 20), mean=(0.1, 0.2, 0.3), value_range=(-1000, 400))


@pytest.mark.parametrize("preprocessing", [None, WHOLE, CHANGES])
def test_a_model_that_went_through_json_is_the_same_classifier(tmp_path, preprocessing):
    network = tmp_path / "plain.py"
    network.write_text(
        "import torch\nfrom torch import nn\ndef make():\n    torch.manual_seed(1)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    name = f"python/{network}:make"
    spec = ModelSpec(
        name, labels=("a", "b", "b", "ü"), preprocessing=preprocessing_table(preprocessing), output="sigmoid"
    )
    again = ModelSpec.from_dict(json.loads(json.dumps(spec.as_dict())))
    made = again.load(1)
    direct = load_classifier(name, labels=["a", "b", "b", "ü"], preprocessing=preprocessing, output="sigmoid")
    assert again == spec
    assert (made.preprocessing, made.labels, made.output) == (direct.preprocessing, direct.labels, direct.output)
    assert made.fingerprint == direct.fingerprint
    assert made.probe == direct.probe


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "planted/demo"},
        {"name": 3, "device": "cpu", "precision": "fp32"},
        {"name": "x", "device": "cpu", "precision": "fp32", "labels": "ab"},
        {"name": "x", "device": "cpu", "precision": "fp32", "labels": [1]},
        {"name": "x", "device": "cpu", "precision": "fp32", "preprocessing": [1]},
        {"name": "x", "device": "cpu", "precision": "fp32", "weights": 7},
        {"name": "x", "device": "cpu", "precision": "fp32", "more": "y"},
    ],
)
def test_other_values_are_refused(values):
    with pytest.raises(BatchError, match="a model as plain values"):
        ModelSpec.from_dict(values)


def test_a_preprocessing_of_another_kind_is_refused(tmp_path):
    spec = ModelSpec("planted/demo", preprocessing={"kind": "Path", "crop": [1]})
    with pytest.raises(BatchError, match="a preprocessing as a table"):
        spec.load(1)


def test_files_become_full_paths_and_other_names_stay(tmp_path, monkeypatch):
    write_network(tmp_path)
    (tmp_path / "weights.pth").touch()
    monkeypatch.chdir(tmp_path)
    spec = ModelSpec("python/network.py:make", "weights.pth").with_full_paths()
    assert spec == ModelSpec(f"python/{tmp_path}/network.py:make", f"{tmp_path}/weights.pth")
    for name, weights in (
        ("torchvision/resnet18", "IMAGENET1K_V1"),
        ("python/gone.py:make", "none"),
        ("planted/demo", None),
    ):
        assert ModelSpec(name, weights).with_full_paths() == ModelSpec(name, weights)


def test_the_files_of_a_model_are_its_own_and_those_beside_it(tmp_path):
    write_network(tmp_path)
    for name in ("beside.py", "weights.pth", "notes.txt"):
        (tmp_path / name).touch()
    model = ModelSpec(f"python/{tmp_path}/network.py:make", str(tmp_path / "weights.pth"))
    assert [path.name for path in model.files()] == ["beside.py", "network.py", "weights.pth"]
    assert [path.name for path in ModelSpec(f"huggingface/{tmp_path}").files()] == [
        "beside.py",
        "network.py",
        "notes.txt",
        "weights.pth",
    ]
    assert ModelSpec("torchvision/resnet18", "IMAGENET1K_V1").files() == []
