"""CheXNet: every spelling of its checkpoints gives the original network's logits; none of them can run code."""

import copy
import enum
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image as Pillow
from rich.console import Console
from safetensors.torch import save_file
from torch import nn

import unveil
from unveil.attribution import Gradient, SmoothGrad
from unveil.classifiers import Preprocessing, load_classifier
from unveil.classifiers.sources.chexnet import CHESTXRAY14_LABELS
from unveil.cli import main
from unveil.cli.results import region_table
from unveil.errors import ClassifierError, WeightsError
from unveil.predictions import Output
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds

PIXELS = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


class Trained(nn.Module):
    """As the training scripts have it: the network as an attribute, a sigmoid as part of its head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.densenet121 = copy.deepcopy(network)
        self.densenet121.classifier = nn.Sequential(copy.deepcopy(network.classifier), nn.Sigmoid())

    def forward(self, x):
        return self.densenet121(x)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """DenseNet-121 with 14 outputs, and with statistics and biases that aren't those of a new one."""
    torch.manual_seed(0)
    made = torchvision.models.densenet121(num_classes=14).eval()
    with torch.no_grad():
        for part in made.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.8, 1.2)
                part.weight.uniform_(0.8, 1.2)
        made.classifier.bias.normal_()
    return made


@pytest.fixture(scope="module")
def expected(network) -> np.ndarray:
    with torch.no_grad():
        return network((PIXELS - MEAN) / STD).numpy()


def dotted(state: dict) -> dict:
    """Names as of 2017: no counters, and a dot before the numbers of layers in a dense layer."""
    made = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[-1] == "num_batches_tracked":
            continue
        if any(part.startswith("denselayer") for part in parts):
            parts[-2] = f"{parts[-2][:-1]}.{parts[-2][-1]}"
        made[".".join(parts)] = tensor
    return made


def beside(state: dict, **more) -> dict:
    momentum = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}
    return {"epoch": 7, "optimizer": {"state": momentum, "param_groups": [{"lr": 1e-4}]}, "state_dict": state, **more}


FORMS = {
    "plain": lambda net: net.state_dict(),
    "best_acc1": lambda net: beside(net.state_dict(), best_acc1=torch.tensor(0.8), arch="densenet121"),
    "module": lambda net: nn.DataParallel(net).state_dict(),
    "densenet121": lambda net: {f"densenet121.{name}": tensor for name, tensor in net.state_dict().items()},
    "parallel with a sigmoid": lambda net: nn.DataParallel(Trained(net)).state_dict(),
    "dots": lambda net: dotted(net.state_dict()),
    "numpy": lambda net: beside(
        net.state_dict(), best_loss=np.float64(0.5), auc=np.float32(0.8), step=np.int64(3), done=np.bool_(True)
    ),
    "all of it": lambda net: beside(dotted(nn.DataParallel(Trained(net)).state_dict()), best_loss=np.float64(0.5)),
}


