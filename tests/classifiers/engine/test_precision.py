"""Averaged gradients are in bf16 where the processor is fast at it and regions stay the same; predictions never are."""

import pytest
import torch
import torchvision
from torch import nn

from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, SmoothGrad
from unveil.classifiers import Preprocessing, TorchClassifier, torch_module
from unveil.classifiers.engine import precision
from unveil.classifiers.engine.precision import compare_precisions
from unveil.errors import AttributionError
from unveil.targets import TargetScore

PREPROCESSING = Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3)
PIXELS = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
TARGET_SCORES = (TargetScore("one", ((1, 1.0),)),)


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """Pretend that this processor is fast at bf16."""
    monkeypatch.setattr(torch_module, "has_fast_bf16", lambda device: True)


def network() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=4)


def test_auto_has_exact_predictions_and_fast_averages_that_agree():
    exact, auto = (TorchClassifier(network(), PREPROCESSING, precision=name) for name in ("fp32", "auto"))
    assert torch.equal(auto.logits(PIXELS[None]), exact.logits(PIXELS[None]))
    exact_result, fast_result = (
        SmoothGrad(GuidedBackprop(), samples=8).attribute(AttributionRequest(c, PIXELS, TARGET_SCORES, "key", 4))
        for c in (exact, auto)
    )
    assert auto.averaging_precision.startswith("bf16: on synthetic images the region is that of fp32 (IoU ")
    assert exact.averaging_precision == "fp32"
    difference = (exact_result.all.mean - fast_result.all.mean).norm() / exact_result.all.mean.norm()
    assert 1e-4 < difference < 0.05, "in bf16, and close"
    # A single gradient isn't averaged, so it isn't rounded either.
    alone = [Gradient().gradients(c, PIXELS[None], TARGET_SCORES)[0] for c in (exact, auto)]
    assert torch.equal(*alone)


class Fine(nn.Module):
    """Its leading logit depends on the seventh digit of the input, which bf16 doesn't have."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(1)))

    def forward(self, x):
        return torch.stack([(self.weight * torch.sin(1e4 * x)).sum((1, 2, 3)), x.sum((1, 2, 3)) - 1e6], 1)


def test_gradients_stay_in_fp32_where_the_region_would_differ():
    classifier = TorchClassifier(Fine(), PREPROCESSING, precision="auto")
    SmoothGrad(samples=4).attribute(AttributionRequest(classifier, PIXELS, TARGET_SCORES, "key", 4))
    assert classifier.averaging_precision.startswith(
        "fp32: on synthetic images the region would differ in bf16 (IoU 0."
    )


def test_nothing_is_tried_on_a_processor_that_is_slow_at_bf16(monkeypatch):
    monkeypatch.setattr(torch_module, "has_fast_bf16", lambda device: False)
    monkeypatch.setattr(torch_module, "probe_precisions", lambda *args: pytest.fail("tried"))
    classifier = TorchClassifier(network(), PREPROCESSING, precision="auto")
    classifier.for_averaging()
    assert classifier.averaging_precision == "fp32: this processor isn't fast at bf16"


def test_a_network_in_float64_stays_in_float64():
    classifier = TorchClassifier(network().double(), PREPROCESSING, precision="auto")
    assert classifier.for_averaging().logits(PIXELS[None].double()).dtype is torch.float64
    assert classifier.averaging_precision == "float64: the precision of the network's own weights"


def test_bf16_of_the_network_itself_is_named_as_its_own():
    classifier = TorchClassifier(network().to(torch.bfloat16), PREPROCESSING, precision="auto")
    assert classifier.averaging_precision == "bfloat16: the precision of the network's own weights"


def test_the_error_of_a_network_without_gradients_names_the_recipe_to_use():
    class Detached(nn.Module):
        def forward(self, x):
            return torch.stack([x.detach().sum((1, 2, 3)), -x.detach().mean((1, 2, 3))], 1)

    classifier = TorchClassifier(Detached(), PREPROCESSING, precision="auto")
    with pytest.raises(AttributionError, match="--recipe black-box"):
        SmoothGrad(samples=4).attribute(AttributionRequest(classifier, PIXELS, TARGET_SCORES, "key", 4))


@pytest.mark.parametrize("mean, std, grid", [((0.5,) * 3, (0.25,) * 3, (40, 24)), ((0.5,), (1 / 2048,), (16, 16, 8))])
def test_probe_images_are_reproducible_and_similar_to_photographs(mean, std, grid):
    preprocessing = Preprocessing.whole(grid, mean, std)
    pixels = precision.probe_pixels(preprocessing, 0)
    assert torch.equal(pixels, precision.probe_pixels(preprocessing, 0))
    assert not torch.equal(pixels, precision.probe_pixels(preprocessing, 1))
    assert pixels.shape == (len(mean), *grid)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels.std() > 0.08
    # Neighboring pixels are similar in natural images, and independent in white noise.
    assert pixels.diff(dim=1).std() < 1.25 * pixels.std(), "white noise: √2"


class BrightOnly(Fine):
    """Depends on the seventh digit of bright images only: the first image must not decide the precision."""

    def forward(self, x):
        fine, coarse = ((self.weight * values).sum((1, 2, 3)) for values in (torch.sin(1e4 * x), x))
        logit = torch.where(x.mean((1, 2, 3)) > 0.75, fine, coarse)
        return torch.stack([logit, 0 * logit - 1e6], 1)


def test_the_decision_does_not_depend_on_the_first_image():
    dark, bright = 0.4 * PIXELS, 0.8 + 0.2 * PIXELS
    toy = TorchClassifier(BrightOnly(), PREPROCESSING)
    half = toy.in_bf16()
    checks = [compare_precisions(toy.logits, lambda x: toy.logits_of(half, x), pixels) for pixels in (dark, bright)]
    assert [check.passed for check in checks] == [True, False], "by the first image it would differ"
    reasons = set()
    for images in ((dark, bright), (bright, dark), ()):
        classifier = TorchClassifier(BrightOnly(), PREPROCESSING, precision="auto")
        for pixels in images:
            SmoothGrad(samples=4).attribute(AttributionRequest(classifier, pixels, TARGET_SCORES, "key", 4))
        reasons.add(classifier.averaging_precision)
    assert len(reasons) == 1


class CreatesTensors(nn.Module):
    """Creates a tensor in fp32: only autocast can run it in bf16."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.conv(x).mean((2, 3)) + torch.zeros(1, 4))


