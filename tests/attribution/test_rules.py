"""Backward rules against slow float64 twins, on every way to write a rectifier; and what is refused."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twins import ChainTwin, back_through_rectifier, matrix_of
from unveil.attribution import AttributionRequest, Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.rules import Deconv, Guided
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.errors import AttributionError
from unveil.targets import TargetScore

SHAPE = (2, 6, 5)
METHODS = {"plain": Gradient(), "deconvnet": Deconvnet(), "guided": GuidedBackprop()}
RULES = {"deconvnet": Deconv(), "guided": Guided()}


class Layers(nn.Module):
    """Three linear layers; subclasses say how they rectify between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 3, stride=2)
        self.last = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(self.first(x))
        return self.last(self.rectify(self.second(x)).flatten(1))

    def rectify(self, x: Tensor) -> Tensor:
        return F.relu(x)


class Modules(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.two(self.second(self.one(self.first(x)))).flatten(1))


class InPlaceModules(Modules):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.ReLU(inplace=True), nn.ReLU(inplace=True)


class OneModuleTwice(Layers):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.ReLU()

    def rectify(self, x: Tensor) -> Tensor:
        return self.shared(x)


class InPlaceFunctional(Layers):
    def rectify(self, x: Tensor) -> Tensor:
        return F.relu(x, inplace=True)


class TensorMethod(Layers):
    def rectify(self, x: Tensor) -> Tensor:
        return x.relu_()


class ClampedBelow(Layers):
    def rectify(self, x: Tensor) -> Tensor:
        return x.clamp(min=0)


class ClampedBelowInPlace(Layers):
    def rectify(self, x: Tensor) -> Tensor:
        return torch.clamp_min_(x, 0)


class Thresholded(Layers):
    def rectify(self, x: Tensor) -> Tensor:
        return F.threshold(x, 0, 0)


class AfterAnInPlaceSum(Layers):
    """The value that is rectified was changed in place first, and the result is changed afterwards."""

    def rectify(self, x: Tensor) -> Tensor:
        x = x + 0.25
        x -= 0.25
        y = F.relu(x)
        return y.mul(3.0).div(3.0)


class BareOperator(Layers):
    """The operator itself: no module, no function that could be patched."""

    def rectify(self, x: Tensor) -> Tensor:
        return torch.ops.aten.relu.default(x)


WAYS = [
    Layers,
    Modules,
    InPlaceModules,
    OneModuleTwice,
    InPlaceFunctional,
    TensorMethod,
    ClampedBelow,
    ClampedBelowInPlace,
    Thresholded,
    AfterAnInPlaceSum,
    BareOperator,
]


def net(kind: type[Layers]) -> Layers:
    torch.manual_seed(11)
    made = kind().double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(
                torch.randn(
                    parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(parameter.numel())
                )
            )
    return made.eval()


def twin(made: Layers, ceiling: float = np.inf) -> ChainTwin:
    return ChainTwin(
        [matrix_of(made.first, SHAPE), matrix_of(made.second, (4, 6, 5)), matrix_of(made.last, (12,))], ceiling
    )