@pytest.mark.parametrize("form", [*FORMS, "all of it, old file", "all of it, numpy 1", "safetensors"])
def test_every_form_gives_the_logits_of_the_original(form, network, expected, tmp_path):
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "model.pth.tar")
    if form == "safetensors":
        save_file(Trained(network).state_dict(), path)
    elif form in FORMS:
        torch.save(FORMS[form](network), path)
    else:
        torch.save(FORMS["all of it"](network), path, _use_new_zipfile_serialization=False)
    if form == "all of it, numpy 1":
        old = path.read_bytes().replace(b"cnumpy._core.multiarray\nscalar\n", b"cnumpy.core.multiarray\nscalar\n")
        assert b"cnumpy.core.multiarray\nscalar\n" in old
        path.write_bytes(old)
    classifier = load_classifier(f"chexnet/{path}", device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(classifier.logits(PIXELS), expected, rtol=1e-4, atol=1e-4)
    assert (classifier.labels, classifier.output) == (CHESTXRAY14_LABELS, Output.SIGMOID)


def test_the_sigmoid_is_taken_once(network, tmp_path):
    trained = Trained(network).eval()
    torch.save(trained.state_dict(), tmp_path / "w.pth")
    classifier = load_classifier("chexnet", tmp_path / "w.pth", device="cpu")
    with torch.no_grad():
        probabilities = trained((PIXELS - MEAN) / STD)[0].numpy()
    np.testing.assert_allclose(classifier.predict(PIXELS)[0].probabilities, probabilities, atol=1e-5)


def test_gray_images_are_resized_cropped_and_replicated():
    classifier = load_classifier("chexnet/none", device="cpu")
    assert classifier.preprocessing == Preprocessing((224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256)
    gray = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
    prepared = classifier.prepare(unveil.Image.from_array(gray)).pixels
    reference = torchvision.transforms.Compose(
        [
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Resize(256, antialias=True),
            torchvision.transforms.CenterCrop(224),
        ]
    )(gray).expand(3, 224, 224)
    np.testing.assert_allclose(prepared, reference, atol=1e-5)


class InputOutput(enum.Enum):
    INPUT, OUTPUT = 1, 2


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 14), nn.Sigmoid()), "a whole pickled network"),
        (
            lambda: {"model": nn.Linear(2, 14), "best_loss": np.float64(1), "epoch": 3},
            "(a whole pickled network under model|objects other than tensors)",
        ),
        (lambda: {"state_dict": {"a": torch.zeros(1)}, "fold": InputOutput.OUTPUT}, "objects other than tensors"),
    ],
)
def test_whatever_else_is_pickled_is_refused_with_the_reason(content, named, zipped, tmp_path):
    torch.save(content(), tmp_path / "m.pth.tar", _use_new_zipfile_serialization=zipped)
    told = rf"got .*m.pth.tar with .*{named}.*, which could run code when loaded; .* save the model's state_dict\(\)"
    with pytest.raises(WeightsError, match=told) as error:
        load_classifier(f"chexnet/{tmp_path / 'm.pth.tar'}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused_and_not_run(zipped, tmp_path):
    trace = tmp_path / "was here"
    calls = [(Path.touch, (trace,)), (eval, (f"open({str(trace)!r}, 'w')",)), (__import__("os").mkdir, (str(trace),))]
    for function, arguments in calls:

        class Bad:
            answer = (function, arguments)

            def __reduce__(self):
                return self.answer

        checkpoint = beside({"classifier.bias": torch.zeros(14)}, best_loss=np.float64(1), best=Bad())
        torch.save(checkpoint, tmp_path / "m.pth.tar", _use_new_zipfile_serialization=zipped)
        with pytest.raises(WeightsError, match="could run code when loaded"):
            load_classifier("chexnet", tmp_path / "m.pth.tar")
    assert not trace.exists()


def test_what_is_let_through_is_let_through_only_while_a_file_is_read(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(1)}, "aucs": np.zeros(14)}, tmp_path / "w.pth")
    before = set(torch.serialization.get_safe_globals())
    with pytest.raises(WeightsError, match="features.conv0.weight is missing"):
        load_classifier(f"chexnet/{tmp_path / 'w.pth'}")
    assert set(torch.serialization.get_safe_globals()) == before


def test_files_that_do_not_fit_are_named(network, tmp_path):
    state = nn.DataParallel(Trained(network)).state_dict()
    path = tmp_path / "w.pth"

    def told(content, **options) -> str:
        torch.save(content, path)
        with pytest.raises(ClassifierError) as error:
            load_classifier(f"chexnet/{path}", **options)
        assert "\n" not in str(error.value)
        return str(error.value)

    few = {name: tensor for name, tensor in state.items() if "denseblock4.denselayer16.conv2" not in name}
    assert "features.denseblock4.denselayer16.conv2.weight is missing" in told(few)
    assert "where extra.weight is not in the model" in told({**state, "module.extra.weight": torch.zeros(1)})
    twice = told({**state, "classifier.bias": torch.zeros(14)})
    assert "every tensor of CheXNet once; got" in twice
    assert "where 1 come twice in different spellings" in twice
    imagenet = {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}
    assert "the 14 outputs of CheXNet; got" in told(imagenet)
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    assert "expected 14 labels, one for each output of" in told(state, labels=tmp_path / "names.txt")
    (tmp_path / "none.txt").write_text("")
    assert "none.txt with no labels; write one name for every index" in told(state, labels=tmp_path / "none.txt")


