"""TorchXRayVision: its networks give their raw logits, its labels lose their gaps, and its files run no code."""

import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
import torchxrayvision as xrv
from torch import nn

import unveil
from unveil.attribution import Gradient
from unveil.classifiers import Preprocessing, load_classifier
from unveil.classifiers.sources import torchxrayvision as door
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError
from unveil.predictions import Output
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds

CHEX = "densenet121-res224-chex"
PIXELS = torch.rand(1, 1, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """The library's DenseNet with random weights, 18 outputs, and small enough logits for a sigmoid."""
    torch.manual_seed(0)
    made = xrv.models.DenseNet().eval()
    with torch.no_grad():
        made.classifier.weight.mul_(1e-3)
        made.classifier.bias.normal_()
    return made


@pytest.fixture(scope="module")
def expected(network) -> np.ndarray:
    """Logits of all 18 outputs, for pixels as the library takes them."""
    with torch.no_grad():
        return network((2 * PIXELS - 1) * 1024).numpy()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder of the library's downloads; nothing can be downloaded."""

    def no_network(*args):
        raise OSError("Name or service not known")

    monkeypatch.setattr(xrv.utils, "get_cache_dir", lambda: str(tmp_path))
    monkeypatch.setattr(xrv.utils, "download", no_network)
    return tmp_path


def fetched(cache: Path, name: str) -> Path:
    """Where the library looks for the file of a model before it fetches it."""
    return cache / xrv.models.model_urls[name]["weights_url"].rpartition("/")[2]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_file_gives_the_library_s_own_logits_without_the_outputs_that_mean_nothing(
    prefix, network, expected, tmp_path
):
    # What the library's own models with published weights save: the thresholds are among the tensors.
    state = {**network.state_dict(), "op_threshs": torch.rand(18)}
    torch.save({prefix + name: tensor for name, tensor in state.items()}, tmp_path / "w.pth")
    classifier = load_classifier(f"torchxrayvision/{CHEX}", tmp_path / "w.pth", device="cpu")
    named = xrv.models.model_urls[CHEX]["labels"]
    kept = [index for index in range(18) if named[index] != ""]
    assert classifier.labels == tuple(label for label in named if label)
    assert len(kept) == len(classifier.labels) == 11
    with torch.no_grad():
        np.testing.assert_allclose(classifier.logits(PIXELS), expected[:, kept], rtol=1e-4, atol=1e-4)
    assert classifier.output is Output.SIGMOID
    assert classifier.preprocessing == Preprocessing((224, 224), (0.5,), (1 / 2048,), 224)


def test_logits_are_those_before_the_thresholds(network, tmp_path):
    """The library's calibrated answer follows from ours, so ours is what it starts from."""
    torch.save(network.state_dict(), tmp_path / "w.pth")
    classifier = load_classifier("torchxrayvision/densenet121-res224-all", tmp_path / "w.pth", device="cpu")
    calibrated = xrv.models.DenseNet(op_threshs=torch.rand(18, generator=torch.Generator().manual_seed(1))).eval()
    calibrated.load_state_dict(network.state_dict(), strict=False)
    with torch.no_grad():
        answer = calibrated((2 * PIXELS - 1) * 1024).numpy()[0]
    ours, threshold = classifier.predict(PIXELS)[0].probabilities, calibrated.op_threshs.numpy()
    below, above = ours / (2 * threshold), 1 - (1 - ours) / (2 * (1 - threshold))
    np.testing.assert_allclose(np.where(ours < threshold, below, above), answer, atol=1e-4)


def test_images_are_prepared_as_the_library_does():
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 1, 9, 12, generator=torch.Generator().manual_seed(2)), (448, 672), mode="bicubic"
    )
    gray = np.round(smooth[0, 0].clamp(0, 1).numpy() * 255).astype(np.uint8)
    classifier = load_classifier(f"torchxrayvision/{CHEX}", "none", device="cpu")
    prepared = classifier.prepare(unveil.Image.from_array(gray)).pixels
    ours = classifier.preprocessing.normalize(prepared[None])[0].numpy()
    theirs = xrv.datasets.XRayResizer(224)(xrv.datasets.XRayCenterCrop()(xrv.utils.normalize(gray, 255)[None]))
    assert ours.shape == theirs.shape == (1, 224, 224)
    # The range is 2048. Both are antialiased, with different filters; at the rim theirs blends with what is outside.
    assert np.abs(ours - theirs)[:, 4:-4, 4:-4].max() < 10
    assert np.abs(ours - theirs).mean() < 2


