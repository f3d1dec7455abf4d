"""SmoothGrad against its formula, on classifiers whose gradients are known in closed form."""

import gc
import hashlib
import weakref
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, SmoothGrad, UntilStable
from unveil.attribution.base import GradientMethod, Moments
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.errors import RecipeError
from unveil.saliency import L2, MaxAbs, ShrunkL2, UnbiasedL2
from unveil.targets import TargetScore

SIDE = 8
A = torch.linspace(-1, 2, 3 * SIDE * SIDE, dtype=torch.float64).reshape(3, SIDE, SIDE)


class Quadratic(nn.Module):
    """logit_0 = Σ a_i x_i², logit_1 = Σ x_i³: gradients 2 a_i x_i and 3 x_i²."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(A.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([(self.a * x.square()).sum((1, 2, 3)), x.pow(3).sum((1, 2, 3))], 1)


CLASSIFIER = TorchClassifier(Quadratic(), Preprocessing.square(SIDE, (0, 0, 0), (1, 1, 1)))
TARGET_SCORES = [
    TargetScore("a", ((0, 1.0),)),
    TargetScore("b", ((1, 1.0),)),
    TargetScore("2a − b", ((0, 2.0), (1, -1.0))),
]
PIXELS = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def question(
    batch_size: int = 8, key: str = "7/image", pixels: Tensor = PIXELS, classifier=CLASSIFIER, target_scores=None
) -> AttributionRequest:
    return AttributionRequest(
        classifier, pixels, TARGET_SCORES if target_scores is None else target_scores, key, batch_size
    )


def noise_of(sample: int, key: str = "7/image") -> np.ndarray:
    """What the documentation says: a generator seeded by the first 63 bits of SHA-256(key/sample)."""
    bits = bin(int(hashlib.sha256(f"{key}/{sample}".encode()).hexdigest(), 16))[2:].zfill(256)
    return torch.randn(PIXELS.shape, generator=torch.Generator().manual_seed(int(bits[:63], 2))).double().numpy()


@pytest.mark.parametrize("samples", [2, 7, 20])
@pytest.mark.parametrize("level", [0.1, 0.3])
def test_the_mean_and_its_halves_follow_the_formula(samples, level):
    x = PIXELS.double().numpy()
    sigma = level * float(PIXELS.max() - PIXELS.min())
    noisy = [x + sigma * noise_of(k) for k in range(samples)]
    by_scalar = [[2 * A.numpy() * y for y in noisy], [3 * y**2 for y in noisy]]
    by_scalar.append([2 * a - b for a, b in zip(*by_scalar, strict=True)])
    result = SmoothGrad(samples=samples, noise=level).attribute(question())
    for number, gradients in enumerate(by_scalar):
        tolerance = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(result.all.mean[number], np.mean(gradients, 0), **tolerance)
        np.testing.assert_allclose(result.even.mean[number], np.mean(gradients[0::2], 0), **tolerance)
        np.testing.assert_allclose(result.odd.mean[number], np.mean(gradients[1::2], 0), **tolerance)
        np.testing.assert_allclose(
            result.all.variance_of_mean[number], np.var(gradients, axis=0, ddof=1) / samples, **tolerance
        )
    assert (result.all.count, result.even.count, result.odd.count) == (samples, -(-samples // 2), samples // 2)


@pytest.mark.parametrize("batch_size", [1, 6, 64])
def test_antithetic_pairs_are_observations_of_their_own(batch_size):
    """The reference draws every noise twice, with both signs, and knows nothing of groups or batches."""
    x, sigma = PIXELS.double().numpy(), 0.15 * float(PIXELS.max() - PIXELS.min())
    pairs = [np.mean([3 * (x + sign * sigma * noise_of(k)) ** 2 for sign in (1, -1)], 0) for k in range(7)]
    result = SmoothGrad(samples=14, antithetic=True).attribute(question(batch_size))
    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(result.all.mean[1], np.mean(pairs, 0), **tolerance)
    np.testing.assert_allclose(result.odd.mean[1], np.mean(pairs[1::2], 0), **tolerance)
    np.testing.assert_allclose(result.all.variance_of_mean[1], np.var(pairs, axis=0, ddof=1) / 7, **tolerance)
    # What is odd in the noise is gone: the gradient of a square is exact from a single pair on.
    np.testing.assert_allclose(result.all.mean[0], 2 * A.numpy() * x, rtol=1e-5, atol=1e-6)
    assert float(result.all.variance_of_mean[0].max()) < 1e-10


@dataclass
class Halves:
    """Says how much two halves agree, one answer a call, and remembers what it was asked."""

    answers: list[float]
    seen: list = field(default_factory=list)

    def __call__(self, one, other) -> float:
        self.seen.append((one, other))
        return self.answers[min(len(self.seen), len(self.answers)) - 1]


@pytest.mark.parametrize(
    ("answers", "samples"),
    [
        ([0.9], 8),  # at once
        ([0.5, 0.5, 0.8, 0.9], 12),  # .6 in the mean of three is not enough, .9 is
        ([0.1], 20),  # never: all that are allowed
    ],
)
@pytest.mark.parametrize("antithetic", [False, True])
def test_samples_are_drawn_until_the_halves_agree(answers, samples, antithetic):
    requested, halves = question(), Halves(answers)
    rule = UntilStable(min_stability=0.7, min_samples=8, max_samples=20, step=4)
    result = SmoothGrad(samples=rule, antithetic=antithetic).attribute(replace(requested, agreement=halves))
    fixed = SmoothGrad(samples=samples, antithetic=antithetic).attribute(requested)
    assert result.all.count == samples // (1 + antithetic)
    assert torch.equal(result.all.total, fixed.all.total)
    assert torch.equal(result.odd.squares, fixed.odd.squares)
    for one, other in halves.seen:
        total = one + other
        assert abs(one.count - other.count) <= 2
        assert not torch.equal(one.total, other.total)
        assert total.count in range(8 // (1 + antithetic), samples // (1 + antithetic) + 1)


def test_auto_means_until_stable():
    assert SmoothGrad(samples="auto") == SmoothGrad(samples=UntilStable())


def test_progress_ends_at_the_total_for_any_number_of_samples():
    calls = []
    requested = replace(question(), on_sample=lambda done, total: calls.append((done, total)))
    SmoothGrad(samples=UntilStable(min_samples=8, max_samples=64)).attribute(requested)
    assert calls[0] == (8, 64)
    assert calls[-1] == (64, 64)


def test_the_three_magnitudes():
    result = SmoothGrad(samples=9).attribute(question())
    mean, variance = result.all.mean.numpy(), result.all.variance_of_mean.numpy()
    np.testing.assert_allclose(L2().saliency(result.all), np.sqrt((mean**2).sum(1)), rtol=1e-12)
    np.testing.assert_allclose(MaxAbs().saliency(result.all), np.abs(mean).max(1), rtol=1e-12)
    power = (mean**2 - variance).sum(1)
    expected = np.zeros_like(power)
    for target in range(3):
        for y in range(SIDE):
            for x in range(SIDE):
                window = power[target, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                expected[target, y, x] = np.sqrt(max(0.0, window.sum() / 9))
    np.testing.assert_allclose(UnbiasedL2(3).saliency(result.all), expected, rtol=1e-9, atol=1e-9)


def test_the_length_is_shrunk_where_all_is_noise():
    result = SmoothGrad(samples=5, noise=0.3).attribute(question())
    mean, variance = result.all.mean.numpy(), result.all.variance_of_mean.numpy()
    power, noise = (mean**2).sum(1), variance.sum(1)
    expected = np.zeros_like(power)
    for target in range(3):
        for y in range(SIDE):
            for x in range(SIDE):
                around = (target, slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2))
                share = max(0.0, 1 - noise[around].sum() / power[around].sum())
                expected[target, y, x] = np.sqrt(power[target, y, x] * share)
    found = ShrunkL2(3).saliency(result.all)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    assert (found <= L2().saliency(result.all) * (1 + 1e-12)).all()
    # A single sample, and noise without any signal.
    np.testing.assert_allclose(
        ShrunkL2().saliency(Gradient().attribute(question()).all),
        L2().saliency(Gradient().attribute(question()).all),
        rtol=1e-6,
    )
    random = torch.randn((400, 1, 3, 40, 40), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nothing = Moments(400, random.sum(0), random.square().sum(0))
    assert ShrunkL2().saliency(nothing).mean() < 0.2 * L2().saliency(nothing).mean()
    assert ShrunkL2().saliency(Moments(4, torch.zeros(1, 3, 9, 9), torch.zeros(1, 3, 9, 9))).max() == 0


@pytest.mark.parametrize("size", [0, 4])
def test_boxes_need_an_odd_size(size):
    for kind in (ShrunkL2, UnbiasedL2):
        with pytest.raises(RecipeError, match="an odd box size"):
            kind(size)


def test_subtracting_the_noise_floor_makes_the_power_unbiased():
    """Over many independent runs of 4 samples, the mean of m² − v/n is the true square; the mean of m² is above it."""
    x, level = PIXELS.double(), 0.3
    sigma = level * float(PIXELS.max() - PIXELS.min())
    truth = (2 * A * x).square().numpy()  # the mean gradient of logit 0 is 2 a x
    spread = (2 * A * sigma).square().numpy() / 4  # what noise adds to the square of a mean of 4
    runs = [
        SmoothGrad(samples=4, noise=level).attribute(question(key=f"run {k}", target_scores=TARGET_SCORES[:1])).all
        for k in range(300)
    ]
    biased = np.mean([run.mean[0].square().numpy() for run in runs], 0)
    unbiased = np.mean([(run.mean[0].square() - run.variance_of_mean[0]).numpy() for run in runs], 0)
    assert (biased - truth).sum() == pytest.approx(spread.sum(), rel=0.15)
    assert abs((unbiased - truth).sum()) < 0.15 * spread.sum()


@pytest.mark.parametrize("batch_size", [2, 3, 8, 50])
def test_the_batch_size_does_not_change_the_result(batch_size):
    one = SmoothGrad(samples=11).attribute(question(1))
    other = SmoothGrad(samples=11).attribute(question(batch_size))
    np.testing.assert_allclose(other.all.mean, one.all.mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other.odd.squares, one.odd.squares, rtol=1e-6, atol=1e-9)


def test_equal_streams_have_equal_noise_and_others_do_not():
    one, same, other = (SmoothGrad(samples=5).attribute(question(key=key)).all.mean for key in ("a", "a", "b"))
    assert torch.equal(one, same)
    assert float((one - other).abs().max()) > 1e-3


def test_the_noise_is_a_share_of_the_range_of_the_image():
    flat = torch.full((3, SIDE, SIDE), 0.25)
    result = SmoothGrad(samples=4).attribute(question(pixels=flat))
    np.testing.assert_allclose(result.all.mean[0], 2 * A * 0.25, rtol=1e-5, atol=1e-7)
    assert float(result.all.variance_of_mean.max()) < 1e-10


def test_over_guided_backprop_it_averages_guided_gradients():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 2))
    classifier = TorchClassifier(module, Preprocessing.square(SIDE, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)))
    requested = question(3, classifier=classifier, target_scores=TARGET_SCORES[:1])
    result = SmoothGrad(GuidedBackprop(), samples=5).attribute(requested)
    sigma = 0.15 * float(PIXELS.max() - PIXELS.min())
    one_by_one = [
        GuidedBackprop().attribute(
            question(
                pixels=PIXELS + sigma * torch.from_numpy(noise_of(k)).float(),
                classifier=classifier,
                target_scores=TARGET_SCORES[:1],
            )
        )
        for k in range(5)
    ]
    expected = torch.stack([one.all.mean for one in one_by_one]).mean(0)
    np.testing.assert_allclose(result.all.mean, expected, rtol=1e-5, atol=1e-7)
    assert result.rules is not None
    assert result.rules.overridden == {"ReLU": 2}


@dataclass(frozen=True)
class Watched(GradientMethod):
    """Plain gradients that remember which batches are still alive when the next one comes."""

    batches: list = field(default_factory=list)
    alive: list = field(default_factory=list)

    def attribute(self, request):
        raise AssertionError("SmoothGrad asks for gradients")

    def gradients(self, classifier, pixels, target_scores):
        gc.collect()
        self.alive.append(sum(reference() is not None for reference in self.batches))
        signed, rules = Gradient().gradients(classifier, pixels, target_scores)
        self.batches.extend((weakref.ref(pixels), weakref.ref(signed)))
        return signed, rules


def test_memory_does_not_grow_with_the_samples():
    watched = Watched()
    result = SmoothGrad(watched, samples=64).attribute(question(4))
    assert len(watched.batches) == 2 * 16
    # Names of the loop hold the previous batch until the next is there; never more.
    assert max(watched.alive) <= 2
    assert result.even.total.shape == result.odd.total.shape == (3, 3, SIDE, SIDE)


def test_progress_is_reported_for_every_batch():
    calls = []
    requested = AttributionRequest(
        CLASSIFIER, PIXELS, TARGET_SCORES, "key", 4, lambda done, total: calls.append((done, total))
    )
    SmoothGrad(samples=10).attribute(requested)
    assert calls == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize(
    "settings",
    [
        {"samples": 1},
        {"samples": 0},
        {"noise": 0.0},
        {"noise": 1.5},
        {"noise": -0.1},
        {"samples": 7, "antithetic": True},
        {"samples": 2, "antithetic": True},
        {"samples": UntilStable(step=3), "antithetic": True},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(RecipeError, match="expected .*; got .*; "):
        SmoothGrad(**settings)


def test_sums_of_moments_are_the_sums_of_all_samples():
    result = SmoothGrad(samples=6).attribute(question())
    both = result.even + result.odd
    assert both.count == 6
    assert torch.equal(both.total, result.all.total)


@pytest.mark.parametrize(
    "settings",
    [{"min_stability": 0}, {"min_stability": 1.0}, {"min_samples": 7}, {"min_samples": 65}, {"step": 0}],
    ids=repr,
)
def test_settings_of_a_rule_out_of_range_are_refused(settings):
    with pytest.raises(RecipeError, match="expected .*; got .*; "):
        UntilStable(**settings)
