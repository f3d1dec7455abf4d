"""Activation maximization compared with closed forms, and on the demo network."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier, load_classifier
from unveil.errors import ClassifierError, RecipeError, TargetError
from unveil.maximization import Fourier, Maximization, MaximizedImage, NetworkUnit, Pixels, maximize
from unveil.maximization.ascent import EPSILON, draw_offset, total_variation
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
    """w·x − λ Σ (x − mean)² is largest at x = mean + w / 2λ, clipped to [0, 1]."""
    classifier, penalty = linear(), 0.05
    result = maximize(classifier, Class("b"), Maximization(600, 0.01, Pixels(), 0, 0.0, penalty))
    weights = classifier.copy_of_module()[1].weight[1].reshape(3, SIDE, SIDE)
    expected = (torch.tensor(MEAN)[:, None, None] + weights / (2 * penalty)).clamp(0, 1)
    np.testing.assert_allclose(result.pixels, expected, atol=0.02)


def test_without_a_penalty_pixels_become_0_or_1():
    result = maximize(linear(), Margin("a", "c"), STILL)
    layer = linear().copy_of_module()[1]
    difference = (layer.weight[0] - layer.weight[2]).reshape(3, SIDE, SIDE)
    clear = difference.abs() > 0.002
    np.testing.assert_allclose(result.pixels[clear], (difference > 0).float()[clear], atol=1e-6)
    assert result.scores[-1] > result.scores[0]
    assert len(result.scores) == 301


def test_the_image_of_a_convolution_is_its_kernel():
    y, x = torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-3.0, 4), indexing="ij")
    gabor = torch.cos(1.3 * x + 0.6 * y) * torch.exp(-(x**2 + y**2) / 9)
    convolution = nn.Conv2d(3, 2, 7, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.stack([gabor.expand(3, 7, 7), -gabor.expand(3, 7, 7)]))
    module = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = TorchClassifier(module, GRAY, ["a", "b"])
    result = maximize(classifier, NetworkUnit("0", 0, (2, 3)), Maximization(200, 0.02, Pixels(), 0, 0.0, 1.0))
    patch = result.pixels[:, 2:9, 3:10].mean(0)
    assert np.corrcoef(patch.ravel(), gabor.numpy().ravel())[0, 1] > 0.9
    # The score is that unit's activation.
    direct = convolution(torch.from_numpy(result.pixels)[None] - torch.tensor(MEAN)[:, None, None])[0, 0, 2, 3]
    assert result.scores[-1] == pytest.approx(float(direct.detach()), rel=1e-4)


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
    parametrization, (height, width) = Fourier(decay=1.0, decorrelate=False), (6, 5)
    parameters = parametrization.start((2, height, width), (0.5, 0.5), torch.Generator().manual_seed(0)).double() * 50
    image = parametrization.pixels(parameters, (2, height, width))[0]
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


def test_jitter_is_uniform_and_seeded_by_the_step():
    offsets = [draw_offset("stream", step, 3) for step in range(2000)]
    assert offsets[5] == draw_offset("stream", 5, 3)
    for axis in range(2):
        values, counts = np.unique([pair[axis] for pair in offsets], return_counts=True)
        assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
        assert counts.min() > 220
    assert draw_offset("stream", 0, 0) == (0, 0)


@pytest.mark.parametrize("label", LABELS)
def test_every_class_of_the_demo_network_can_be_maximized(label):
    classifier = load_classifier("planted/demo")
    assert isinstance(classifier, TorchClassifier)
    result = maximize(classifier, Class(label), Maximization(steps=60), seed=2)
    (prediction,) = classifier.predict(torch.from_numpy(result.pixels)[None])
    index = LABELS.index(label)
    assert prediction.probabilities[index] > 0.95
    assert prediction.leading(1) == (index,)
    assert result.scores[-1] == pytest.approx(float(prediction.logits[index]), rel=1e-3)
    assert result.scores[-1] > result.scores[0] + 5


def test_equal_seeds_give_equal_images_and_others_do_not():
    classifier = linear()
    settings = Maximization(steps=5)
    first, same, other = (maximize(classifier, Class("a"), settings, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, same.pixels)
    assert not np.array_equal(first.pixels, other.pixels)
    assert 0 <= first.pixels.min() <= first.pixels.max() <= 1


class Failing(nn.Module):
    def forward(self, x):
        if x.requires_grad:
            raise RuntimeError("out of memory")
        return x.mean((2, 3))


def test_hooks_are_removed_after_an_error():
    module = nn.Sequential(nn.Conv2d(3, 3, 3), Failing())
    classifier = TorchClassifier(module, GRAY, ["a", "b", "c"])
    with pytest.raises(ClassifierError, match="out of memory"):
        maximize(classifier, NetworkUnit("0", 1), STILL)
    assert all(not part._forward_hooks for part in classifier._module.modules())
    steps: list = []
    maximize(linear(), NetworkUnit("1", 1), Maximization(steps=3), on_step=lambda step, score: steps.append(step))
    assert steps == [1, 2, 3]


class Nan(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)) * float("nan")


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (Class("d"), "one of the classifier's 3 labels"), (Top(2), "the same for every image"), (Predicted(), "the same for every image"),
        (NetworkUnit("2", 0), "one of the model's 2 layers; got '2'"), (NetworkUnit("1", 3), "a channel from 0 to 2"), (NetworkUnit("1", -1), "a channel from 0"),
        (NetworkUnit("1", 0, (1, 1)), "a position on the grid of '1', a single value"),
    ],
)  # fmt: skip
def test_unknown_goals_are_refused(goal, message):
    with pytest.raises(TargetError, match=message):
        maximize(linear(), goal, STILL)


def test_activations_that_are_not_finite_or_constant_are_refused():
    with pytest.raises(ClassifierError, match="finite activations"):
        maximize(TorchClassifier(nn.Sequential(Nan()), GRAY, ["a", "b", "c"]), Class("a"), STILL)
    constant = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    nn.init.zeros_(constant[1].weight)
    with pytest.raises(TargetError, match="to depend on the pixels; got a gradient of 0"):
        maximize(TorchClassifier(constant, GRAY), Class(0), Maximization(steps=3))


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"learning_rate": 0.0}, {"jitter_px": -1}, {"l2": -1.0}, {"total_variation": math.inf}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(RecipeError):
        Maximization(**settings)
    with pytest.raises(RecipeError):
        Fourier(decay=5.0)


def test_the_figure_has_the_image_and_its_curve(tmp_path):
    result: MaximizedImage = maximize(linear(), Class("a"), Maximization(steps=4))
    figure = result.figure(tmp_path / "a.png")
    drawn = next(axes.images[0].get_array() for axes in figure.axes if axes.images)
    np.testing.assert_allclose(np.asarray(drawn) / 255, result.pixels.transpose(1, 2, 0), atol=0.51 / 255)
    curve = next(line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 5)
    np.testing.assert_allclose(curve.get_ydata(), result.scores)
    assert result.image().shape == (SIDE, SIDE)


def network() -> nn.Sequential:
    """A batch norm before an in-place rectifier, and a stride."""
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
def test_a_layer_s_output_is_used_before_an_in_place_layer_changes_it(layer, position):
    plain = network().eval()
    plain[2].inplace = False
    x = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = plain[: int(layer) + 1](x - torch.tensor(MEAN)[:, None, None])[:, 2]
    expected = maps.mean((1, 2)) if position is None else maps[:, 2, 3]
    with (
        open_activation(TorchClassifier(network(), GRAY), NetworkUnit(layer, 2, position)) as (_, activation),
        torch.no_grad(),
    ):
        torch.testing.assert_close(activation(x), expected)


class Tokens(nn.Module):
    """Every position is a token: (n, positions, channels)."""

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
    ("layer", "message"),
    [
        ("inner", "channels from the layer 'inner'; got a tuple"),
        ("unused", "the layer 'unused' to be used; got a forward pass that doesn't call it"),
        ("innner", "got 'innner'; try 'inner'"),
    ],
)
def test_layers_without_channels_or_without_use(layer, message):
    classifier = TorchClassifier(Pair(), GRAY)
    with pytest.raises(TargetError, match=message):
        maximize(classifier, NetworkUnit(layer, 0), STILL)
    assert all(not part._forward_hooks for part in classifier._module.modules())


def test_steps_use_the_rolled_image_and_scores_the_image_itself(monkeypatch):
    classifier, predicted, real = linear(), [], TorchClassifier.logits
    monkeypatch.setattr(
        TorchClassifier, "logits", lambda self, x: predicted.append(x.detach().clone()) or real(self, x)
    )
    result = maximize(classifier, Class("a"), Maximization(5, 0.05, Pixels(), 3, 0.0), seed=4)
    plain, rolled = predicted[0::2], predicted[1::2]
    offsets = [draw_offset("maximize/4/a", step, 3) for step in range(1, 6)]
    assert (len(plain), len(rolled)) == (6, 5)
    assert len(set(offsets)) > 1
    for image, rolled_image, by in zip(plain, rolled, offsets, strict=False):
        np.testing.assert_array_equal(rolled_image[0], np.roll(image[0].numpy(), by, (1, 2)))
    np.testing.assert_allclose(result.scores, [float(real(classifier, image)[0, 0]) for image in plain], rtol=1e-6)
    np.testing.assert_array_equal(result.pixels, plain[-1][0])


class Breaks(nn.Module):
    """The mean of every channel with one defect; `nan` begins after a few steps."""

    def __init__(self, defect: str) -> None:
        super().__init__()
        self.defect = defect

    def forward(self, x):
        y = x.mean((2, 3))
        if self.defect == "nan":
            return y * math.nan if float(y.detach().abs().max()) > 0.1 else y
        return y.detach() if self.defect == "detached" else (y - y.detach()).abs().sqrt()


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ("nan", r"got nan after step \d;"),
        ("gradient", "got a gradient that isn't finite in step 1;"),
        ("detached", "with respect to the pixels; got none"),
    ],
)
@pytest.mark.parametrize("goal", [Class(0), NetworkUnit("0", 0)])
def test_the_ascent_ends_at_the_first_error(defect, message, goal):
    classifier, steps = TorchClassifier(nn.Sequential(Breaks(defect)), GRAY), []
    settings = Maximization(50, 0.05, Pixels())
    with pytest.raises(ClassifierError, match=message):
        maximize(classifier, goal, settings, on_step=lambda step, score: steps.append(step))
    assert len(steps) < 10
    assert all(not part._forward_hooks for part in classifier._module.modules())


def test_the_classifier_and_the_state_of_torch_are_not_changed():
    module = network().train()
    classifier = TorchClassifier(module, GRAY)
    before = {name: value.clone() for name, value in classifier._module.state_dict().items()}
    with torch.no_grad():
        assert len(maximize(classifier, NetworkUnit("1", 0), Maximization(3)).scores) == 4, (
            "also where gradients are disabled"
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