def pixels(count: int = 3) -> Tensor:
    return torch.rand((count, *SHAPE), generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def graph_gradient(made: nn.Module, x: Tensor, k: int, rule: str) -> Tensor:
    x = x.clone().requires_grad_()
    logits = made(x)
    if rule in RULES:
        RULES[rule].attach(logits)
    return torch.autograd.grad(logits[:, k].sum(), x)[0]


@pytest.mark.parametrize("rule", list(METHODS))
@pytest.mark.parametrize("kind", WAYS)
def test_every_way_to_write_a_rectifier_matches_the_matrix_twin(kind, rule):
    made, x = net(kind), pixels()
    slow = twin(made)
    np.testing.assert_allclose(
        made(x.clone()).detach().numpy(), [slow.logits(one.flatten().numpy()) for one in x], rtol=1e-12
    )
    for k in range(5):
        expected = np.stack([slow.gradient(one.flatten().numpy(), k, rule) for one in x])
        got = graph_gradient(made, x, k, rule).flatten(1).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


def test_the_three_rules_differ_on_this_net():
    """So that a rule which does nothing can't pass."""
    made, x = net(Layers), pixels(1)
    maps = [graph_gradient(made, x, 0, rule) for rule in METHODS]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert float((maps[one] - maps[other]).abs().max()) > 0.1


@pytest.mark.parametrize("rule", list(METHODS))
@pytest.mark.parametrize("way", ["module", "functional", "clamp", "hardtanh"])
def test_relu6_passes_its_own_derivative_of_the_positive_part(way, rule):
    class Six(Layers):
        def __init__(self) -> None:
            super().__init__()
            self.six = nn.ReLU6()

        def rectify(self, x: Tensor) -> Tensor:
            match way:
                case "module":
                    return self.six(x)
                case "functional":
                    return F.relu6(x)
                case "clamp":
                    return x.clamp(0, 6)
                case _:
                    return F.hardtanh(x, 0.0, 6.0)

    made, x = net(Six), 3 * pixels()
    slow = twin(made, 6.0)
    inner = made.first(x).detach()
    assert bool((inner > 6).any()), "the ceiling must be reached for the test to say anything"
    for k in (0, 4):
        expected = np.stack([slow.gradient(one.flatten().numpy(), k, rule) for one in x])
        np.testing.assert_allclose(
            graph_gradient(made, x, k, rule).flatten(1).numpy(), expected, rtol=1e-11, atol=1e-12
        )


@pytest.mark.parametrize("rule", list(METHODS))
def test_a_residual_sum_with_an_inplace_add(rule):
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(7, 7) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            y = torch.relu(self.a(x))
            z = self.b(y)
            z += y
            return self.c(F.relu_(z))

    torch.manual_seed(4)
    made, x = Residual().double(), torch.randn(4, 7, dtype=torch.float64)
    (a, a0), (b, b0), (c, _) = (matrix_of(layer, (7,)) for layer in (made.a, made.b, made.c))
    for k in range(7):
        expected = []
        for row in x.numpy():
            into_y = a @ row + a0
            y = np.maximum(into_y, 0)
            into_z = b @ y + b0 + y
            back = back_through_rectifier(rule, c[k], into_z)
            expected.append(a.T @ back_through_rectifier(rule, b.T @ back + back, into_y))
        np.testing.assert_allclose(graph_gradient(made, x, k, rule).numpy(), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", WAYS)
def test_every_rectifier_is_counted_once(kind):
    x = pixels(1).requires_grad_()
    report = Guided().attach(net(kind)(x))
    assert report.overridden == {"ReLU": 2}
    assert report.count == 2


def test_one_forward_pass_serves_all_target_scores():
    class Counting(Layers):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            type(self).calls += 1
            return super().forward(x)

    made = net(Counting)
    preprocessing = Preprocessing.square(8, (0.2, 0.4, 0.6), (0.5, 0.25, 0.5))
    seen = nn.Sequential(nn.Conv2d(3, 2, (3, 4), bias=False).double(), made)
    classifier = TorchClassifier(seen, preprocessing, list("abcde"))
    Counting.calls = 0
    x = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))
    target_scores = [TargetScore("a", ((0, 1.0),)), TargetScore("b − d", ((1, 1.0), (3, -1.0)))]
    for rule, method in METHODS.items():
        result = method.attribute(AttributionRequest(classifier, x, target_scores, "key", 8))
        normal = (x.double() - torch.tensor([0.2, 0.4, 0.6]).reshape(3, 1, 1).double()) / torch.tensor(
            [0.5, 0.25, 0.5]
        ).reshape(3, 1, 1).double()
        slow = ChainTwin(
            [
                matrix_of(nn.Sequential(seen[0], made.first), (3, 8, 8)),
                matrix_of(made.second, (4, 6, 5)),
                matrix_of(made.last, (12,)),
            ]
        )
        per_logit = {k: slow.gradient(normal.flatten().numpy(), k, rule).reshape(3, 64) for k in (0, 1, 3)}
        std = np.array([0.5, 0.25, 0.5])[:, None]
        np.testing.assert_allclose(result.all.mean[0].flatten(1).numpy(), per_logit[0] / std, rtol=1e-5, atol=1e-6)
        if (
            rule == "plain"
        ):  # the plain gradient of a difference is the difference of the gradients; the others aren't linear
            np.testing.assert_allclose(
                result.all.mean[1].flatten(1).numpy(), (per_logit[1] - per_logit[3]) / std, rtol=1e-4, atol=1e-5
            )
        assert result.odd is None
        assert (result.rules is None) == (rule == "plain")
        assert float(result.all.variance_of_mean.abs().max()) == 0
    assert Counting.calls == len(METHODS)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.SiLU(), "SiLU"),
        (nn.GELU(), "GELU"),
        (nn.ELU(), "ELU"),
        (nn.LeakyReLU(), "LeakyReLU"),
        (nn.PReLU(), "PReLU"),
        (nn.Hardswish(), "Hardswish"),
        (nn.Mish(), "Mish"),
        (nn.Softplus(), "Softplus"),
        (nn.CELU(), "CELU"),
        (nn.SELU(), "ELU"),
        (nn.LogSigmoid(), "LogSigmoid"),
        (nn.Softshrink(), "Softshrink"),
    ],
)
@pytest.mark.parametrize("method", [Deconvnet(), GuidedBackprop()])
def test_a_nonlinearity_without_a_rule_is_refused_by_name(layer, name, method):
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), layer, nn.ReLU(), nn.Linear(6, 2))
    classifier = TorchClassifier(module, Preprocessing.square(8, (0, 0, 0), (1, 1, 1)))
    question = AttributionRequest(classifier, torch.rand(3, 8, 8), [TargetScore("a", ((0, 1.0),))], "key", 8)
    with pytest.raises(
        AttributionError,
        match=rf"expected rectifiers only .*; got a model with 1 × {name} and 1 rectifiers; use Gradient",
    ):
        method.attribute(question)
    assert Gradient().attribute(question).all.count == 1


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0]


