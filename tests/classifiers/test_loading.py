"""Where classifiers come from: torchvision, timm, a Python file, a module; devices, precision, labels."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

import unveil.classifiers.sources.torchvision as door
from unveil.classifiers import Preprocessing, TorchClassifier, load_classifier
from unveil.classifiers.loading import choose_device
from unveil.classifiers.torch_module import fingerprint
from unveil.errors import ClassifierError, MissingLibraryError, WeightsError
from unveil.predictions import Output

PIXELS = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def test_a_torchvision_model_gives_its_own_logits():
    torch.manual_seed(0)
    classifier = load_classifier("torchvision/squeezenet1_1", "none")
    torch.manual_seed(0)
    module = torchvision.models.squeezenet1_1().eval()
    mean, std = IMAGENET
    with torch.no_grad():
        np.testing.assert_allclose(classifier.logits(PIXELS), module((PIXELS - mean) / std), rtol=1e-4, atol=1e-5)
    assert (len(classifier.labels), classifier.labels[207]) == (1000, "golden retriever")
    assert (classifier.output, classifier.name) == (Output.SOFTMAX, "torchvision/squeezenet1_1")
    assert classifier.fingerprint == fingerprint(module)


def test_torchvision_fetches_its_published_weights_by_name(monkeypatch):
    """The real call of torchvision's loader; only the transfer itself is replaced."""
    asked = []

    def transfer(self, *args, **kwargs):
        asked.append(self.url)
        return torchvision.models.squeezenet1_1(num_classes=1000).state_dict()

    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", transfer)
    for weights in (None, "DEFAULT", "IMAGENET1K_V1"):
        classifier = load_classifier("torchvision/squeezenet1_1", weights)
        assert classifier.preprocessing.resize == 256
    assert len(asked) == 3
    assert all("squeezenet1_1" in address for address in asked)


