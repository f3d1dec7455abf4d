"""Patterns: published numbers, closed forms on linear data, and backward passes compared with products of matrices."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from unveil.attribution import AttributionRequest, PatternAttribution, PatternNet
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.patterns import Estimation, LinearEstimator, PatternError, Patterns, TwoComponent, load_patterns
from unveil.patterns.estimators import Sums
from unveil.patterns.network import linear_layers, trace_and_fold, unfold_inputs
from unveil.recipes import Recipe
from unveil.targets import TargetScore

PLAIN = Preprocessing.square(8, (0.0,) * 3, (1.0,) * 3)


def estimate(x: np.ndarray, weights: np.ndarray, bias: np.ndarray, estimator) -> np.ndarray:
    """Patterns of a linear layer, one row per unit."""
    inputs, w = torch.from_numpy(x), torch.from_numpy(weights)
    y = inputs @ w.T
    return estimator.patterns(Sums.of(inputs, y, estimator.active(y + torch.from_numpy(bias))), w).numpy()


def fixture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal along (1, 0, .5), distractor along (1, 1, 0); two units."""
    rng = np.random.default_rng(0)
    s, d = rng.normal(size=(2000, 1)), rng.normal(size=(2000, 1))
    x = s * np.array([1, 0, 0.5]) + d * np.array([1, 1, 0])
    return x, np.array([[1, -1, 0], [0.5, 0.25, -1]]), np.array([0.1, -0.3])


def test_the_published_fixture_to_six_digits():
    x, w, b = fixture()
    positive = [[0.971423, -0.028577, 0.5], [1.261678, 1.333333, -0.035827]]
    np.testing.assert_allclose(estimate(x, w, b, TwoComponent()), positive, atol=5e-7)
    linear = [[0.983387, -0.016613, 0.5], [1.311006, 1.333333, -0.011164]]
    np.testing.assert_allclose(estimate(x, w, b, LinearEstimator()), linear, atol=5e-7)


def test_the_conditional_mean_would_give_other_numbers():
    """With the mean of y over the regime in place of E[y] the second unit would have 1.225429."""
    x, w, b = fixture()
    y = x @ w.T
    for unit, wrong in enumerate(([0.974432, -0.025568, 0.5], [1.225429, 1.333333, -0.053952])):
        on = y[:, unit] + b[unit] > 0
        c = (x[on] * y[on, unit, None]).mean(0) - x[on].mean(0) * y[on, unit].mean()
        np.testing.assert_allclose(c / (w[unit] @ c), wrong, atol=5e-7)
        assert np.abs(estimate(x, w, b, TwoComponent())[unit] - wrong).max() > 2e-3


@pytest.mark.parametrize("estimator", [TwoComponent(), LinearEstimator()])
def test_the_signal_is_recovered_where_the_weights_point_elsewhere(estimator):
    """Kindermans et al., figure 2: w filters out the distractor and differs from the signal's direction; a matches it."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        signal, distractor = rng.normal(size=(2, 6))
        y, noise = rng.normal(size=(2, 200_000, 1))
        x = y * signal + noise * distractor
        # The shortest weights with w·signal = 1 and w·distractor = 0.
        w = np.linalg.lstsq(np.stack([signal, distractor]), np.array([1.0, 0.0]), rcond=None)[0][None]
        (a,) = estimate(x, w, np.zeros(1), estimator)
        np.testing.assert_allclose(a, signal, atol=0.02)
        cosine = float(w[0] @ signal / np.linalg.norm(w) / np.linalg.norm(signal))
        assert np.linalg.norm(w[0] / np.linalg.norm(w) - signal / np.linalg.norm(signal)) > 0.05 or cosine > 0.99


def test_every_pattern_has_unit_product_with_its_weights():
    rng = np.random.default_rng(2)
    x, w, b = rng.normal(size=(500, 7)) @ rng.normal(size=(7, 7)), rng.normal(size=(9, 7)), rng.normal(size=9)
    for estimator in (TwoComponent(), LinearEstimator()):
        np.testing.assert_allclose((estimate(x, w, b, estimator) * w).sum(1), 1, rtol=1e-9)


def test_a_unit_that_is_never_active_has_no_pattern():
    x = np.abs(np.random.default_rng(3).normal(size=(50, 4)))
    a = estimate(x, np.array([[-1.0] * 4, [1.0] * 4]), np.zeros(2), TwoComponent())
    assert not a[0].any()
    assert a[1].any()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": 2},
        {"groups": 2, "padding": 1},
        {"kernel_size": (1, 3)},
    ],
)
def test_the_inputs_of_a_convolution_are_patches(settings):
    """Samples times weights are the convolution's own outputs."""
    layer = nn.Conv2d(4, 6, **{"kernel_size": 3, **settings}).double()
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    groups = unfold_inputs(layer, x)
    weights = layer.weight.flatten(1).chunk(layer.groups)
    ours = torch.cat([samples @ w.T for samples, w in zip(groups, weights, strict=True)], 1) + layer.bias
    expected = layer(x).permute(0, 2, 3, 1).reshape(-1, 6)
    torch.testing.assert_close(ours, expected)


