"""Randomization of weights: the copy, the order of layers, and maps whose change is known."""

import numpy as np
import pytest
import torch
from metric_toys import MEAN, STD, network, noise
from scipy.stats import spearmanr
from torch import nn

from unveil.attribution import Gradient
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import AttributionError
from unveil.evaluation.metrics.probe import Explanation
from unveil.evaluation.metrics.randomization import (
    layers_of,
    randomize_cascading,
    randomize_independently,
    randomize_layers,
    summarize_randomization,
)
from unveil.saliency import L2
from unveil.targets import TargetScore

FIRST = TargetScore("class 0", ((0, 1.0),))
PREPROCESSING = Preprocessing.square(16, MEAN, STD)


class Unordered(nn.Module):
    """Layers in another order than they are used, weights of its own, and attention that doesn't call its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 3)
        self.body = nn.ModuleDict({"norm": nn.BatchNorm2d(8), "conv": nn.Conv2d(3, 8, 4, stride=4)})
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.position = nn.Parameter(torch.linspace(-1, 1, 16 * 8).reshape(16, 8))

    def forward(self, x):
        tokens = self.body["norm"](self.body["conv"](x)).flatten(2).transpose(1, 2) + self.position
        # With gradients, so that attention isn't one fused operation.
        return self.last(self.attention(tokens, tokens, tokens)[0].mean(1))


def unordered():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        module = Unordered()
        nn.init.uniform_(module.body["norm"].running_mean)
    return TorchClassifier(module, PREPROCESSING)


def weights(classifier):
    return {name: value.clone() for name, value in classifier.copy_of_module().state_dict().items()}


def changed(weights, other):
    return {name for name in weights if not torch.equal(weights[name], other[name])}


def test_layers_are_in_the_reverse_order_of_their_use():
    assert layers_of(unordered()) == ("", "last", "attention", "attention.out_proj", "body.norm", "body.conv")
    assert layers_of(network()) == ("4", "0")


def test_the_layers_named_are_randomized_and_nothing_else():
    classifier = unordered()
    before = weights(classifier)
    assert changed(before, weights(randomize_layers(classifier, ["last"]))) == {"last.weight", "last.bias"}
    body = {name for name in before if name.startswith("body.")} - {"body.norm.num_batches_tracked"}
    initial = {"body.norm.weight", "body.norm.bias", "body.norm.running_var"}  # values that a reset doesn't change
    assert changed(before, weights(randomize_layers(classifier, ["body"]))) == body - initial
    assert changed(before, weights(randomize_layers(classifier, [""]))) >= {"position", "attention.in_proj_weight"}


def test_noise_depends_on_the_seed_and_the_name_only():
    classifier = unordered()
    alone, later = (
        weights(randomize_layers(classifier, ["body.conv"])),
        weights(randomize_layers(classifier, ["last", "body"])),
    )
    assert torch.equal(alone["body.conv.weight"], later["body.conv.weight"])
    other = weights(randomize_layers(classifier, ["body.conv"], seed=1))
    assert not torch.equal(alone["body.conv.weight"], other["body.conv.weight"])


def test_weights_without_a_reset_keep_their_size():
    randomized = weights(randomize_layers(unordered(), [""]))["position"]
    original = weights(unordered())["position"]
    assert randomized.square().mean() == pytest.approx(float(original.square().mean()), rel=0.3)
    assert abs(np.corrcoef(randomized.ravel(), original.ravel())[0, 1]) < 0.3


def test_the_classifier_and_the_global_generators_are_not_changed():
    classifier, explanation = network(), Explanation(Gradient(), FIRST)
    before, print_before = weights(classifier), classifier.fingerprint
    torch.manual_seed(9)
    np.random.seed(9)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(9)
    np.random.seed(9)
    randomize_cascading(explanation, classifier, noise(), 1)
    randomize_independently(explanation, classifier, noise(), 1)
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])
    assert changed(before, weights(classifier)) == set()
    assert classifier.fingerprint == print_before
    assert all(not part._forward_hooks for part in classifier.copy_of_module().modules())

    def fails(explained, pixels):
        if explained is classifier:
            return np.ones((2, 2))
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        randomize_cascading(fails, classifier, noise(), 1)
    assert changed(before, weights(classifier)) == set()


class Linear(nn.Module):
    """logits = W x: the gradient is W, whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 256, 2)

    def forward(self, x):
        return self.linear(x.flatten(1))


def test_maps_of_a_linear_network_in_closed_form():
    """Its saliency is the length of its weights over the channels; after randomization, that of the new ones."""
    classifier = TorchClassifier(Linear(), Preprocessing.square(16, (0.0,) * 3, (1.0,) * 3))
    lengths = [
        weights(explained)["linear.weight"][0].reshape(3, 256).double().norm(dim=0).numpy()
        for explained in (classifier, randomize_layers(classifier, ["linear"], seed=3))
    ]
    (similarity,) = randomize_cascading(Explanation(Gradient(), FIRST, L2()), classifier, noise(), "image", seed=3)
    assert (similarity.label, similarity.group) == ("linear", "image")
    assert similarity.rank == pytest.approx(spearmanr(*lengths).statistic, abs=1e-6)
    assert similarity.rank == pytest.approx(0, abs=0.3)
    assert similarity.ssim == pytest.approx(0, abs=0.5)


def test_a_map_of_edges_does_not_change():
    """A map that depends on the image only stays the same, as Adebayo et al. show for edge detectors."""

    def edges(_, pixels):
        return np.abs(np.diff(pixels.mean(0).numpy(), axis=0))

    for similarities in (
        randomize_cascading(edges, network(), noise(), 1),
        randomize_independently(edges, network(), noise(), 1),
    ):
        assert [item.label for item in similarities] == ["4", "0"]
        assert all(item.rank == pytest.approx(1) and item.ssim == pytest.approx(1) for item in similarities)


def test_a_cascade_accumulates_layers_and_independent_steps_do_not():
    classifier, explained_weights = unordered(), []

    def record(explained, pixels):
        explained_weights.append(weights(explained))
        return pixels.mean(0).numpy()

    names = ["last", "attention", "body"]
    randomize_cascading(record, classifier, noise(), 1, names)
    randomize_independently(record, classifier, noise(), 1, names)
    original, *cascade = explained_weights[:4]
    again, *independent = explained_weights[4:]
    assert changed(original, again) == set()
    for at, name in enumerate(names):
        stages = {weight.split(".")[0] for weight in changed(original, cascade[at])}
        assert stages == set(names[: at + 1])
        assert {weight.split(".")[0] for weight in changed(original, independent[at])} == {name}


def test_the_summary_and_refused_classifiers():
    similarities = [
        item
        for group in range(4)
        for item in randomize_cascading(Explanation(Gradient(), FIRST), network(), noise(seed=group), group)
    ]
    table = summarize_randomization(similarities)
    assert list(table.labels) == ["4", "0"]
    assert table.labels["4"].rank.value == pytest.approx(
        np.mean([item.rank for item in similarities if item.label == "4"])
    )
    assert len(table.labels["0"].ssim.interval) == 2
    with pytest.raises(AttributionError, match="names are like"):
        randomize_layers(network(), ["layer4"])
    box = BlackBox(lambda inputs: inputs.mean((1, 2, 3))[:, None] * [1, 2], PREPROCESSING)
    with pytest.raises(AttributionError, match="a PyTorch model for the randomization of weights"):
        layers_of(box)
