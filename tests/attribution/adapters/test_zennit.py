"""Layer-wise relevance propagation: against formulas written out by hand, against zennit itself where zennit is right,
and refused where its rules would silently miss a step."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, ResNet
from zennit.attribution import Gradient as ZennitGradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonAlpha2Beta1, EpsilonGammaBox, EpsilonPlus, EpsilonPlusFlat
from zennit.core import Composite
from zennit.layer import Sum
from zennit.torchvision import ResNetCanonizer

import unveil
from twins import matrix_of
from unveil.attribution import AttributionRequest, Gradient, SmoothGrad, Zennit
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

MEAN, STD = (0.4, 0.5, 0.6), (0.5, 0.25, 0.2)
FIRST, MARGIN = TargetScore("a", ((0, 1.0),)), TargetScore("b − c", ((1, 1.0), (2, -1.0)))


def classifier_of(module: nn.Module, size: int = 8) -> TorchClassifier:
    return TorchClassifier(module, Preprocessing.square(size, MEAN, STD))


def pixels_of(size: int = 8, count: int = 2) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def normalized(pixels: Tensor) -> Tensor:
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def relevance(zennit: Zennit, module: nn.Module, *target_scores: TargetScore, size: int = 8) -> Tensor:
    return zennit.gradients(classifier_of(module, size), pixels_of(size), target_scores)[0]


def chain(*, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, bias=bias), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3, bias=bias),
    ).double()  # fmt: skip


class ByHand:
    """LRP of `chain`, layer by layer, every linear layer a matrix: z+ for convolutions, epsilon for the last."""

    def __init__(self, net: nn.Sequential) -> None:
        self.first, self.b1 = matrix_of(net[0], (3, 8, 8))
        self.second, self.b2 = matrix_of(net[3], (4, 4, 4))
        self.last, self.b3 = matrix_of(net[6], (20,))

    @staticmethod
    def plus(a: np.ndarray, matrix: np.ndarray, bias: np.ndarray, above: np.ndarray) -> np.ndarray:
        """R_i = Σ_j (a_i w_ij)⁺ / (Σ_k (a_k w_kj)⁺ + b_j⁺) R_j"""
        shares = np.maximum(matrix * a, 0)
        return (shares / (shares.sum(1) + np.maximum(bias, 0) + 1e-6)[:, None] * above[:, None]).sum(0)

    @staticmethod
    def epsilon(a: np.ndarray, matrix: np.ndarray, bias: np.ndarray, above: np.ndarray, epsilon: float) -> np.ndarray:
        """R_i = Σ_j a_i w_ij / (z_j + ε sign z_j) R_j"""
        z = matrix @ a + bias
        return ((matrix * a) / (z + epsilon * np.where(z < 0, -1, 1))[:, None] * above[:, None]).sum(0)

    def __call__(self, x: np.ndarray, weights: np.ndarray, epsilon: float) -> np.ndarray:
        one = np.maximum(self.first @ x + self.b1, 0).reshape(4, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(64, 4)
        pooled = one.max(1)
        two = np.maximum(self.second @ pooled + self.b2, 0)
        above = weights * (self.last @ two + self.b3)
        above = self.epsilon(two, self.last, self.b3, above, epsilon)
        above = self.plus(pooled, self.second, self.b2, above)
        spread = np.zeros_like(one)
        spread[np.arange(64), one.argmax(1)] = above  # the winner takes all
        spread = spread.reshape(4, 4, 4, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1)
        return self.plus(x, self.first, self.b1, spread).reshape(3, 8, 8)


def test_epsilon_plus_is_the_formula_layer_by_layer():
    by_hand = ByHand(chain())
    for epsilon in (1e-6, 0.3):
        found = relevance(Zennit("EpsilonPlus", epsilon=epsilon), chain(), FIRST, MARGIN)
        for number, weights in enumerate(([1.0, 0.0, 0.0], [0.0, 1.0, -1.0])):
            for image, x in enumerate(normalized(pixels_of()).double().numpy()):
                expected = by_hand(x.reshape(-1), np.array(weights), epsilon)
                np.testing.assert_allclose(found[number, image], expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("composite", ["EpsilonPlus", "EpsilonPlusFlat", "EpsilonAlpha2Beta1", "ExcitationBackprop"])
def test_without_biases_relevance_adds_up_to_the_score(composite):
    """Nothing is lost or made up on the way back, as ε goes to 0; for a margin it adds up to the margin."""
    settings = {} if composite == "ExcitationBackprop" else {"epsilon": 1e-9}
    found = relevance(Zennit(composite, **settings), chain(bias=False), FIRST, MARGIN).sum((2, 3, 4))
    logits = chain(bias=False)(normalized(pixels_of()).double()).detach()
    np.testing.assert_allclose(found[0], logits[:, 0], rtol=1e-3)
    np.testing.assert_allclose(found[1], logits[:, 1] - logits[:, 2], rtol=1e-3)


def test_the_bounds_are_normalized_black_and_white():
    """One convolution over the whole image: R_i = (x_i w_i − l w_i⁺ − h w_i⁻) / Σ(…) · z, channel by channel."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 3, 8, bias=False), nn.Flatten()).double()
    found = relevance(Zennit("EpsilonGammaBox"), net, FIRST)[0, 0]
    weight, x = net[0].weight[0].detach(), normalized(pixels_of()).double()[0]
    low, high = (normalized(torch.full((3, 1, 1), end)).double() for end in (0.0, 1.0))
    shares = x * weight - low * weight.clamp(min=0) - high * weight.clamp(max=0)
    assert (shares >= 0).all(), "within the box every share has the sign of its sum"
    np.testing.assert_allclose(found, shares / shares.sum() * (x * weight).sum(), rtol=1e-4)