class Small(nn.Module):
    """Convolutions with batch norms, a residual sum, a concatenation, pooling and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.before = nn.BatchNorm2d(8)
        self.fc1, self.fc2 = nn.Linear(128, 6), nn.Linear(6, 3)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        z = self.relu(self.bn2(self.conv2(y)) + y)
        both = self.relu(self.before(torch.cat([y, z], 1)))
        return self.fc2(F.relu(self.fc1(self.pool(both).flatten(1))))


def small() -> TorchClassifier:
    torch.manual_seed(5)
    module = Small()
    module(torch.randn(64, 3, 8, 8))  # running statistics that aren't 0 and 1
    for norm in (module.bn1, module.bn2, module.before):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.3)
    return TorchClassifier(module.eval(), PLAIN, ["a", "b", "c"])


def images(count: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def run_estimation(classifier: TorchClassifier, estimator=None) -> Estimation:
    estimation = Estimation(classifier, estimator or TwoComponent())
    for batch in images().split(5):
        estimation.add(batch)
    return estimation


def test_the_traced_network_has_the_same_outputs_and_keeps_only_the_late_norm():
    classifier = small()
    traced = trace_and_fold(classifier.copy_of_module())
    torch.testing.assert_close(traced(images()), classifier.logits(images()), rtol=1e-4, atol=1e-5)
    assert list(linear_layers(traced)) == ["conv1", "conv2", "fc1", "fc2"]
    assert [name for name, layer in traced.named_modules() if isinstance(layer, nn.BatchNorm2d)].count("before") == 1
    calls = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    assert "bn1" not in calls
    assert "before" in calls


@pytest.mark.parametrize("estimator", [TwoComponent(), LinearEstimator()])
def test_streamed_patterns_are_those_of_all_images_at_once(estimator):
    """Computed again in numpy: all inputs of every layer are collected, then the formula is applied."""
    classifier = small()
    patterns = run_estimation(classifier, estimator).patterns()
    calls: dict[str, list] = {}
    traced = trace_and_fold(classifier.copy_of_module()).double()
    for name, layer in linear_layers(traced).items():
        layer.register_forward_hook(
            lambda module, inputs, output, name=name: calls.setdefault(name, []).append(
                (module, inputs[0].clone(), output.clone())
            )
        )
    with torch.no_grad():
        traced(images().double())
    for name, ((layer, inputs, outputs),) in calls.items():
        x = unfold_inputs(layer, inputs)[0].numpy()
        z = (outputs.permute(0, 2, 3, 1).reshape(-1, outputs.shape[1]) if outputs.ndim == 4 else outputs).numpy()
        w = layer.weight.detach().flatten(1).numpy()
        for unit in range(len(w)):
            y = x @ w[unit]
            on = z[:, unit] > 0 if isinstance(estimator, TwoComponent) else np.ones(len(y), bool)
            if not on.any():
                continue
            c = (x[on] * y[on, None]).mean(0) - x[on].mean(0) * y.mean()
            np.testing.assert_allclose(patterns.by_layer[name][unit].flatten(), c / (w[unit] @ c), rtol=2e-3, atol=2e-4)


def matrix(layer: nn.Module, kernel: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """The matrix of a layer with the given kernel and without bias."""
    size = int(np.prod(shape))
    units = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    out = F.conv2d(units, kernel, padding=1) if isinstance(layer, nn.Conv2d) else F.linear(units, kernel)
    return out.flatten(1).numpy().T


@pytest.mark.parametrize("method", [PatternNet, PatternAttribution])
def test_the_backward_pass_by_hand(tmp_path, method):
    """Every layer is a matrix of patterns, gates are those of the forward pass, the late norm is 1/scale or 1."""
    classifier = small()
    estimation = run_estimation(classifier)
    file = estimation.patterns().save(tmp_path / "p.safetensors")
    patterns, weights = estimation.patterns().by_layer, estimation.weights()
    traced = trace_and_fold(classifier.copy_of_module()).double()
    layers = linear_layers(traced)
    x = images(1)[0]
    net = Small().double().eval()
    net.load_state_dict({key: value.double() for key, value in classifier.copy_of_module().state_dict().items()})
    with torch.no_grad():
        y_in = net.bn1(net.conv1(x[None].double()))
        y = y_in.relu()
        z_in = net.bn2(net.conv2(y)) + y
        cat = torch.cat([y, z_in.relu()], 1)
        both_in = net.before(cat)
        pooled, where = F.max_pool2d(both_in.relu(), 2, return_indices=True)
        h_in = net.fc1(pooled.flatten(1))

    def kernel(name: str) -> torch.Tensor:
        a = patterns[name].double()
        return a * weights[name].double() if method is PatternAttribution else a

    g = kernel("fc2")[1].numpy() * (h_in[0].numpy() > 0)
    g = matrix(layers["fc1"], kernel("fc1"), (128,)).T @ g
    unpooled = np.zeros((8, 64))
    for channel in range(8):
        np.add.at(unpooled[channel], where[0, channel].flatten().numpy(), g.reshape(8, 16)[channel])
    assert net.before.running_var is not None
    g = unpooled * (both_in[0].flatten(1).numpy() > 0)
    scale = (net.before.weight / torch.sqrt(net.before.running_var + net.before.eps)).detach().numpy()[:, None]
    g = g if method is PatternAttribution else g / scale
    g_y, g_z = g[:4].ravel(), g[4:].ravel() * (z_in[0].flatten().numpy() > 0)
    g_y = g_y + g_z + matrix(layers["conv2"], kernel("conv2"), (4, 8, 8)).T @ g_z
    expected = matrix(layers["conv1"], kernel("conv1"), (3, 8, 8)).T @ (g_y * (y_in[0].flatten().numpy() > 0))
    request = AttributionRequest(classifier, x, [TargetScore("b", ((1, 1.0),))], "key", 8)
    got = method(str(file)).attribute(request).all.mean[0].flatten().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_the_normalization_is_a_linear_layer(tmp_path):
    """The same network after another normalization: the signal is in pixel values, the attribution is the same."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 2))
    torch.manual_seed(2)
    plain = TorchClassifier(module, PLAIN)
    scaled = TorchClassifier(module, Preprocessing.square(8, (0.4,) * 3, (0.5,) * 3))
    file = run_estimation(plain).patterns().save(tmp_path / "p.safetensors")
    x = images(1)[0]
    target_scores = [TargetScore("a", ((0, 1.0),))]
    for method, factor in ((PatternNet, 0.5), (PatternAttribution, 1.0)):
        expected = (
            method(str(file)).attribute(AttributionRequest(plain, (x - 0.4) / 0.5, target_scores, "key", 8)).all.mean
        )
        other = method(str(file)).attribute(AttributionRequest(scaled, x, target_scores, "key", 8)).all.mean
        torch.testing.assert_close(other, factor * expected, rtol=1e-4, atol=1e-6)


