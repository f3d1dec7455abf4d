"""Activation maximization against closed forms, and on the network that ships."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier, load_classifier
from unveil.errors import ClassifierError, RecipeError, TargetError
from unveil.maximization import Fourier, Maximization, MaximizedImage, NetworkUnit, Pixels, maximize
from unveil.maximization.ascent import EPSILON, offset, total_variation
from unveil.maximization.goals import open_activation
from unveil.maximization.parametrization import colors
from unveil.planted import LABELS
from unveil.targets import Class, Margin, Predicted, Top

SIDE = 12
MEAN = (0.4, 0.5, 0.6)
GRAY = Preprocessing.square(SIDE, MEAN, (1.0,) * 3)
STILL = Maximization(steps=300, learning_rate=0.02, parametrization=Pixels(), jitter_px=0, total_variation=0.0)


def linear() -> TorchClassifier:
    torch.manual_seed(1)
    return TorchClassifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3)), GRAY, ["a", "b", "c"])


def test_the_optimum_of_a_linear_classifier_with_a_penalty():
    """w·x − λ Σ (x − mean)² is largest at x = mean + w / 2λ, cut to [0, 1]."""
    classifier, penalty = linear(), 0.05
    found = maximize(classifier, Class("b"), Maximization(600, 0.01, Pixels(), 0, 0.0, penalty))
    weights = classifier.copy_of_module()[1].weight[1].reshape(3, SIDE, SIDE)
    expected = (torch.tensor(MEAN)[:, None, None] + weights / (2 * penalty)).clamp(0, 1)
    np.testing.assert_allclose(found.pixels, expected, atol=0.02)


def test_without_a_penalty_it_goes_to_the_corners():
    found = maximize(linear(), Margin("a", "c"), STILL)
    layer = linear().copy_of_module()[1]
    difference = (layer.weight[0] - layer.weight[2]).reshape(3, SIDE, SIDE)
    clear = difference.abs() > 0.002
    np.testing.assert_allclose(found.pixels[clear], (difference > 0).float()[clear], atol=1e-6)
    assert found.scores[-1] > found.scores[0]
    assert len(found.scores) == 301


def test_a_filter_s_channel_shows_the_filter():
    y, x = torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-3.0, 4), indexing="ij")
    gabor = torch.cos(1.3 * x + 0.6 * y) * torch.exp(-(x**2 + y**2) / 9)
    convolution = nn.Conv2d(3, 2, 7, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.stack([gabor.expand(3, 7, 7), -gabor.expand(3, 7, 7)]))
    module = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = TorchClassifier(module, GRAY, ["a", "b"])
    found = maximize(classifier, NetworkUnit("0", 0, (2, 3)), Maximization(200, 0.02, Pixels(), 0, 0.0, 1.0))
    patch = found.pixels[:, 2:9, 3:10].mean(0)
    assert np.corrcoef(patch.ravel(), gabor.numpy().ravel())[0, 1] > 0.9
    # The unit by its name is the unit.
    direct = convolution(torch.from_numpy(found.pixels)[None] - torch.tensor(MEAN)[:, None, None])[0, 0, 2, 3]
    assert found.scores[-1] == pytest.approx(float(direct.detach()), rel=1e-4)


def test_total_variation_by_hand():
    pixels = torch.rand(1, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = 0.0
    for channel in range(2):
        for row in range(5):
            for column in range(4):
                here = pixels[0, channel, row, column]
                dx = float(pixels[0, channel, row, min(column + 1, 3)] - here)
                dy = float(pixels[0, channel, min(row + 1, 4), column] - here)
                expected += math.sqrt(dx**2 + dy**2 + EPSILON**2) - EPSILON
    assert float(total_variation(pixels)) == pytest.approx(expected)


def test_the_fourier_image_is_a_sum_of_waves():
    how, (height, width) = Fourier(decay=1.0, decorrelate=False), (6, 5)
    parameters = how.start((2, height, width), (0.5, 0.5), torch.Generator().manual_seed(0)).double() * 50
    image = how.pixels(parameters, (2, height, width))[0]
    z = torch.view_as_complex(parameters).numpy()
    for channel in range(2):
        full = np.zeros((height, width))
        for u in range(height):
            for v in range(width // 2 + 1):
                f = math.hypot(min(u, height - u) / height, v / width)
                amplitude = z[channel, u, v] / max(f, 1 / max(height, width))
                for row in range(height):
                    for column in range(width):
                        wave = amplitude * np.exp(2j * np.pi * (u * row / height + v * column / width))
                        full[row, column] += wave.real * (1 if v == 0 else 2)
        expected = 1 / (1 + np.exp(-full / math.sqrt(height * width)))
        np.testing.assert_allclose(image[channel], expected, rtol=1e-5)


def test_the_colors_have_the_assumed_covariance():
    covariance = (colors() @ colors().T).numpy()
    np.testing.assert_allclose(covariance, 0.1 * np.eye(3) + 0.9, atol=1e-6)


def test_jitter_is_uniform_and_named_by_its_step():
    seen = [offset("key", step, 3) for step in range(2000)]
    assert seen[5] == offset("key", 5, 3)
    for axis in range(2):
        values, counts = np.unique([one[axis] for one in seen], return_counts=True)
        assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
        assert counts.min() > 220
    assert offset("key", 0, 0) == (0, 0)


@pytest.mark.parametrize("label", LABELS)
def test_every_class_of_the_demo_network_can_be_drawn(label):
    classifier = load_classifier("planted/demo")
    assert isinstance(classifier, TorchClassifier)
    found = maximize(classifier, Class(label), Maximization(steps=60), seed=2)
    (said,) = classifier.predict(torch.from_numpy(found.pixels)[None])
    index = LABELS.index(label)
    assert said.probabilities[index] > 0.95
    assert said.leading(1) == (index,)
    assert found.scores[-1] == pytest.approx(float(said.logits[index]), rel=1e-3)
    assert found.scores[-1] > found.scores[0] + 5


def test_the_same_seed_is_the_same_image_and_another_isn_t():
    classifier = linear()
    settings = Maximization(steps=5)
    one, same, other = (maximize(classifier, Class("a"), settings, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.pixels, same.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert 0 <= one.pixels.min() <= one.pixels.max() <= 1


class Failing(nn.Module):
    def forward(self, x):
        if x.requires_grad:
            raise RuntimeError("out of memory")
        return x.mean((2, 3))


def test_no_hook_is_left_also_after_an_error():
    module = nn.Sequential(nn.Conv2d(3, 3, 3), Failing())
    classifier = TorchClassifier(module, GRAY, ["a", "b", "c"])
    with pytest.raises(RuntimeError, match="out of memory"):
        maximize(classifier, NetworkUnit("0", 1), STILL)
    assert all(not part._forward_hooks for part in classifier._module.modules())
    told: list = []
    maximize(linear(), NetworkUnit("1", 1), Maximization(steps=3), on_step=lambda step, score: told.append(step))
    assert told == [1, 2, 3]


class Nan(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) * float("nan")


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        (Class("d"), "one of the classifier's 3 labels"), (Top(2), "the same for every image"), (Predicted(), "the same for every image"),
        (NetworkUnit("2", 0), "one of the model's 2 layers; got '2'"), (NetworkUnit("1", 3), "a channel from 0 to 2"), (NetworkUnit("1", -1), "a channel from 0"),
        (NetworkUnit("1", 0, (1, 1)), "a position on the grid of '1', a single value"),
    ],
)  # fmt: skip
def test_goals_that_the_classifier_lacks(goal, told):
    with pytest.raises(TargetError, match=told):
        maximize(linear(), goal, STILL)


def test_what_is_not_finite_or_never_answers():
    with pytest.raises(ClassifierError, match="finite activations"):
        maximize(TorchClassifier(nn.Sequential(Nan()), GRAY, ["a", "b", "c"]), Class("a"), STILL)
    silent = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    nn.init.zeros_(silent[1].weight)
    with pytest.raises(TargetError, match="to answer to the pixels; got a gradient of 0"):
        maximize(TorchClassifier(silent, GRAY), Class(0), Maximization(steps=3))


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"learning_rate": 0.0}, {"jitter_px": -1}, {"l2": -1.0}, {"total_variation": math.inf}]
)
def test_settings_outside_their_range(settings):
    with pytest.raises(RecipeError):
        Maximization(**settings)
    with pytest.raises(RecipeError):
        Fourier(decay=5.0)


def test_the_figure_has_the_image_and_its_curve(tmp_path):
    found: MaximizedImage = maximize(linear(), Class("a"), Maximization(steps=4))
    figure = found.figure(tmp_path / "a.png")
    picture = next(axes.images[0].get_array() for axes in figure.axes if axes.images)
    np.testing.assert_allclose(np.asarray(picture) / 255, found.pixels.transpose(1, 2, 0), atol=0.51 / 255)
    curve = next(line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 5)
    np.testing.assert_allclose(curve.get_ydata(), found.scores)
    assert found.image().shape == (SIDE, SIDE)


def network() -> nn.Sequential:
    """A batch norm before a rectifier that works in place, and a stride."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 4, 3, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