def test_beta_smooth_is_a_gradient_in_pixels():
    """∂/∂x of the chain with σ(10 z) in place of [z > 0]; the same ReLU used twice has two inputs."""
    torch.manual_seed(0)
    relu, layers = nn.ReLU(), [nn.Linear(n, m).double() for n, m in ((192, 30), (30, 20), (20, 3))]
    net = nn.Sequential(nn.Flatten(), layers[0], relu, layers[1], relu, layers[2])
    found = relevance(Zennit("BetaSmooth"), net, FIRST)[0]
    for image, x in zip(found, normalized(pixels_of()).double().flatten(1), strict=True):
        z1 = layers[0](x)
        z2 = layers[1](z1.clamp(min=0))
        back = layers[2].weight[0] * torch.sigmoid(10 * z2) @ layers[1].weight
        expected = (back * torch.sigmoid(10 * z1) @ layers[0].weight).reshape(3, 8, 8) / torch.tensor(STD)[
            :, None, None
        ]
        np.testing.assert_allclose(image, expected.detach(), rtol=1e-4, atol=1e-7)


def shaken(module: nn.Module) -> nn.Module:
    """Batch norms that do something."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values, least in (
                (part.running_mean, -0.2),
                (part.running_var, 0.5),
                (part.weight.data, 0.5),
                (part.bias.data, -0.1),
            ):
                values.uniform_(least, least + 0.6)
    return module.eval()


def test_a_resnet_has_the_relevance_of_zennits_own_canonizer():
    """Additions, batch norms and the ReLU that is used twice: our form of the network against its canonizer."""
    torch.manual_seed(0)
    net = shaken(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3))
    pixels = pixels_of(32, 1)
    ours, report = Zennit("EpsilonPlusFlat").gradients(classifier_of(net, 32), pixels, [FIRST])
    composite = EpsilonPlusFlat(canonizers=[ResNetCanonizer()])
    theirs = by_zennit_alone(net, composite, pixels)
    np.testing.assert_allclose(ours[0], theirs, atol=2e-3 * float(theirs.abs().max()))
    assert report.overridden == {"ReLU": 9}


class Written(nn.Module):
    """A residual network written with functions throughout, or with layers throughout."""

    def __init__(self, *, layers: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(6), nn.Linear(6, 3)
        self.rectify = nn.ModuleList([nn.ReLU(), nn.ReLU()])
        self.pool, self.mean = nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        if self.layers:
            x = self.pool(self.rectify[0](self.one(x)))
            y = self.norm(self.two(x))
            return self.head(self.mean(self.rectify[1](self.sum(torch.stack([x, y], -1)))).flatten(1))
        x = functional.avg_pool2d(functional.relu(self.one(x)), 2)
        norm = self.norm
        y = functional.batch_norm(
            self.two(x), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
        x = (x + y).relu_().mean((2, 3))
        return functional.linear(x, self.head.weight, bias=self.head.bias)


def by_zennit_alone(net: nn.Module, composite: Composite, pixels: Tensor) -> Tensor:
    """Its own attributor on normalized pixels, from the first logit."""
    result: Any = ZennitGradient(net, composite)(normalized(pixels), lambda y: y * torch.tensor([1.0, 0.0, 0.0]))
    return result[1].detach()


@pytest.mark.parametrize("kind", [EpsilonPlus, EpsilonGammaBox, EpsilonAlpha2Beta1])
def test_functions_have_the_rules_of_layers(kind):
    """The network of functions by us, and the same network in layers by zennit alone."""
    functions, layers = shaken(Written(layers=False)), shaken(Written(layers=True))
    layers.load_state_dict(functions.state_dict())
    layers.sum = Sum()
    box = [normalized(torch.full((1, 3, 1, 1), end)) for end in (0.0, 1.0)] if kind is EpsilonGammaBox else []
    theirs = by_zennit_alone(layers, kind(*box, canonizers=[SequentialMergeBatchNorm()]), pixels_of())
    ours = relevance(Zennit(kind.__name__), functions, FIRST)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * float(theirs.abs().max()))
    blind = by_zennit_alone(functions, kind(*box), pixels_of())
    assert float((blind - ours).abs().max() / ours.abs().max()) > 0.1, "what hooks alone give is something else"


def test_the_first_layer_is_the_one_used_first():
    """`Flat` gives every input of the first layer the same; here it is declared last, and written as a function."""

    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.last, self.first = nn.Linear(10, 3), nn.Linear(192, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(functional.linear(x.flatten(1), self.first.weight, self.first.bias).relu())

    found = relevance(Zennit("EpsilonPlusFlat"), Backwards(), FIRST)[0]
    np.testing.assert_allclose(found, found[:, :1, :1, :1].expand_as(found), rtol=1e-4)
    assert found.abs().min() > 0
    found = relevance(Zennit("EpsilonPlus"), Backwards(), FIRST)[0]
    assert found.std() > 10 * abs(float(found.mean()))


def net_with(step: Callable[[Tensor], Tensor], layer: nn.Module | None = None) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.layer = nn.Conv2d(3, 4, 3, padding=1), layer or nn.Identity()
            self.head = nn.Linear(4 * 64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(step(self.conv(x))).flatten(1))

    return Net()


@pytest.mark.parametrize(
    ("net", "missed"),
    [
        (net_with(lambda x: x * torch.sigmoid(x)), "1 × Mul, 1 × Sigmoid outside"),
        (net_with(lambda x: functional.conv2d(x, torch.ones(4, 4, 1, 1))), "1 × Convolution outside"),
        (net_with(functional.silu), "1 × Silu outside"),
        (net_with(lambda x: x, nn.LayerNorm([4, 8, 8])), "1 × NativeLayerNorm outside"),
        (net_with(lambda x: x + 1.0), "1 × Add outside"),
    ],
)  # fmt: skip
def test_steps_without_a_rule_are_refused_by_name(net, missed):
    with pytest.raises(
        AttributionError, match=rf"whose every step has a rule of zennit's EpsilonPlus; got .*{missed}.*use Captum"
    ):
        relevance(Zennit("EpsilonPlus"), net, FIRST)
    assert Gradient().gradients(classifier_of(net), pixels_of(), [FIRST])[0].abs().max() > 0, "the advice works"


def test_networks_without_a_canonical_form_are_refused():
    with pytest.raises(AttributionError, match="a network that torch.fx can trace; got .*control flow"):
        relevance(Zennit(), net_with(lambda x: x if x.sum() > 0 else -x), FIRST)
    with pytest.raises(AttributionError, match="no layer with a rule"):
        relevance(Zennit("BetaSmooth"), net_with(functional.silu), FIRST)
    with pytest.raises(AttributionError, match="1 × Hardtanh outside"):
        relevance(Zennit("BetaSmooth"), nn.Sequential(chain(), nn.ReLU6()).float(), FIRST)
    net = net_with(lambda x: x, nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)))
    with pytest.raises(
        AttributionError, match="weights are parameters; got a ParametrizedConv2d with weights computed from others"
    ):
        relevance(Zennit(), net, FIRST)


def test_a_canonical_form_with_other_logits_is_refused():
    """What is changed in place and read under its old name is lost in the form; the comparison of logits finds it."""

    def in_place(x: Tensor) -> Tensor:
        x.add_(x.roll(1, -1))
        return x

    with pytest.raises(
        AttributionError, match="the same logits from the network in canonical form; got logits that differ by .*%"
    ):
        relevance(Zennit(), net_with(in_place), FIRST)


def test_the_model_is_not_changed_even_by_an_error(monkeypatch):
    classifier = classifier_of(shaken(Written(layers=False)))
    before = {name: value.clone() for name, value in classifier._module.state_dict().items()}
    logits = classifier.logits(pixels_of())
    Zennit().gradients(classifier, pixels_of(), [FIRST, MARGIN])
    monkeypatch.setattr("zennit.rules.Norm.backward", lambda *given: 1 / 0)
    with pytest.raises(AttributionError, match="zennit's EpsilonPlus to work on Written; got division by zero; use"):
        Zennit("EpsilonPlus").gradients(classifier, pixels_of(), [FIRST])
    assert all(torch.equal(value, before[name]) for name, value in classifier._module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in classifier._module.modules())
    assert torch.equal(classifier.logits(pixels_of()), logits)
    monkeypatch.undo()
    assert torch.isfinite(Zennit("EpsilonPlus").gradients(classifier, pixels_of(), [FIRST])[0]).all()


def test_the_loop_and_smoothgrad_run_with_it():
    classifier = classifier_of(chain().float())
    recipe = Recipe(attribution=SmoothGrad(Zennit("EpsilonPlus", epsilon=0.01), samples=4), stop=MaxRounds(2))
    run = unveil.find_regions(pixels_of()[0], classifier, recipe, seed=3)
    again = unveil.find_regions(pixels_of()[0], classifier, recipe, seed=3, batch_size=3)
    assert run.regions
    assert [one.mask for one in run.regions] == [one.mask for one in again.regions]
    assert run.rounds[0].rectifiers == 2
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_unknown_names_and_settings_are_refused(monkeypatch):
    with pytest.raises(RecipeError, match="a composite of zennit; got 'epsilon_plus'; did you mean EpsilonPlus or"):
        Zennit("epsilon_plus").look_up()
    with pytest.raises(RecipeError, match="a composite of zennit; got 'os'; some are BetaSmooth, EpsilonAlpha2Beta1,"):
        Zennit("os").look_up()
    for name, instead in (
        ("GuidedBackprop", "GuidedBackprop"),
        ("SmoothGrad", r"SmoothGrad\(Zennit"),
        ("Occlusion", "Occlusion"),
    ):
        with pytest.raises(RecipeError, match=f"got {name}; use {instead}"):
            Zennit(name)
    with pytest.raises(RecipeError, match="no epsilon for BetaSmooth; got 0.1; leave it out"):
        Zennit("BetaSmooth", epsilon=0.1).look_up()
    with pytest.raises(RecipeError, match="no gamma for EpsilonPlus"):
        Zennit("EpsilonPlus", gamma=0.1).look_up()
    with pytest.raises(RecipeError, match="epsilon above 0"):
        Zennit(epsilon=0.0)
    box = BlackBox(lambda inputs: np.zeros((len(inputs), 3)), Preprocessing.square(8, MEAN, STD))
    with pytest.raises(AttributionError, match=r"a PyTorch model for zennit; got .*; use Rise\(\) or Occlusion\(\)"):
        Zennit().attribute(AttributionRequest(box, pixels_of()[0], [FIRST], "key", 8))
    monkeypatch.setitem(sys.modules, "zennit.composites", None)
    with pytest.raises(MissingLibraryError, match=r"unveil\[zennit\]"):
        Zennit().look_up()