def test_a_stopped_estimation_is_resumed(tmp_path):
    uninterrupted = run_estimation(small()).patterns()
    first = Estimation(small())
    for batch in images().split(5)[:2]:
        first.add(batch)
    first.save(tmp_path / "sums.safetensors")
    second = Estimation(small())
    second.resume(tmp_path / "sums.safetensors")
    assert second.images == 10
    for batch in images().split(5)[2:]:
        second.add(batch)
    for name, pattern in second.patterns().by_layer.items():
        torch.testing.assert_close(pattern, uninterrupted.by_layer[name], rtol=1e-6, atol=1e-9)
    other = Estimation(small(), LinearEstimator())
    with pytest.raises(PatternError, match="sums of this classifier and estimator"):
        other.resume(tmp_path / "sums.safetensors")


def test_memory_does_not_grow_with_the_images():
    estimation = Estimation(small())
    sizes = []
    for batch in images().split(5):
        estimation.add(batch)
        sizes.append(sum(sums.xy.numel() + sums.x.numel() for groups in estimation._sums.values() for sums in groups))
    assert len(set(sizes)) == 1
    weights = sum(weight.numel() for weight in estimation.weights().values())
    assert sizes[0] == 2 * weights


def test_files_store_what_they_belong_to(tmp_path):
    patterns = run_estimation(small()).patterns()
    loaded = load_patterns(patterns.save(tmp_path / "deep/p.safetensors"))
    assert (loaded.estimator, loaded.images, loaded.fingerprint) == ("TwoComponent", 24, small().fingerprint)
    assert all(torch.equal(loaded.by_layer[name], patterns.by_layer[name]) for name in patterns.by_layer)
    assert all(value == pytest.approx(1) for value in loaded.cosine(patterns).values())
    other = TorchClassifier(Small(), PLAIN, ["a", "b", "c"])
    request = AttributionRequest(other, images(1)[0], [TargetScore("a", ((0, 1.0),))], "key", 8)
    with pytest.raises(PatternError, match="made for other weights"):
        PatternNet(str(tmp_path / "deep/p.safetensors")).attribute(request)
    with pytest.raises(PatternError, match="check the path"):
        PatternNet(str(tmp_path / "none.safetensors")).attribute(request)
    (tmp_path / "bad.safetensors").write_bytes(b"hello")
    with pytest.raises(PatternError, match="a safetensors file"):
        load_patterns(tmp_path / "bad.safetensors")
    Patterns({"x": torch.zeros(1)}, "TwoComponent", 1, other.fingerprint).save(tmp_path / "few.safetensors")
    with pytest.raises(PatternError, match="patterns of this network's 4 linear layers; got 1 patterns"):
        PatternNet(str(tmp_path / "few.safetensors")).attribute(request)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.SiLU()), "SiLU at 2"),
        (nn.Sequential(nn.Flatten()), "a network with linear layers"),
        (nn.Sequential(nn.Flatten(), *[nn.Linear(192, 192)] * 2), "used once; got 1 used 2 times|used 2 times"),
    ],
)
def test_networks_without_patterns_are_refused(module, message):
    classifier = TorchClassifier(module, PLAIN)
    with pytest.raises(PatternError, match=message):
        Estimation(classifier)