@pytest.mark.parametrize("layer", ["0", "1", "2", "3"])
@pytest.mark.parametrize("position", [None, (2, 3)])
def test_a_layer_s_own_output_counts_also_where_the_next_one_overwrites_it(layer, position):
    plain = network().eval()
    plain[2].inplace = False
    x = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = plain[: int(layer) + 1](x - torch.tensor(MEAN)[:, None, None])[:, 2]
    expected = maps.mean((1, 2)) if position is None else maps[:, 2, 3]
    with open_activation(TorchClassifier(network(), GRAY), NetworkUnit(layer, 2, position)) as (_, activation), torch.no_grad():
        torch.testing.assert_close(activation(x), expected)


class Tokens(nn.Module):
    """Every place is a token: n, places, channels."""

    def forward(self, x):
        return x.flatten(2).transpose(1, 2)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.unused = Both(), nn.Identity()

    def forward(self, x):
        return self.inner(x)[0]


class Both(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)), x


def test_channels_of_tokens_are_the_last_axis():
    classifier = TorchClassifier(
        nn.Sequential(Tokens(), nn.Linear(3, 5), nn.AdaptiveAvgPool2d((1, 5)), nn.Flatten()), GRAY
    )
    x = torch.rand(2, 3, SIDE, SIDE)
    tokens = classifier.copy_of_module()[:2](classifier.normalized(x))
    for position, expected in ((None, tokens[..., 4].mean(1)), ((7,), tokens[:, 7, 4])):
        with open_activation(classifier, NetworkUnit("1", 4, position)) as (_, activation):
            torch.testing.assert_close(activation(x), expected)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("inner", "channels from the layer 'inner'; got a tuple"),
        ("unused", "the layer 'unused' to be used; got a forward pass that doesn't call it"),
        ("innner", "got 'innner'; try 'inner'"),
    ],
)
def test_layers_without_channels_or_without_use(layer, told):
    classifier = TorchClassifier(Pair(), GRAY)
    with pytest.raises(TargetError, match=told):
        maximize(classifier, NetworkUnit(layer, 0), STILL)
    assert all(not part._forward_hooks for part in classifier._module.modules())


