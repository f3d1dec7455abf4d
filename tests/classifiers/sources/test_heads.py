"""The number of outputs is read from a file; labels of another number are refused."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from unveil.classifiers import load_classifier
from unveil.classifiers.sources.heads import choose_labels, count_file_outputs
from unveil.classifiers.sources.torchvision import build_untrained
from unveil.classifiers.torch_module import fingerprint
from unveil.errors import ClassifierError, WeightsError

PIXELS = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "resnet18", "mobilenet_v3_small", "vit_b_32", "regnet_y_400mf", "inception_v3"]
)
def test_outputs_of_torchvision_files(name):
    state = build_untrained(name, 7).state_dict()
    assert (
        count_file_outputs(
            {f"model.{key}": tensor for key, tensor in state.items()}, lambda n: build_untrained(name, n)
        )
        == 7
    )
    assert count_file_outputs({"other.weight": torch.ones(3, 3)}, lambda n: build_untrained(name, n)) is None


def test_a_network_without_a_layer_of_that_size_has_no_count():
    assert count_file_outputs({"0.weight": torch.ones(3, 3)}, lambda n: nn.Sequential(nn.Linear(3, 3))) is None


@pytest.mark.parametrize(
    ("count", "given", "own", "labels"),
    [
        (3, None, ["a", "b", "c"], ("a", "b", "c")),
        (2, None, ["a", "b", "c"], None),
        (None, None, ["a", "b", "c"], ("a", "b", "c")),
        (2, ["x", "y"], ["a", "b", "c"], ("x", "y")),
        (None, ["x", "y"], None, ("x", "y")),
        (2, None, None, None),
    ],
)
def test_labels_that_fit(count, given, own, labels):
    assert choose_labels(count, given, own, "w.pth") == labels


@pytest.mark.parametrize("given", [[], ["x"], ["x", "y", "z"]])
def test_labels_of_another_number_are_refused(given):
    with pytest.raises(
        ClassifierError, match=f"2 labels, one for each output of w.pth; got {len(given)} labels; .* --labels"
    ):
        choose_labels(2, given, ["x", "y"], "w.pth")


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_a_file_of_five_classes_needs_no_labels(source, tmp_path):
    torch.manual_seed(1)
    made = (
        torchvision.models.resnet18(num_classes=5)
        if source == "torchvision"
        else timm.create_model("resnet18", num_classes=5)
    )
    torch.save(
        {"state_dict": {f"model.{name}": tensor for name, tensor in made.state_dict().items()}}, tmp_path / "w.ckpt"
    )
    classifier = load_classifier(f"{source}/resnet18", tmp_path / "w.ckpt", device="cpu")
    assert classifier.labels == tuple(f"class {index}" for index in range(5))
    mean, std = IMAGENET
    with torch.no_grad():
        expected = made.eval()((PIXELS - mean) / std)
        np.testing.assert_allclose(classifier.logits(PIXELS), expected, rtol=1e-3, atol=1e-5)
    names = ["v", "w", "x", "y", "z"]
    assert load_classifier(f"{source}/resnet18", tmp_path / "w.ckpt", labels=names, device="cpu").labels == tuple(names)
    with pytest.raises(
        ClassifierError, match="expected 5 labels, one for each output of .*w.ckpt; got 3 labels; .*--labels"
    ):
        load_classifier(f"{source}/resnet18", tmp_path / "w.ckpt", labels=names[:3])


def test_published_weights_keep_their_outputs_in_torchvision(monkeypatch):
    def transfer(self, *args, **kwargs):
        raise AssertionError("labels are compared before anything is fetched")

    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", transfer)
    with pytest.raises(
        ClassifierError, match="1000 labels, one for each output of DEFAULT of torchvision/resnet18; got 3"
    ):
        load_classifier("torchvision/resnet18", labels=["a", "b", "c"])


def test_published_weights_keep_their_outputs_in_timm(tmp_path, monkeypatch):
    """timm itself makes a random last layer for another number. Its cache of files is made here, as it would be."""
    torch.manual_seed(0)
    made = timm.create_model("test_resnet", num_classes=1000).eval()
    name = timm.get_pretrained_cfg("test_resnet.r160_in1k").hf_hub_id.replace("/", "--")
    commit = tmp_path / f"models--{name}" / "snapshots" / ("0" * 40)
    commit.mkdir(parents=True)
    save_file(made.state_dict(), commit / "model.safetensors")
    (commit.parents[1] / "refs").mkdir()
    (commit.parents[1] / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for weights in (None, "r160_in1k"):
        with pytest.raises(
            ClassifierError,
            match="1000 labels, one for each output of the published weights of timm/test_resnet.*; got 3 labels",
        ):
            load_classifier("timm/test_resnet", weights, labels=["a", "b", "c"])
    assert load_classifier("timm/test_resnet", "r160_in1k", device="cpu").fingerprint == fingerprint(made)


def test_published_features_of_timm_are_no_classes():
    with pytest.raises(
        WeightsError, match="a layer of classes; got the published weights of timm/vit.*, which end in feat"
    ):
        load_classifier("timm/vit_small_patch14_dinov2.lvd142m")
    with pytest.raises(WeightsError, match="to build timm/resnet18.nope; got Invalid pretrained tag"):
        load_classifier("timm/resnet18", "nope")