def test_another_number_of_outputs_with_labels(network, tmp_path):
    state = network.state_dict()
    state["classifier.weight"], state["classifier.bias"] = torch.zeros(2, 1024), torch.tensor([1.0, -2.0])
    torch.save(state, tmp_path / "w.pth")
    classifier = load_classifier(f"chexnet/{tmp_path / 'w.pth'}", labels=["Finding", "No finding"], device="cpu")
    np.testing.assert_allclose(classifier.predict(PIXELS)[0].logits, [1, -2])


@pytest.mark.parametrize(
    ("model", "weights", "told"),
    [
        ("chexnet", None, "got no file; CheXNet has no published weights"),
        ("chexnet/", None, "got no file"),
        ("chexnet/none", "w.pth", "got none and w.pth; name one file"),
        ("chexnet/missing.pth", None, "missing.pth, which is not a file"),
        ("chexnet", "IMAGENET1K_V1", "IMAGENET1K_V1, which is not a file"),
    ],
)
def test_a_call_without_one_file(model, weights, told):
    with pytest.raises(WeightsError, match=told):
        load_classifier(model, weights)


@pytest.fixture
def radiograph() -> np.ndarray:
    noise = np.random.default_rng(1).random((240, 260))
    noise[60:140, 80:160] += 1
    return np.round(noise / noise.max() * 255).astype(np.uint8)


def with_bias(network: nn.Module, path: Path, bias: np.ndarray):
    state = {**network.state_dict(), "classifier.bias": torch.tensor(bias, dtype=torch.float32)}
    torch.save({"state_dict": state}, path)
    return load_classifier("chexnet", path, device="cpu")


@pytest.mark.parametrize("attribution", [Gradient(), SmoothGrad(samples=2)], ids=["Gradient", "SmoothGrad"])
def test_labels_that_appear_only_after_erasing_are_named_and_asked_about(network, radiograph, attribution, tmp_path):
    """Biases are set so that Edema alone is predicted at first, and that erasing its regions brings another label."""
    edema = CHESTXRAY14_LABELS.index("Edema")
    recipe = Recipe(attribution=attribution, stop=MaxRounds(1))
    zero = with_bias(network, tmp_path / "zero.pth", np.zeros(14))
    first = zero.predict(zero.prepare(unveil.Image.from_array(radiograph)).pixels[None])[0].logits
    only_edema = np.where(np.arange(14) == edema, 50, -50) - first

    one = unveil.find_regions(radiograph, with_bias(network, tmp_path / "one.pth", only_edema), recipe).rounds[0]
    rise = one.after.logits - one.before.logits
    rise[edema] = -np.inf
    hidden = int(rise.argmax())
    assert rise[hidden] > 1e-3, "erasing has to move the logits for this test"

    bias = only_edema.copy()
    bias[hidden] = -rise[hidden] / 2 - first[hidden]
    classifier = with_bias(network, tmp_path / "two.pth", bias)
    run = unveil.find_regions(radiograph, classifier, Recipe(attribution=attribution, stop=MaxRounds(2)))
    assert run.first.predicted() == (edema,)
    assert run.appeared(run.rounds[0]) == (CHESTXRAY14_LABELS[hidden],)
    table = Console(width=200, file=io.StringIO())
    table.print(region_table(run, 400))
    assert f"+ {CHESTXRAY14_LABELS[hidden]}" in table.file.getvalue()
    asked = [{one.target for one in each.maps} for each in run.rounds]
    assert asked == [{"Edema"}, {"Edema", CHESTXRAY14_LABELS[hidden]}]
    for each in run.rounds:
        positive = {label for label, logit in zip(CHESTXRAY14_LABELS, each.after.logits, strict=True) if logit >= 0}
        assert set(run.appeared(each)) <= positive
        assert not set(run.disappeared(each)) & positive


def test_the_command_runs_it(radiograph, tmp_path, monkeypatch, capsys):
    Pillow.fromarray(radiograph).save(tmp_path / "chest.png")
    (tmp_path / "quick.toml").write_text(Recipe(attribution=Gradient(), stop=MaxRounds(1)).to_toml())
    words = ["run", "chest.png", "--model", "chexnet", "--weights", "none", "--recipe", "quick.toml", "--json"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["unveil", *words, "--device", "cpu", "--target", "Edema"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    (done,) = json.loads(capsys.readouterr().out)["runs"]
    assert done["status"] == "done"
    run = unveil.load_run(done["folder"])
    assert (run.classifier.name, run.classifier.labels) == ("chexnet", CHESTXRAY14_LABELS)
