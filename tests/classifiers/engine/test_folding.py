"""Folded networks have equal outputs, and gradients under every backward rule; the original module stays unchanged."""

import copy

import pytest
import torch
import torchvision
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from unveil.attribution import Deconvnet, Gradient, GuidedBackprop
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.classifiers.engine.folding import Shift, fold_batch_norms
from unveil.targets import TargetScore

PREPROCESSING = Preprocessing.square(32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
TARGET_SCORES = (TargetScore("a", ((1, 1.0),)), TargetScore("a - b", ((0, 1.0), (2, -1.0))))


def randomized_norms(module: nn.Module) -> nn.Module:
    """Give batch norms values as after training, with scales of both signs and one scale of zero."""
    torch.manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.data[0] = 0
    return module.double().eval().requires_grad_(False)


class BeforeConvolutions(nn.Module):
    """DenseNet's order, with a residual sum, a ReLU as a function and a padded convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(3))
        self.convs = nn.ModuleList([nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3)])
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        x = self.first(x)
        for number, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            y = conv(torch.relu(norm(x)))
            x = x + y if number < 2 else y
        return self.last(x.mean((2, 3)))


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3),
    )  # fmt: skip


NETWORKS = {
    "left": plain,
    "right": BeforeConvolutions,
    "densenet121": lambda: torchvision.models.DenseNet(8, (2, 3), 16, num_classes=4),
    "resnet18": lambda: torchvision.models.resnet18(num_classes=4),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", [Gradient(), Deconvnet(), GuidedBackprop()], ids=repr)
def test_the_same_logits_and_gradients_as_layer_by_layer(name, method):
    """The reference is the module itself, never traced: in float64, to the last digits."""
    module = randomized_norms(NETWORKS[name]())
    classifier = TorchClassifier(module, PREPROCESSING)
    assert classifier._plan.network is not classifier._module, "it was folded"
    pixels = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    gradients, report = method.gradients(classifier, pixels, TARGET_SCORES)

    unfolded = copy.copy(classifier)
    unfolded._plan = classifier._layer_plan
    expected, expected_report = method.gradients(unfolded, pixels, TARGET_SCORES)
    assert torch.allclose(classifier.logits(pixels), module(classifier.normalized(pixels)), rtol=1e-10)
    # Both are float32, and at 0 a rectifier has no unique derivative.
    assert torch.allclose(gradients, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    assert report == expected_report


def test_every_norm_before_a_convolution_becomes_a_shift():
    module = randomized_norms(BeforeConvolutions())
    folded = fold_batch_norms(module, torch.zeros(1, 3, 32, 32, dtype=torch.float64))
    assert sum(isinstance(part, Shift) for part in folded.modules()) == 3
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())


def test_a_positive_scale_leaves_one_addition():
    norm = randomized_norms(nn.BatchNorm2d(4))
    assert Shift.of(norm, 2).sign is not None
    norm.weight.data = norm.weight.data.abs() + 0.1
    assert Shift.of(norm, 2).sign is None


def test_layers_without_a_norm_are_shared_and_not_copied():
    module = randomized_norms(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
    )
    folded = fold_batch_norms(module, torch.zeros(1, 3, 8, 8, dtype=torch.float64))
    assert folded.get_submodule("3") is module[3]
    assert folded.get_submodule("0") is not module[0]


class Branching(nn.Module):
    """Branches on its input, so that torch.fx can't trace it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.norm(self.conv(x))
        return (y if float(x.sum()) > 0 else -y).mean((2, 3))


class Twice(Branching):
    """Uses one convolution twice, before a norm and without one."""

    def forward(self, x):
        return (self.norm(self.conv(x)) + self.conv(x)).mean((2, 3))


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Flatten())
    module[0].register_forward_hook(lambda part, given, output: 2 * output)
    return module


def weight_normed() -> nn.Module:
    return nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4), nn.Flatten())


@pytest.mark.parametrize("make", [Branching, Twice, hooked, weight_normed])
def test_networks_that_cannot_be_folded_have_the_same_outputs(make):
    module = randomized_norms(make())
    inputs = torch.randn(3, 3, 9, 9, dtype=torch.float64)
    folded = fold_batch_norms(module, inputs)
    assert torch.allclose(folded(inputs), module(inputs), rtol=1e-10)


def test_the_network_is_folded_when_logits_are_first_computed(monkeypatch):
    folded = []

    def fold(module, blank, matches):
        folded.append(module)
        return fold_batch_norms(module, blank, matches)

    monkeypatch.setattr("unveil.classifiers.engine.faster_form.fold_batch_norms", fold)
    classifier = TorchClassifier(randomized_norms(NETWORKS["resnet18"]()), PREPROCESSING)
    pixels = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    by_layers = classifier.logits_by_layers(pixels)
    assert folded == []
    with torch.inference_mode():
        logits = classifier.logits(pixels)
    assert len(folded) == 1
    assert torch.allclose(logits, by_layers, rtol=1e-8)
    inputs = pixels.requires_grad_()
    assert torch.autograd.grad(classifier.logits(inputs).sum(), inputs)[0].any(), (
        "gradients work although the network was folded in inference mode"
    )
    assert len(folded) == 1