def test_the_published_resnet_is_loaded_by_the_library_and_stays_off_standard_output(cache, capsys):
    name = "resnet50-res512-all"
    torch.manual_seed(0)
    made = torchvision.models.resnet50(num_classes=18).eval()
    made.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    torch.save(made.state_dict(), fetched(cache, name))
    classifier = load_classifier(f"torchxrayvision/{name}", device="cpu")
    assert classifier.preprocessing == Preprocessing((512, 512), (0.5,), (1 / 2048,), 512)
    assert classifier.labels == tuple(xrv.models.model_urls[name]["labels"])
    pixels = torch.rand(1, 1, 512, 512, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = xrv.models.ResNet(weights=name, cache_dir=str(cache)).model((2 * pixels - 1) * 1024)
        np.testing.assert_allclose(classifier.logits(pixels), theirs, rtol=1e-3, atol=1e-3)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("zipped", [True, False])
def test_published_networks_that_are_pickled_whole_are_refused_and_not_run(zipped, cache, capsys, monkeypatch):
    monkeypatch.delenv(door.FORCE, raising=False)
    trace = cache / "was here"

    class Touch:
        def __reduce__(self):
            return Path.touch, (trace,)

    for content in (xrv.models.DenseNet(), {"a": Touch()}):
        torch.save(content, fetched(cache, CHEX), _use_new_zipfile_serialization=zipped)
        with pytest.raises(WeightsError, match=f"published weights of {CHEX} with tensors only; got objects") as error:
            load_classifier(f"torchxrayvision/{CHEX}")
        assert "which could run code when loaded; where you trust them, save the model's state_dict()" in str(
            error.value
        )
        assert "\n" not in str(error.value)
    assert not trace.exists()
    assert door.FORCE not in os.environ
    assert capsys.readouterr().out == ""


def test_the_switch_for_safe_reading_is_left_as_it_was(cache, monkeypatch):
    monkeypatch.setenv(door.FORCE, "0")
    with pytest.raises(WeightsError):
        load_classifier(f"torchxrayvision/{CHEX}")
    assert os.environ[door.FORCE] == "0"


def test_published_networks_as_the_page_says_to_save_them(network, expected, cache):
    torch.save(network, fetched(cache, CHEX), _use_new_zipfile_serialization=False)
    torch.save(xrv.models.DenseNet(weights=CHEX).state_dict(), cache / "chex.pth")
    assert "op_threshs" in torch.load(cache / "chex.pth", weights_only=True)
    classifier = load_classifier(f"torchxrayvision/{CHEX}", cache / "chex.pth", device="cpu")
    kept = [index for index, label in enumerate(xrv.models.model_urls[CHEX]["labels"]) if label]
    np.testing.assert_allclose(classifier.predict(PIXELS)[0].logits, expected[0, kept], rtol=1e-4, atol=1e-4)


def test_published_weights_that_cannot_be_had(cache):
    with pytest.raises(WeightsError, match="to fetch the weights of .*; got OSError: Name or .*; check the network"):
        load_classifier("torchxrayvision/resnet50-res512-all")
    fetched(cache, CHEX).write_bytes(b"")
    with pytest.raises(WeightsError, match="whole weights of .*; got .*; the file is damaged"):
        load_classifier(f"torchxrayvision/{CHEX}")


def test_calls_that_do_not_fit(network, tmp_path):
    with pytest.raises(
        ClassifierError, match="got densenet121; choose one of densenet121-res224-all, .*resnet50-res512"
    ):
        load_classifier("torchxrayvision/densenet121", "none")
    with pytest.raises(WeightsError, match="a file with weights, or none; got pretrained; leave --weights out"):
        load_classifier(f"torchxrayvision/{CHEX}", "pretrained")
    for weights in ("none", None):  # before anything is fetched, which would fail here
        with pytest.raises(ClassifierError, match="11 labels, one for each output of torchxrayvision/.*; got 2 labels"):
            load_classifier(f"torchxrayvision/{CHEX}", weights, labels=["a", "b"])
    torch.save(network, tmp_path / "whole.pt")
    with pytest.raises(WeightsError, match=r"got .*torchxrayvision.models.DenseNet\), .*save the model's state_dict"):
        load_classifier(f"torchxrayvision/{CHEX}", tmp_path / "whole.pt")
    state = network.state_dict()
    del state["features.norm5.weight"]
    torch.save(state, tmp_path / "few.pt")
    with pytest.raises(WeightsError, match="where features.norm5.weight is missing"):
        load_classifier(f"torchxrayvision/{CHEX}", tmp_path / "few.pt")


def test_a_network_trained_on_from_there_has_its_own_outputs(network, tmp_path):
    own = {"classifier.weight": torch.zeros(2, 1024), "classifier.bias": torch.tensor([1.0, -2.0])}
    torch.save({**network.state_dict(), **own}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="the 18 outputs of .*; got .*w.pth with 2; name the file's own outputs"):
        load_classifier(f"torchxrayvision/{CHEX}", tmp_path / "w.pth")
    classifier = load_classifier(f"torchxrayvision/{CHEX}", tmp_path / "w.pth", labels=["TB", "none"], device="cpu")
    np.testing.assert_allclose(classifier.predict(PIXELS)[0].logits, [1, -2])


def test_a_run_asks_about_labels_with_a_meaning_only(network, tmp_path):
    torch.save({**network.state_dict(), "classifier.bias": torch.full((18,), 5.0)}, tmp_path / "w.pth")
    classifier = load_classifier("torchxrayvision/densenet121-res224-rsna", tmp_path / "w.pth", device="cpu")
    gray = np.random.default_rng(0).integers(0, 256, (230, 240), dtype=np.uint8)
    run = unveil.find_regions(gray, classifier, Recipe(attribution=Gradient(), stop=MaxRounds(2)))
    assert {one.target for each in run.rounds for one in each.maps} <= {"Pneumonia", "Lung Opacity"}
    assert len(run.rounds) == 2
    assert run.regions


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchxrayvision", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\[xrv\]'"):
        load_classifier(f"torchxrayvision/{CHEX}", "none")


def test_importing_the_library_does_not_silence_the_warnings_of_others(monkeypatch):
    class Finder:
        """The import of the library, once more, with what it does to warnings."""

        def find_spec(self, name, path=None, target=None):
            if name != "torchxrayvision":
                return None
            return __import__("importlib.util").util.spec_from_loader(name, self)

        def create_module(self, spec):
            return types.ModuleType(spec.name)

        def exec_module(self, module):
            warnings.filterwarnings("ignore")
            module.models = types.ModuleType("models")
            module.models.model_urls = {"densenet121-res224-x": {}, "all": {}}

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "torchxrayvision")
    before = list(warnings.filters)
    assert list(door.names()) == ["densenet121-res224-x"]
    assert warnings.filters == before
