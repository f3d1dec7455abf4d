"""Image classifiers of transformers: the same probabilities as its own pipeline, or one line that says why not."""

import json
import socket
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import constants
from PIL import Image as PilImage
from safetensors.torch import load_file, save_file
from scipy import ndimage
from transformers.utils import logging

import unveil
from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.preprocessing import Preprocessing
from unveil.classifiers.sources import huggingface
from unveil.classifiers.sources.base import ModelRequest
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError
from unveil.images import Image
from unveil.predictions import Output

NAMES = {0: "cat", 1: "dog", 2: "none"}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
SIDE = {"height": 64, "width": 64}
# Of a probability: levels are rounded after resizing there, and not here.
TOLERANCE = 0.02

NETWORKS = {
    "ViT": ("ViT", {**TINY, "image_size": 64, "patch_size": 16}, "ViTImageProcessor", {"size": SIDE}),
    "ResNet": ("ResNet", {**STAGES, "embedding_size": 8}, "ConvNextImageProcessor", {"size": {"shortest_edge": 64}}),
    "ConvNext": ("ConvNext", {**STAGES}, "ConvNextImageProcessor", {"size": {"shortest_edge": 64}, "crop_pct": 0.95}),
    "Swin": (
        "Swin",
        {"image_size": 64, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
        "ViTImageProcessor",
        {"size": SIDE, "resample": 3},
    ),
}


def save(folder, network="ViT", *, seed=0, names=NAMES, **settings):
    """A small random network with its image processor, as `save_pretrained` writes them."""
    kind, config, processor, options = NETWORKS[network]
    torch.manual_seed(seed)
    labels = {} if names is None else {"id2label": names, "label2id": {name: index for index, name in names.items()}}
    made = getattr(transformers, f"{kind}Config")(**config, **labels, **settings)
    module = getattr(transformers, f"{kind}ForImageClassification")(made).eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim > 1:  # larger than usual, so that different images have different probabilities
                parameter.normal_(std=(3 if "classifier" in name else 1) / parameter[0].numel() ** 0.5)
    logging.disable_progress_bar()
    module.save_pretrained(folder)
    getattr(transformers, processor)(**options).save_pretrained(folder)
    return module


def edit(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pictures():
    rng = np.random.default_rng(0)
    for height, width in ((150, 211), (211, 150), (64, 64), (41, 50)):
        smooth = ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (4, 4, 0))
        yield (128 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def probabilities(classifier, picture):
    pixels = classifier.prepare(Image.from_array(picture)).pixels
    return classifier.predict(pixels[None])[0].probabilities


@pytest.mark.parametrize("network", NETWORKS)
def test_probabilities_are_those_of_the_pipeline(network, tmp_path):
    save(tmp_path, network)
    classifier = unveil.load_classifier(f"huggingface/{tmp_path}")
    assert (classifier.labels, classifier.output) == (("cat", "dog", "none"), Output.SOFTMAX)
    pipeline = transformers.pipeline("image-classification", str(tmp_path), device="cpu")
    found, expected = [], []
    for picture in pictures():
        scores = {row["label"]: row["score"] for row in pipeline(PilImage.fromarray(picture), top_k=3)}
        expected.append([scores[name] for name in classifier.labels])
        found.append(probabilities(classifier, picture))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    error, spread = np.abs(np.subtract(found, expected)).max(), np.ptp(expected, axis=0).max()
    assert spread > 20 * error, "pictures must differ by more than the rounding of their levels"


def test_logits_of_the_same_pixels_are_those_of_the_network(tmp_path):
    module = save(tmp_path)
    classifier = unveil.load_classifier(f"huggingface/{tmp_path}")
    pixels = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module((pixels - 0.5) / 0.5).logits
    np.testing.assert_allclose(classifier.logits(pixels), expected, atol=1e-5)
    assert classifier.name == f"huggingface/{tmp_path}"


@pytest.mark.parametrize(
    ("settings", "names", "labels", "output"),
    [
        ({"problem_type": "multi_label_classification"}, NAMES, ("cat", "dog", "none"), Output.SIGMOID),
        ({"problem_type": "single_label_classification"}, NAMES, ("cat", "dog", "none"), Output.SOFTMAX),
        ({}, {0: "tumor"}, ("tumor",), Output.SIGMOID),
        ({"num_labels": 4}, None, ("class 0", "class 1", "class 2", "class 3"), Output.SOFTMAX),
    ],
)
def test_labels_and_output_are_those_of_the_configuration(settings, names, labels, output, tmp_path):
    save(tmp_path, names=names, **settings)
    classifier = unveil.load_classifier(f"huggingface/{tmp_path}")
    assert (classifier.labels, classifier.output) == (labels, output)
    pipeline = transformers.pipeline("image-classification", str(tmp_path), device="cpu")
    picture = next(pictures())
    expected = sorted(row["score"] for row in pipeline(PilImage.fromarray(picture), top_k=len(labels)))
    np.testing.assert_allclose(sorted(probabilities(classifier, picture)), expected, atol=TOLERANCE)


def test_what_is_given_replaces_what_the_folder_says(tmp_path):
    save(tmp_path)
    preprocessing = Preprocessing.square(64, (0.1,) * 3, (0.2,) * 3)
    options = {"labels": ["a", "b", "c"], "output": "sigmoid", "preprocessing": preprocessing}
    classifier = unveil.load_classifier(f"huggingface/{tmp_path}", **options)
    assert (classifier.labels, classifier.output) == (("a", "b", "c"), Output.SIGMOID)
    assert classifier.preprocessing == preprocessing
    with pytest.raises(ClassifierError, match="3 labels"):
        unveil.load_classifier(f"huggingface/{tmp_path}", labels=["a", "b"])


def test_weights_of_a_file_of_random_numbers_and_of_a_revision(tmp_path):
    """A file may have the names of the modules, or those that transformers saves."""
    folder = tmp_path / "one"
    save(folder)
    other = save(tmp_path / "two", seed=1)
    torch.save(other.state_dict(), tmp_path / "two.pth")
    own = unveil.load_classifier(f"huggingface/{folder}")
    expected = unveil.load_classifier(f"huggingface/{tmp_path / 'two'}")
    assert own.fingerprint != expected.fingerprint
    for file in (tmp_path / "two.pth", tmp_path / "two" / "model.safetensors"):
        assert unveil.load_classifier(f"huggingface/{folder}", file).fingerprint == expected.fingerprint
    torch.manual_seed(5)
    assert unveil.load_classifier(f"huggingface/{folder}", "none").fingerprint not in (
        own.fingerprint,
        expected.fingerprint,
    )
    with pytest.raises(WeightsError, match="weights of a folder: a file, or none; got v2"):
        unveil.load_classifier(f"huggingface/{folder}", "v2")
    torch.save({"wrong": torch.zeros(3)}, tmp_path / "wrong.pth")
    with pytest.raises(WeightsError, match="weights for ViTForImageClassification"):
        unveil.load_classifier(f"huggingface/{folder}", tmp_path / "wrong.pth")


def test_names_of_the_hub_are_fetched_without_code_pickles_and_telemetry(monkeypatch, tmp_path):
    """What is handed to transformers, of which nothing may reach the network here."""
    module, calls = save(tmp_path), []
    report = {"missing_keys": set(), "mismatched_keys": set(), "unexpected_keys": set()}

    def answer(kind):
        made = getattr(transformers, kind).from_pretrained(tmp_path) if "Model" not in kind else None

        def read(name, **options):
            assert constants.HF_HUB_DISABLE_TELEMETRY
            calls.append((kind, name, options))
            return (module, report) if made is None else made

        return SimpleNamespace(from_pretrained=read)

    kinds = ("AutoConfig", "AutoImageProcessor", "AutoModelForImageClassification")
    library = ModuleType("transformers")
    vars(library).update({"utils": transformers.utils, **{kind: answer(kind) for kind in kinds}})
    monkeypatch.setattr(huggingface, "_transformers", lambda: library)
    for weights, revision in ((None, "main"), ("v1.0", "v1.0")):
        calls.clear()
        assert huggingface.build(ModelRequest("someone/net", weights)).labels == ("cat", "dog", "none")
        assert [(kind, name) for kind, name, _ in calls] == [(kind, "someone/net") for kind in kinds]
        for *_, options in calls:
            assert (options["trust_remote_code"], options["revision"]) == (False, revision)
        assert calls[-1][2]["use_safetensors"] is True


def test_a_folder_needs_no_network_and_leaves_the_library_as_it_was(monkeypatch, tmp_path):
    save(tmp_path)

    def refuse(*_, **__):
        raise AssertionError("the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    logging.enable_progress_bar()
    before = logging.get_verbosity(), constants.HF_HUB_DISABLE_TELEMETRY
    huggingface.build(ModelRequest(str(tmp_path)))
    assert (logging.get_verbosity(), constants.HF_HUB_DISABLE_TELEMETRY) == before
    assert logging.is_progress_bar_enabled()


def test_loading_is_silent(capfd, tmp_path):
    save(tmp_path)
    logging.enable_progress_bar()
    capfd.readouterr()
    huggingface.build(ModelRequest(str(tmp_path)))
    assert capfd.readouterr() == ("", "")


def headless(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["classifier.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def another_head(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.weight"] = tensors["classifier.weight"][:2].clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def only_a_pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def code(folder):
    edit(folder, "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")


DAMAGES = {
    "no head": (headless, "classifier.weight is missing; choose a model that was trained for classification"),
    "another head": (another_head, "classifier.weight has another shape"),
    "only a pickle": (only_a_pickle, "from safetensors only: write them with save_pretrained"),
    "code": (code, "its code isn't run"),
    "no processor": (lambda folder: (folder / "preprocessor_config.json").unlink(), "an image processor there"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "choose an image classifier"),
    "not JSON": (lambda folder: (folder / "config.json").write_text("{"), "write the model there"),
    "of texts": (lambda folder: edit(folder, "config.json", model_type="bert"), "choose an image classifier"),
    "regression": (lambda folder: edit(folder, "config.json", problem_type="regression"), "for a regression"),
    "cut off": (lambda folder: (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}"), "to load"),
    "nearest": (lambda folder: edit(folder, "preprocessor_config.json", resample=0), "the interpolation nearest"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_folders_that_cannot_be_used_are_refused_in_one_line(damage, tmp_path):
    change, message = DAMAGES[damage]
    save(tmp_path)
    change(tmp_path)
    with pytest.raises(ClassifierError, match=message) as error:
        unveil.load_classifier(f"huggingface/{tmp_path}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["./none", "a/b/c", "../none", "with space", "-x", "a\nb"])
def test_names_that_the_hub_cannot_have_are_refused_without_asking(name):
    with pytest.raises(ClassifierError, match="huggingface/NAME .* which is not a folder"):
        huggingface.build(ModelRequest(name))


def test_the_library_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\[hf\]'"):
        huggingface.build(ModelRequest("someone/net"))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, (None, None)),
        ({"id2label": {0: "a", 1: "b"}}, (("a", "b"), None)),
        ({"id2label": {"1": "b", "0": "a", "10": "c"}}, (None, None)),
        ({"id2label": {"1": "b", "0": "a"}, "problem_type": "multi_label_classification"}, (("a", "b"), Output.SIGMOID)),
        ({"id2label": {0: "LABEL_0", 1: "LABEL_1"}}, (None, None)),
        ({"id2label": {0: "LABEL_0"}}, (None, Output.SIGMOID)),
        ({"id2label": {0: "LABEL_0", 1: "cat"}}, (("LABEL_0", "cat"), None)),
        ({"id2label": {"x": "a"}}, (None, Output.SIGMOID)),
        ({"id2label": ["a"]}, (None, None)),
        ({"id2label": {}}, (None, None)),
    ],
)  # fmt: skip
def test_what_a_configuration_says(config, expected):
    """Read without the library: any object with such a configuration has labels."""
    module = torch.nn.Identity()
    if config is not None:
        module.config = SimpleNamespace(**config)
    assert huggingface.read_config(module) == expected


class Wrapped(torch.nn.Module):
    """A network of transformers that returns logits, as people wrap it; the configuration is kept beside it."""

    def __init__(self, module):
        super().__init__()
        self.module, self.config = module, module.config

    def forward(self, images):
        return self.module(images).logits


def test_modules_have_the_labels_and_the_output_of_their_configuration(tmp_path):
    module = Wrapped(save(tmp_path, problem_type="multi_label_classification"))
    square = Preprocessing.square(64, (0.5,) * 3, (0.5,) * 3)
    classifier = unveil.load_classifier(module, preprocessing=square)
    assert (classifier.labels, classifier.output) == (("cat", "dog", "none"), Output.SIGMOID)
    given = unveil.load_classifier(module, preprocessing=square, labels=["a", "b", "c"], output="softmax")
    assert (given.labels, given.output) == (("a", "b", "c"), Output.SOFTMAX)
    pixels = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    of_folder = unveil.load_classifier(f"huggingface/{tmp_path}").logits(pixels)
    np.testing.assert_allclose(classifier.logits(pixels), of_folder, atol=1e-5)


@pytest.mark.parametrize("processor", ["missing", "with other steps"])
def test_a_given_preprocessing_needs_no_image_processor(tmp_path, processor):
    """In Python as a whole, and on the command line by its numbers; what is left out still needs the processor."""
    module = save(tmp_path)
    if processor == "missing":
        (tmp_path / "preprocessor_config.json").unlink()
    else:
        edit(tmp_path, "preprocessor_config.json", resample=1)  # Lanczos
    name, mean, std = f"huggingface/{tmp_path}", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    given = Preprocessing.square(64, mean, std)
    rng = np.random.default_rng(2)
    pixels = rng.random((1, 3, 64, 64), dtype=np.float32)
    inputs = (pixels - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).logits.softmax(1)[0].numpy()
    for preprocessing in (given, PreprocessingChanges((64, 64), mean=mean, std=std)):
        classifier = unveil.load_classifier(name, preprocessing=preprocessing)
        assert (classifier.preprocessing.mean, classifier.preprocessing.std) == (mean, std)
        assert classifier.preprocessing.crop == (64, 64)
        (prediction,) = classifier.predict(torch.from_numpy(pixels))
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-5)
    for changes in (
        None,
        PreprocessingChanges((64, 64), mean=mean),
        PreprocessingChanges((64, 64), mean=(0.5,), std=(0.5,)),
    ):
        with pytest.raises(ClassifierError, match=r"image.processor|an image classifier|Lanczos"):
            unveil.load_classifier(name, preprocessing=changes)