def test_without_a_network_the_weights_are_one_clear_error(monkeypatch):
    def fails(self, *args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", fails)
    with pytest.raises(
        WeightsError,
        match="to fetch .*; got OSError: Name or service not known; check the network, or give a local file",
    ):
        load_classifier("torchvision/resnet18")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_models_that_warn_of_their_initial_weights_are_quiet(name):
    assert len(load_classifier(f"torchvision/{name}", "none").labels) == 1000


def test_every_classification_model_of_torchvision_has_a_preparation():
    made = {name: door._preparation(next(iter(torchvision.models.get_model_weights(name)))) for name in door.names()}
    assert len(made) >= 70
    assert {preprocessing.channels for preprocessing in made.values()} == {3}
    assert made["vit_l_16"].crop == (224, 224)
    assert made["inception_v3"].crop == (299, 299)


def test_a_timm_model_gives_its_own_logits():
    torch.manual_seed(0)
    classifier = load_classifier("timm/resnet10t", "none")
    torch.manual_seed(0)
    module = timm.create_model("resnet10t").eval()
    assert isinstance(classifier, TorchClassifier)
    pixels = torch.rand(2, 3, *classifier.preprocessing.crop)
    with torch.no_grad():
        expected = module(classifier.preprocessing.normalize(pixels))
        np.testing.assert_allclose(classifier.logits(pixels), expected, rtol=1e-4, atol=1e-5)
    assert classifier.labels[207].startswith("golden retriever")


def test_timm_is_asked_for_pretrained_weights_and_tags(monkeypatch):
    asked = []
    real = timm.create_model

    def create(name, pretrained=False, **kwargs):
        asked.append((name, pretrained))
        return real(name.partition(".")[0], **kwargs)

    monkeypatch.setattr(timm, "create_model", create)
    for weights in (None, "pretrained", "a1_in1k"):
        load_classifier("timm/resnet18", weights)
    assert asked == [("resnet18", True), ("resnet18", True), ("resnet18.a1_in1k", True)]
    monkeypatch.undo()
    with pytest.raises(
        WeightsError, match="to build timm/resnet18.no_such_tag; got .*; give a local file with weights"
    ):
        load_classifier("timm/resnet18", "no_such_tag")
    with pytest.raises(ClassifierError, match="a model of timm; got no_such_model; see: unveil models timm"):
        load_classifier("timm/no_such_model")


def test_without_timm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'unveil\[timm\]'"):
        load_classifier("timm/resnet18", "none")


FACTORY = """
import torch, unveil
from torch import nn

def make():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def whole():
    preparation = unveil.Preprocessing.square(32, (0.5,), (0.5,))
    return unveil.TorchClassifier(nn.Sequential(nn.Flatten(), nn.Linear(1024, 3)), preparation, ["x", "y", "z"])

def number():
    return 3

def broken():
    raise KeyError("weights")

constant = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my models" / "net.py"
    path.parent.mkdir()
    path.write_text(FACTORY)
    return path


def test_a_factory_in_a_file(file, tmp_path):
    classifier = load_classifier(f"python/{file}:make", labels=["cat", "dog"], output="sigmoid")
    assert (classifier.labels, classifier.output) == (("cat", "dog"), Output.SIGMOID)
    assert classifier.preprocessing.crop == (224, 224)
    other = {name: tensor + 1 for name, tensor in classifier._module.state_dict().items()}
    torch.save(other, tmp_path / "w.pth")
    loaded = load_classifier(f"python/{file}:make", tmp_path / "w.pth")
    assert loaded.fingerprint != classifier.fingerprint
    assert loaded.labels == ("class 0", "class 1")
    whole = load_classifier(f"python/{file}:whole")
    assert (whole.labels, whole.preprocessing.channels) == (("x", "y", "z"), 1)


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (":number", "to return a torch.nn.Module or an unveil Classifier; got int"),
        (":broken", "broken in .* to return a model; got KeyError: 'weights' \\(net.py:17\\); fix the file"),
        (":constant", "a function constant in"),
        (":missing", "a function missing in .*; got none of that name"),
        ("", "name a file and a function in it"),
        (":__import__('os')", "name a file and a function"),
    ],
)
def test_a_factory_that_fails(file, ending, told):
    with pytest.raises(ClassifierError, match=told):
        load_classifier(f"python/{file}{ending}")


def test_a_file_that_fails(tmp_path):
    (tmp_path / "bad.py").write_text("import no_such_library")
    with pytest.raises(ClassifierError, match="bad.py to run; got ModuleNotFoundError"):
        load_classifier(f"python/{tmp_path / 'bad.py'}:make")
    with pytest.raises(ClassifierError, match="which is not a file"):
        load_classifier(f"python/{tmp_path / 'none.py'}:make")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(ClassifierError, match="a Python file"):
        load_classifier(f"python/{tmp_path / 'text.txt'}:make")


@pytest.mark.parametrize(
    "model",
    [
        "resnet50",
        "keras/resnet50",
        "torchvision/",
        "",
        "torchvision/fasterrcnn_resnet50_fpn",
        "torchvision/nope",
        "planted/other",
    ],
)
def test_a_name_that_is_no_model(model):
    with pytest.raises(ClassifierError, match="expected .*; got .*; "):
        load_classifier(model, "none")


def tiny(count: int = 2) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, count))


def test_labels_from_a_file(tmp_path):
    (tmp_path / "lines.txt").write_text("\ufeffÖdem\r\n Mass \n\n", encoding="utf-8")
    (tmp_path / "list.json").write_text('["Ödem", "Mass"]', encoding="utf-8")
    for name in ("lines.txt", "list.json"):
        assert load_classifier(tiny(), labels=tmp_path / name).labels == ("Ödem", "Mass")
        assert load_classifier(tiny(), labels=str(tmp_path / name)).labels == ("Ödem", "Mass")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[1, 2"),
        ("a.json", b'{"a": 1}'),
        ("a.txt", b"a\n\nb\n"),
        ("a.txt", b"\xff\xfe\xfa"),
        ("a.txt", b"one\n"),
        ("a.txt", b"a\nb\nc\n"),
        ("a.txt", b""),
    ],
)
def test_labels_that_do_not_fit(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClassifierError, match="label"):
        load_classifier(tiny(), labels=tmp_path / name)
    with pytest.raises(ClassifierError, match="a file with label names"):
        load_classifier(tiny(), labels=tmp_path / "missing.txt")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"device": "tpu"}, "a device auto, cpu, cuda or mps; got tpu"),
        ({"precision": "fp8"}, "a precision auto, fp32 or bf16; got fp8"),
        ({"output": "tanh"}, "an output softmax or sigmoid; got 'tanh'"),
        ({"preprocessing": Preprocessing.square(32, (0.5,), (0.5,))}, "to take images of 1x32x32; got RuntimeError"),
    ],
)
def test_options_outside_their_range(options, told):
    with pytest.raises(ClassifierError, match=told):
        load_classifier(nn.Sequential(nn.Conv2d(3, 2, 3), tiny(2)) if "preprocessing" in options else tiny(), **options)


@pytest.mark.parametrize("device", ["cpu:1", "cpu:7", "cpu:", "cpu:-1", "cpu:x", "cpu:0:0", "cpu:²"])
def test_a_processor_has_one_device(device):
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cpu:0").type == "cpu"
    with pytest.raises(ClassifierError, match=f"a device of this machine, cpu; got {device}; choose one of them"):
        choose_device(device)


def test_the_number_of_a_graphics_card_is_one_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ClassifierError, match="a device of this machine, cuda:0 to cuda:1; got cuda:9"):
        choose_device("cuda:9")


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type in ("cpu", "mps")
    with pytest.raises(ClassifierError, match="a machine with cuda; got one without; use --device auto"):
        choose_device("cuda:0")


class Odd(nn.Module):
    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x: {"score": 1.0}, "logits from Odd; got dict without tensors; wrap the model"),
        (lambda x: x, r"got shape \(1, 3, 224, 224\)"),
        (lambda x: x.mean(), r"got shape \(\) for 1 image"),
        (lambda x: x.reshape(5, 7), "to take images of 3x224x224; got RuntimeError"),
    ],
)
def test_a_model_whose_answer_is_no_row_of_logits(answer, told):
    with pytest.raises(ClassifierError, match=told) as error:
        load_classifier(Odd(answer))
    assert "\n" not in str(error.value)


def test_bfloat16_is_asked_for_and_stays_close():
    torch.manual_seed(0)
    module = torchvision.models.squeezenet1_1()
    full, half = (load_classifier(module, precision=precision) for precision in ("auto", "bf16"))
    assert (full.precision, half.precision) == ("auto", "bf16")
    with torch.no_grad():
        a, b = full.logits(PIXELS), half.logits(PIXELS)
    assert b.dtype is torch.float32
    assert 0 < float((a - b).abs().max()) < 0.05 * float(a.abs().max())


def test_a_classifier_is_given_back_as_it_is():
    classifier = load_classifier(tiny())
    assert load_classifier(classifier) is classifier


def test_the_fingerprint_is_of_every_weight():
    module = tiny()
    one = fingerprint(module)
    assert fingerprint(module) == one
    with torch.no_grad():
        module[2].bias[1] += 1e-7
    assert fingerprint(module) != one


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("resnet18", "did you mean torchvision/resnet18?"),
        ("ResNet-18", "did you mean torchvision/resnet18?"),
        ("torchvison/resnet18", "did you mean torchvision/resnet18?"),
        ("torchvision/resnet81", "did you mean torchvision/resnet"),
        ("something else", "see: unveil models"),
    ],
)
def test_a_misspelled_model_gets_the_nearest_name(text, advice):
    with pytest.raises(ClassifierError) as caught:
        load_classifier(text, "none")
    assert caught.value.do.startswith(advice)
