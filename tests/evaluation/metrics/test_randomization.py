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
PREPARATION = Preprocessing.square(16, MEAN, STD)


class Crooked(nn.Module):
    """Defined in another order than it is used; weights of its own; attention that uses a layer without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 3)
        self.body = nn.ModuleDict({"norm": nn.BatchNorm2d(8), "conv": nn.Conv2d(3, 8, 4, stride=4)})
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.place = nn.Parameter(torch.linspace(-1, 1, 16 * 8).reshape(16, 8))

    def forward(self, x):
        tokens = self.body["norm"](self.body["conv"](x)).flatten(2).transpose(1, 2) + self.place
        # Gradients on, so that the attention is made of its single steps.
        return self.last(self.attention(tokens, tokens, tokens)[0].mean(1))


def crooked():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        module = Crooked()
        nn.init.uniform_(module.body["norm"].running_mean)
    return TorchClassifier(module, PREPARATION)


def weights(classifier):
    return {name: value.clone() for name, value in classifier.copy_of_module().state_dict().items()}


def changed(one, other):
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_layers_come_in_the_order_of_their_use_backwards():
    assert layers_of(crooked()) == ("", "last", "attention", "attention.out_proj", "body.norm", "body.conv")
    assert layers_of(network()) == ("4", "0")


def test_the_layers_named_are_randomized_and_nothing_else():
    classifier = crooked()
    before = weights(classifier)
    assert changed(before, weights(randomize_layers(classifier, ["last"]))) == {"last.weight", "last.bias"}
    body = {name for name in before if name.startswith("body.")} - {"body.norm.num_batches_tracked"}
    initial = {"body.norm.weight", "body.norm.bias", "body.norm.running_var"}  # as at first, which they still are
    assert changed(before, weights(randomize_layers(classifier, ["body"]))) == body - initial
    assert changed(before, weights(randomize_layers(classifier, [""]))) >= {"place", "attention.in_proj_weight"}


def test_a_draw_depends_on_the_seed_and_the_name_alone():
    classifier = crooked()
    alone, later = (
        weights(randomize_layers(classifier, ["body.conv"])),
        weights(randomize_layers(classifier, ["last", "body"])),
    )
    assert torch.equal(alone["body.conv.weight"], later["body.conv.weight"])
    other = weights(randomize_layers(classifier, ["body.conv"], seed=1))
    assert not torch.equal(alone["body.conv.weight"], other["body.conv.weight"])


def test_weights_that_do_not_say_how_they_begin_keep_their_size():
    place = weights(randomize_layers(crooked(), [""]))["place"]
    given = weights(crooked())["place"]
    assert place.square().mean() == pytest.approx(float(given.square().mean()), rel=0.3)
    assert abs(np.corrcoef(place.ravel(), given.ravel())[0, 1]) < 0.3


def test_the_classifier_and_the_random_numbers_are_left_as_they_were():
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

    def fails(asked, pixels):
        if asked is classifier:
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
        weights(one)["linear.weight"][0].reshape(3, 256).double().norm(dim=0).numpy()
        for one in (classifier, randomize_layers(classifier, ["linear"], seed=3))
    ]
    (found,) = randomize_cascading(Explanation(Gradient(), FIRST, L2()), classifier, noise(), "image", seed=3)
    assert (found.label, found.group) == ("linear", "image")
    assert found.rank == pytest.approx(spearmanr(*lengths).statistic, abs=1e-6)
    assert found.rank == pytest.approx(0, abs=0.3)
    assert found.ssim == pytest.approx(0, abs=0.5)


def test_a_map_of_edges_passes_for_an_explanation_and_is_found_out():
    """What looks at the image alone stays the same to the last layer, as Adebayo et al. show of edge detectors."""

    def edges(_, pixels):
        return np.abs(np.diff(pixels.mean(0).numpy(), axis=0))

    for found in (
        randomize_cascading(edges, network(), noise(), 1),
        randomize_independently(edges, network(), noise(), 1),
    ):
        assert [one.label for one in found] == ["4", "0"]
        assert all(one.rank == pytest.approx(1) and one.ssim == pytest.approx(1) for one in found)


def test_cascading_adds_up_and_independent_does_not():
    classifier, seen = crooked(), []

    def spy(asked, pixels):
        seen.append(weights(asked))
        return pixels.mean(0).numpy()

    names = ["last", "attention", "body"]
    randomize_cascading(spy, classifier, noise(), 1, names)
    randomize_independently(spy, classifier, noise(), 1, names)
    original, *cascade = seen[:4]
    again, *apart = seen[4:]
    assert changed(original, again) == set()
    for at, name in enumerate(names):
        tops = {one.split(".")[0] for one in changed(original, cascade[at])}
        assert tops == set(names[: at + 1])
        assert {one.split(".")[0] for one in changed(original, apart[at])} == {name}


def test_summary_and_what_is_refused():
    found = [
        one
        for group in range(4)
        for one in randomize_cascading(Explanation(Gradient(), FIRST), network(), noise(seed=group), group)
    ]
    table = summarize_randomization(found)
    assert list(table.labels) == ["4", "0"]
    assert table.labels["4"].rank.value == pytest.approx(np.mean([one.rank for one in found if one.label == "4"]))
    assert len(table.labels["0"].ssim.interval) == 2
    with pytest.raises(AttributionError, match="names are like"):
        randomize_layers(network(), ["layer4"])
    box = BlackBox(lambda inputs: inputs.mean((1, 2, 3))[:, None] * [1, 2], PREPARATION)
    with pytest.raises(AttributionError, match="a PyTorch model for the randomization of weights"):
        layers_of(box)