def test_a_network_that_branches_on_its_input_is_refused():
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(192, 2)

        def forward(self, x):
            return self.fc(x.flatten(1)) if x.sum() > 0 else self.fc(-x.flatten(1))

    with pytest.raises(PatternError, match=r"that torch.fx can trace; got .*; patterns work for VGG"):
        Estimation(TorchClassifier(Branching(), PLAIN))


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "densenet121", "squeezenet1_1"])
def test_real_architectures_have_patterns(tmp_path, name):
    torch.manual_seed(0)
    module = torchvision.models.get_model(name, weights=None)
    classifier = TorchClassifier(module, Preprocessing.square(64, (0.5,) * 3, (0.25,) * 3))
    estimation = Estimation(classifier)
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    estimation.add(pixels)
    patterns = estimation.patterns()
    weights = estimation.weights()
    for layer, pattern in patterns.by_layer.items():
        product = (pattern.double() * weights[layer].double()).flatten(1).sum(1)
        exists = pattern.flatten(1).abs().sum(1) > 0
        np.testing.assert_allclose(product[exists], 1, atol=2e-3)
    attribution = PatternAttribution(str(patterns.save(tmp_path / "p.safetensors")))
    # A label that is positive for one of the images; the others have no positive samples to estimate from.
    top = classifier.predict(pixels[:1])[0].leading(1)[0]
    result = attribution.attribute(
        AttributionRequest(classifier, pixels[0], [TargetScore("top", ((top, 1.0),))], "key", 8)
    )
    assert bool(result.all.mean.isfinite().all())
    assert float(result.all.mean.abs().max()) > 0


def test_a_recipe_names_the_file():
    recipe = Recipe(attribution=PatternAttribution("resnet50.safetensors"))
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert all(a != b for a, b in pairwise([PatternNet("a"), PatternNet("b"), PatternAttribution("b")]))
