"""Deletion and insertion: in closed form, and pixel by pixel with a convolution written out."""

import numpy as np
import pytest
import torch
from metric_toys import MEAN, STD, network, noise
from scipy.ndimage import gaussian_filter
from torch import nn

from toys import SIDE, Additive, square, toy, white
from unveil.errors import AttributionError, RecipeError, TargetError
from unveil.evaluation.metrics.curves import PerturbationCurve, blur_image, deletion, insertion, summarize_curves
from unveil.evaluation.metrics.probe import Probe, ScoreUnit
from unveil.targets import TargetScore

FIRST = TargetScore("a", ((0, 1.0),))


def twin(classifier, pixels, saliency, steps, label, *, insert):
    """Wholly in normalized space, as in the paper: one image after another, a pixel at a time, one forward pass each."""
    mean, std = (torch.tensor(one).double()[:, None, None] for one in (MEAN, STD))
    image = (pixels.double() - mean) / std
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    kernel = torch.from_numpy(gaussian_filter(impulse, 5))
    blurred = nn.functional.conv2d(image[:, None], kernel[None, None], padding=5)[:, 0]
    now, goal = (blurred.clone(), image) if insert else (image.clone(), torch.zeros_like(image))
    order = sorted((-saliency[y, x], y, x) for y in range(saliency.shape[0]) for x in range(saliency.shape[1]))
    module, scores, done = classifier.copy_of_module(), [], 0
    for step in range(steps + 1):
        while done < round(step * len(order) / steps):
            _, y, x = order[done]
            now[:, y, x] = goal[:, y, x]
            done += 1
        scores.append(float(torch.softmax(module(now[None])[0], 0)[label]))
    return np.array(scores)


@pytest.mark.parametrize("insert", [False, True], ids=["deletion", "insertion"])
@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_against_the_paper_written_out_in_normalized_space(insert, batch_size):
    classifier, pixels = network(), noise()
    saliency = np.random.default_rng(2).permutation(256).reshape(16, 16).astype(np.float32)
    probe = Probe(classifier, pixels, TargetScore("class 2", ((2, 1.0),)), batch_size=batch_size)
    result = (insertion if insert else deletion)(probe, saliency, steps=10)
    expected = twin(classifier, pixels, saliency, 10, 2, insert=insert)
    np.testing.assert_allclose(result.scores, expected, rtol=1e-5)
    auc = (expected.sum() - expected[0] / 2 - expected[-1] / 2) / 10
    assert result.auc == pytest.approx(auc, abs=2e-3), "the last digits: steps of 256/10 px aren't all alike"


def test_deletion_in_closed_form():
    """A white image; a logit of 3 a pixel of a square of 64 px; black is the mean color. The square goes first."""
    inside = square(4, 4, 8)
    classifier = toy(Additive([(4, 4, 8)], [[1.0], [0.0]], [0.0, 1.0]))
    probe = Probe(classifier, torch.from_numpy(white()).permute(2, 0, 1), FIRST, ScoreUnit.LOGIT)
    saliency = inside.astype(np.float32)
    result = deletion(probe, saliency, steps=SIDE * SIDE // 8)
    left = np.maximum(64 - 8 * np.arange(289), 0)
    np.testing.assert_allclose(result.scores, 3.0 * left)
    assert result.auc == pytest.approx(3 * 64 * 64 / 2 / SIDE**2)
    assert result.kept.tolist() == (3.0 * left >= 0).tolist(), "a sigmoid's class is predicted from a logit of 0 on"
    worst = deletion(probe, 1 - saliency, steps=SIDE * SIDE // 8)
    assert worst.auc == pytest.approx(3 * (64 - 64 * 64 / 2 / SIDE**2))


def test_insertion_starts_at_the_blur_and_ends_at_the_image():
    classifier, pixels = network(), noise()
    probe = Probe(classifier, pixels, TargetScore("class 1", ((1, 1.0),)))
    result = insertion(probe, np.random.default_rng(0).random((16, 16)), steps=7)
    ends = classifier.predict(torch.stack([blur_image(probe), pixels]))
    assert result.scores[[0, -1]] == pytest.approx([one.probabilities[1] for one in ends])
    assert result.kept is not None
    assert result.kept[-1] == (ends[1].leading(1)[0] == 1)


def test_the_order_of_equal_values_depends_on_the_seed_only():
    probe = Probe(network(), noise(), FIRST)
    flat = np.zeros((16, 16), np.float32)
    ranks = probe.ranks(flat)
    assert sorted(ranks.ravel()) == list(range(256))
    assert (np.diff(ranks.ravel()) == 1).mean() < 0.1, "not the order of reading"
    np.testing.assert_array_equal(ranks, probe.ranks(flat))
    assert (Probe(network(), noise(), FIRST, seed=1).ranks(flat) != ranks).any()
    flat[3, 5] = 1
    assert probe.ranks(flat)[3, 5] == 0


def test_invalid_probes_are_refused():
    classifier, pixels = network(), noise()
    margin = TargetScore("a − b", ((0, 1.0), (1, -1.0)))
    with pytest.raises(TargetError, match=r"use ScoreUnit\.LOGIT"):
        Probe(classifier, pixels, margin)
    probe = Probe(classifier, pixels, margin, ScoreUnit.LOGIT)
    assert deletion(probe, np.ones((16, 16)), steps=2).kept is None
    with pytest.raises(AttributionError, match="1 values not finite"):
        deletion(probe, np.where(np.eye(16) * np.arange(16) == 3, np.nan, 1.0))
    with pytest.raises(AttributionError, match=r"grid \(16, 16\)"):
        deletion(probe, np.ones((8, 8)))
    for steps in (0, 257):
        with pytest.raises(RecipeError, match="1 to 256 steps"):
            deletion(probe, np.ones((16, 16)), steps=steps)
    np.testing.assert_array_equal(deletion(probe, np.ones((16, 16)), steps=1).shares, [0, 1])
    assert deletion(probe, np.ones((16, 16)), steps=256).shares[1] == 1 / 256
    assert len(deletion(probe, np.ones((16, 16))).shares) == 225, "224 steps, as published"


def test_summary_by_hand():
    shares = np.array([0.0, 0.5, 1.0])
    first = PerturbationCurve(shares, np.array([1.0, 0.5, 0.0]), np.array([True, True, False]))
    second = PerturbationCurve(shares, np.array([0.8, 0.0, 0.0]), np.array([True, False, False]))
    summary = summarize_curves([first, second], ["p1", "p2"]).as_dict()
    assert summary["auc"] == pytest.approx((0.5 + 0.2) / 2)
    assert summary["auc_95"] == pytest.approx([0.2, 0.5])
    assert summary["scores"] == pytest.approx([0.9, 0.25, 0])
    assert summary["kept"] == pytest.approx([1, 0.5, 0])
    assert summary["scores_95"][1] == pytest.approx([0, 0.5])
    no_class = PerturbationCurve(shares, np.zeros(3), None)
    assert summarize_curves([first, no_class], [1, 2]).kept is None
    assert summarize_curves([], []).auc.value is None
    assert summarize_curves([first], [1]).auc.interval is None
    with pytest.raises(RecipeError, match="the same shares"):
        summarize_curves([first, PerturbationCurve(shares[:2], shares[:2], None)], [1, 2])
