"""RISE and occlusion against their formulas, on functions whose evidence is known."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from unveil.attribution import AttributionRequest, Gradient, GuidedBackprop, Occlusion, Rise
from unveil.classifiers import BlackBox, Preprocessing
from unveil.errors import AttributionError, RecipeError
from unveil.saliency import PositiveSum
from unveil.targets import TargetScore

SIDE = 24
WEIGHTS = np.zeros((SIDE, SIDE))
WEIGHTS[4:10, 5:11] = 0.05
WEIGHTS[15:20, 14:20] = -0.03
MEAN = 0.25


def linear(inputs: np.ndarray) -> np.ndarray:
    """logit_0 = Σ w·x, logit_1 = 3 everywhere; x in pixels."""
    return np.stack([(inputs[:, 0] * WEIGHTS).sum((1, 2)), np.full(len(inputs), 3.0)], 1)


# The normalization takes the mean off; the function is told in pixels again.
BOX = BlackBox(lambda inputs: linear(inputs + MEAN), Preprocessing.square(SIDE, (MEAN,), (1.0,)), ["a", "b"])
TARGET_SCORES = [TargetScore("a", ((0, 1.0),)), TargetScore("b", ((1, 1.0),))]
PIXELS = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def question(batch_size: int = 8, key: str = "key", **options) -> AttributionRequest:
    return AttributionRequest(BOX, PIXELS, TARGET_SCORES, key, batch_size, **options)


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("samples", [2, 9])
def test_rise_equals_its_formula(centered, samples):
    method = Rise(samples, 5, 0.4, centered)
    result = method.attribute(question(4))
    x = PIXELS[0].double().numpy()
    masks = [method.mask("key", k, (SIDE, SIDE)).numpy() for k in range(samples)]
    answers = [linear((m * x + (1 - m) * MEAN)[None, None])[0] for m in masks]
    for target in range(2):
        terms = [answer[target] * (m - 0.4 * centered) / 0.4 for answer, m in zip(answers, masks, strict=True)]
        np.testing.assert_allclose(result.all.mean[target, 0], np.mean(terms, 0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(result.even.mean[target, 0], np.mean(terms[0::2], 0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(result.odd.mean[target, 0], np.mean(terms[1::2], 0), rtol=1e-5, atol=1e-6)


def test_masks_are_those_of_the_paper():
    """Cells open with probability p, enlarged linearly, shifted within a cell: the mean is p everywhere."""
    method = Rise(2, 4, 0.3)
    masks = torch.stack([method.mask("k", number, (SIDE, SIDE)) for number in range(4000)])
    assert float(masks.min()) >= 0
    assert float(masks.max()) <= 1
    np.testing.assert_allclose(masks.mean(0), 0.3, atol=0.04)
    assert torch.equal(method.mask("k", 5, (SIDE, SIDE)), masks[5])
    assert not torch.equal(method.mask("other", 5, (SIDE, SIDE)), masks[5])
    # Neighbors an enlarged cell (6 px) apart or more are independent, near ones aren't.
    a, near, far = (masks[:, 12, column].numpy() for column in (4, 5, 20))
    assert np.corrcoef(a, near)[0, 1] > 0.8
    assert abs(np.corrcoef(a, far)[0, 1]) < 0.06


def test_centered_rise_is_zero_without_evidence():
    result = Rise(3000).attribute(question(64))
    found = result.all.mean[0, 0]
    contrast = WEIGHTS * (PIXELS[0].numpy() - MEAN)
    smooth = F.avg_pool2d(torch.from_numpy(contrast)[None], 5, 1, 2)[0]
    assert np.corrcoef(found.numpy().ravel(), smooth.numpy().ravel())[0, 1] > 0.6
    assert float(PositiveSum().saliency(result.all)[0].min()) == 0
    # Class b doesn't depend on the image. Uncentred, its map is a constant; centered, it goes to 0.
    plain = Rise(3000, centered=False).attribute(question(64)).all.mean[1, 0]
    assert float(plain.mean()) == pytest.approx(3, rel=0.05)
    assert float(result.all.mean[1, 0].abs().max()) < 0.2


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_the_batch_size_does_not_matter(batch_size):
    for method in (Rise(20), Occlusion(6, 3)):
        one, other = method.attribute(question(8)).all, method.attribute(question(batch_size)).all
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("size", "stride"), [(6, 3), (8, 8), (5, 2), (24, 24), (7, 4)])
def test_occlusion_is_the_mean_drop_of_the_windows(size, stride):
    result = Occlusion(size, stride).attribute(question(4))
    x = PIXELS[0].double().numpy()
    whole = linear(x[None, None])[0, 0]
    drops, counts = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    top = 0
    while top < SIDE and (top == 0 or top - stride + size < SIDE):
        left = 0
        while left < SIDE and (left == 0 or left - stride + size < SIDE):
            covered = x.copy()
            covered[top : top + size, left : left + size] = MEAN
            drops[top : top + size, left : left + size] += whole - linear(covered[None, None])[0, 0]
            counts[top : top + size, left : left + size] += 1
            left += stride
        top += stride
    assert counts.min() >= 1
    np.testing.assert_allclose(result.all.mean[0, 0], drops / counts, rtol=1e-4, atol=1e-5)
    assert float(result.all.mean[1].abs().max()) == 0


def test_progress_is_reported():
    calls: list = []
    Rise(10).attribute(question(4, on_sample=lambda done, total: calls.append((done, total))))
    assert calls == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize("method", [Gradient(), GuidedBackprop()])
def test_gradients_of_a_black_box_are_refused(method):
    with pytest.raises(
        AttributionError,
        match="a classifier with gradients for .*; got black box, whose logits have no gradient; use --recipe black-box",
    ):
        method.attribute(question())


@pytest.mark.parametrize(
    "make",
    [lambda: Rise(1), lambda: Rise(cells=1), lambda: Rise(share=1.0), lambda: Occlusion(4, 5), lambda: Occlusion(4, 0)],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(RecipeError):
        make()


def test_volumes():
    box = BlackBox(
        lambda inputs: np.stack([inputs[:, 0, 2:5, 2:5, 2:5].sum((1, 2, 3)), np.zeros(len(inputs))], 1),
        Preprocessing((8, 8, 8), (0.0,), (1.0,), 8),
        ["a", "b"],
    )
    requested = AttributionRequest(box, torch.ones(1, 8, 8, 8), TARGET_SCORES, "key", 16)
    for method in (Rise(600, 3), Occlusion(3, 1)):
        found = method.attribute(requested).all.mean[0, 0]
        assert float(found[2:5, 2:5, 2:5].mean()) > 2 * float(found[6:, 6:, 6:].abs().mean())