def test_steps_see_the_rolled_image_and_scores_the_image_itself(monkeypatch):
    classifier, seen, real = linear(), [], TorchClassifier.logits
    monkeypatch.setattr(TorchClassifier, "logits", lambda self, x: seen.append(x.detach().clone()) or real(self, x))
    found = maximize(classifier, Class("a"), Maximization(5, 0.05, Pixels(), 3, 0.0), seed=4)
    plain, rolled = seen[0::2], seen[1::2]
    offsets = [offset("maximize/4/a", step, 3) for step in range(1, 6)]
    assert (len(plain), len(rolled)) == (6, 5)
    assert len(set(offsets)) > 1
    for image, shown, by in zip(plain, rolled, offsets, strict=False):
        np.testing.assert_array_equal(shown[0], np.roll(image[0].numpy(), by, (1, 2)))
    np.testing.assert_allclose(found.scores, [float(real(classifier, image)[0, 0]) for image in plain], rtol=1e-6)
    np.testing.assert_array_equal(found.pixels, plain[-1][0])


class Breaks(nn.Module):
    """The mean of every channel; broken in one way, and only after a few steps for `nan`."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x):
        y = x.mean((2, 3))
        if self.how == "nan":
            return y * math.nan if float(y.detach().abs().max()) > 0.1 else y
        return y.detach() if self.how == "detached" else (y - y.detach()).abs().sqrt()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("nan", r"got nan after step \d;"),
        ("gradient", "got a gradient that isn't, in step 1;"),
        ("detached", "at the pixels; got one that is cut off from them"),
    ],
)
@pytest.mark.parametrize("goal", [Class(0), NetworkUnit("0", 0)])
def test_it_ends_at_once_where_it_can_t_go_on(how, told, goal):
    classifier, steps = TorchClassifier(nn.Sequential(Breaks(how)), GRAY), []
    settings = Maximization(50, 0.05, Pixels())
    with pytest.raises(ClassifierError, match=told):
        maximize(classifier, goal, settings, on_step=lambda step, score: steps.append(step))
    assert len(steps) < 10
    assert all(not part._forward_hooks for part in classifier._module.modules())


def test_the_classifier_and_torch_are_left_as_they_were():
    module = network().train()
    classifier = TorchClassifier(module, GRAY)
    before = {name: value.clone() for name, value in classifier._module.state_dict().items()}
    with torch.no_grad():
        assert len(maximize(classifier, NetworkUnit("1", 0), Maximization(3)).scores) == 4, (
            "also where gradients are off"
        )
        assert not torch.is_grad_enabled()

    def stop(step: int, score: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maximize(classifier, NetworkUnit("1", 0), Maximization(3), on_step=stop)
    assert module.training
    assert all(not part._forward_hooks for part in classifier._module.modules())
    assert all(torch.equal(value, before[name]) for name, value in classifier._module.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in classifier._module.parameters())