@pytest.mark.parametrize(
    ("rectify", "message"),
    [
        (lambda x: torch.maximum(x, torch.zeros_like(x)), r"torch\.maximum"),
        (lambda x: torch.where(x > 0, x, 0.0), r"torch\.where"),
        (Custom.apply, "custom function"),
    ],
)
def test_operations_that_may_be_rectifiers_are_refused(rectify, message):
    x = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(AttributionError, match=message):
        Guided().attach(F.relu(rectify(x) + x))


@pytest.mark.parametrize("rule", [Guided(), Deconv()])
def test_a_model_without_a_rectifier_is_refused(rule):
    x = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(AttributionError, match="without any rectifier; use Gradient"):
        rule.attach(nn.Linear(4, 2)(x))
    with pytest.raises(AttributionError, match="without any rectifier"):
        rule.attach(nn.Linear(4, 2)(x).clamp(min=0.5))  # a bound other than 0 is no rectifier


def test_gates_keep_their_own_derivative_and_are_reported():
    x = torch.randn(2, 4, requires_grad=True)
    report = Guided().attach(F.relu(x) * torch.sigmoid(x) + torch.softmax(x, 1) + torch.tanh(x))
    assert report.overridden == {"ReLU": 1}
    assert report.kept == {"sigmoid": 1, "softmax": 1, "tanh": 1}


def test_a_rule_ends_with_its_own_forward_pass():
    """Nothing is left on the model: the next forward pass has plain gradients again."""
    made, x = net(OneModuleTwice), pixels()
    before = graph_gradient(made, x, 1, "plain")
    graph_gradient(made, x, 1, "guided")
    graph_gradient(made, x, 1, "deconvnet")
    assert torch.equal(graph_gradient(made, x, 1, "plain"), before)
