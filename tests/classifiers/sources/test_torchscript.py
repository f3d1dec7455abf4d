"""`torchscript/FILE`: the numbers and gradients of the network that was saved; one line for anything else."""

import pickle
import zipfile

import pytest
import torch
from torch import nn

import unveil
from unveil.attribution import Gradient
from unveil.errors import ClassifierError
from unveil.targets import TargetScore

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*torch.jit.*:FutureWarning")

SQUARE = unveil.Preprocessing.square(16, (0.5,) * 3, (0.25,) * 3)


def network(seed=0):
    torch.manual_seed(seed)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    return nn.Sequential(*layers)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.pt"
    torch.jit.script(network()).save(str(path))
    return path


def inputs_of(pixels):
    return (torch.as_tensor(pixels) - 0.5) / 0.25


@pytest.mark.parametrize("form", ["scripted", "traced", "frozen"])
def test_logits_and_gradients_are_those_of_the_network(form, tmp_path):
    expected = network().eval()
    made = {
        "scripted": lambda: torch.jit.script(network()),  # in training mode, as people forget to leave it
        "traced": lambda: torch.jit.trace(expected, torch.zeros(1, 3, 16, 16)),
        "frozen": lambda: torch.jit.freeze(torch.jit.script(expected)),
    }[form]()
    made.save(str(tmp_path / "net.pt"))
    classifier = unveil.load_classifier(f"torchscript/{tmp_path / 'net.pt'}", preprocessing=SQUARE, labels=list("abc"))
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    logits = classifier.logits(pixels)
    leaf = inputs_of(pixels).requires_grad_()
    (gradient,) = torch.autograd.grad(expected(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(torch.as_tensor(logits), expected(inputs_of(pixels)).detach(), atol=1e-5, rtol=1e-4)
    found, _ = Gradient().gradients(classifier, pixels[:1], [TargetScore("b", ((1, 1.0),))])
    torch.testing.assert_close(found[0], gradient[:1] / 0.25, atol=1e-5, rtol=1e-4)


def test_weights_replace_those_in_the_file(file, tmp_path):
    torch.save(network(1).state_dict(), tmp_path / "other.pth")
    classifier = unveil.load_classifier(f"torchscript/{file}", tmp_path / "other.pth", preprocessing=SQUARE)
    pixels = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    expected = network(1).eval()(inputs_of(pixels)).detach()
    torch.testing.assert_close(torch.as_tensor(classifier.logits(pixels)), expected, atol=1e-5, rtol=1e-4)
    assert classifier.fingerprint != unveil.load_classifier(f"torchscript/{file}", preprocessing=SQUARE).fingerprint


def test_other_files_get_one_line(file, tmp_path):
    torch.save(network().state_dict(), tmp_path / "weights.pth")
    (tmp_path / "cut.pt").write_bytes(file.read_bytes()[:-200])
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("net/constants.pkl", b"")
    wrong = {
        "none.pt": "which is not a file; check the path",
        ".": "which is not a file",
        "weights.pth": "which isn't one, or is cut off; .*--weights",
        "cut.pt": "which isn't one, or is cut off",
        "empty.pt": "; fetch the file again",
    }
    for name, told in wrong.items():
        with pytest.raises(ClassifierError, match=told) as error:
            unveil.load_classifier(f"torchscript/{tmp_path / name}")
        assert "\n" not in str(error.value)
    with pytest.raises(ClassifierError, match=r"did you mean torchscript/.*net\.pt\?"):
        unveil.load_classifier(str(file))


class Attack:
    """What a pickle would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("part", ["data.pkl", "constants.pkl"])
def test_a_pickle_in_the_file_is_never_run(part, file, tmp_path):
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "bad.pt", "w") as bad:
        for name in archive.namelist():
            attack = name.endswith(part)
            bad.writestr(name, pickle.dumps(Attack(tmp_path / "run"), protocol=2) if attack else archive.read(name))
    with pytest.raises(ClassifierError):
        unveil.load_classifier(f"torchscript/{tmp_path / 'bad.pt'}")
    assert not (tmp_path / "run").exists()