def test_a_network_that_cannot_be_cast_runs_under_autocast():
    exact, half = (TorchClassifier(CreatesTensors(), PREPROCESSING, precision=name) for name in ("fp32", "bf16"))
    half._module.load_state_dict(exact._module.state_dict())
    assert half._plan.autocast
    assert torch.allclose(exact.logits(PIXELS[None]), half.logits(PIXELS[None]), atol=0.02)


def test_scores_are_equal_up_to_the_rounding_of_their_own_precision():
    """A network whose own weights are in bf16 rounds as one that is cast, whatever the precision was called."""
    cast, own = (
        TorchClassifier(module, PREPROCESSING, precision=name)
        for module, name in (
            (network(), "bf16"),
            (network().bfloat16(), "fp32"),
        )
    )
    exact = TorchClassifier(network(), PREPROCESSING)
    assert (exact.rounding, cast.rounding, own.rounding) == (1e-5, 2**-8, 2**-8)
    assert TorchClassifier(CreatesTensors(), PREPROCESSING, precision="bf16").rounding == 2**-8


def test_a_network_agrees_with_itself_and_not_with_another():
    classifier = TorchClassifier(network(), PREPROCESSING)
    itself = compare_precisions(classifier.logits, classifier.logits, PIXELS)
    assert itself.precision_iou == 1.0
    assert 0 < itself.noise_iou < 1.0
    assert itself.passed
    other = TorchClassifier(torchvision.models.resnet18(num_classes=4), PREPROCESSING)
    different = compare_precisions(classifier.logits, other.logits, PIXELS)
    assert different.precision_iou < precision.MIN_IOU - 0.1
    assert different.noise_iou == itself.noise_iou, "it depends on the exact network alone"
    assert not different.passed
    undefined = compare_precisions(classifier.logits, lambda x: other.logits(x) * float("nan"), PIXELS)
    assert (undefined.precision_iou, undefined.passed) == (0.0, False)


@pytest.mark.parametrize(("shift", "passes"), [(0.02, True), (0.2, False)])
def test_logits_may_differ_by_a_twentieth_of_their_spread(shift, passes):
    """Shifted by a share of the spread, up and down in turns, so that no gradient changes."""
    classifier = TorchClassifier(network(), PREPROCESSING)
    copies = precision._noisy(PIXELS, range(precision.SAMPLES))
    with torch.no_grad():
        spread = torch.cat([classifier.logits(PIXELS[None]), classifier.logits(copies)]).double().std()
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    check = compare_precisions(classifier.logits, lambda x: classifier.logits(x) + shift * spread * signs, PIXELS)
    assert check.precision_iou == 1.0
    assert check.logit_difference == pytest.approx(shift, rel=1e-3)
    assert check.passed == passes
    assert ("20.0% of their spread" in check.difference) == (not passes)


def test_precision_may_change_a_region_by_half_as_much_as_noise():
    assert precision.PrecisionCheck(precision_iou=0.85, noise_iou=0.7).passed
    assert not precision.PrecisionCheck(precision_iou=0.84, noise_iou=0.7).passed
    assert precision.PrecisionCheck(precision_iou=0.9, noise_iou=0.99).passed, "the region itself is the same"
    assert not precision.PrecisionCheck(precision_iou=0.4, noise_iou=0.0).passed


def test_support_of_bf16_is_that_reported_by_torch():
    assert precision.has_fast_bf16(torch.device("cpu")) == (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    assert not precision.has_fast_bf16(torch.device("meta"))
