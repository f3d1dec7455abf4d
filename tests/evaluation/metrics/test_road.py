"""ROAD: imputation against a dense system, pytorch-grad-cam's imputer and laws; the curves in closed form."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_toys import network, noise
from pytorch_grad_cam.metrics.perturbation_confidence import RemoveLeastRelevantFirst, RemoveMostRelevantFirst
from pytorch_grad_cam.metrics.road import NoisyLinearImputer

from toys import SIDE, Additive, square, toy
from unveil.errors import RecipeError
from unveil.evaluation.metrics.imputation import impute
from unveil.evaluation.metrics.probe import Probe, ScoreUnit
from unveil.evaluation.metrics.road import SHARES, road
from unveil.targets import TargetScore

FIRST = TargetScore("a", ((0, 1.0),))
THEIRS = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # of numpy, inside pytorch-grad-cam


def dense(pixels, missing):
    """One equation per pixel, missing or not, with exact weights: x_i is itself, or the mean of its neighbors."""
    _, rows, columns = pixels.shape
    places = [(y, x) for y in range(rows) for x in range(columns)]
    matrix, right = np.zeros((len(places),) * 2), np.zeros((len(places), len(pixels)))
    for at, (y, x) in enumerate(places):
        matrix[at, at] = 1
        if not missing[y, x]:
            right[at] = pixels[:, y, x]
            continue
        weights = {
            (y + a, x + b): Fraction(1, 6) if 0 in (a, b) else Fraction(1, 12)
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            if (a, b) != (0, 0) and 0 <= y + a < rows and 0 <= x + b < columns
        }
        for other, weight in weights.items():
            matrix[at, places.index(other)] = -float(weight / sum(weights.values()))
    return np.linalg.solve(matrix, right).T.reshape(pixels.shape)


def case(seed, shape=(7, 9)):
    rng = np.random.default_rng(seed)
    missing = rng.random(shape) < rng.choice([0.2, 0.6, 0.95])
    missing[tuple(rng.integers(0, shape))] = False
    return rng.random((3, *shape)), missing


@given(st.integers(0, 2**32 - 1))
def test_imputation_against_a_dense_system(seed):
    pixels, missing = case(seed)
    np.testing.assert_allclose(impute(pixels, missing), dense(pixels, missing), atol=1e-10)


@THEIRS
@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_imputation_against_pytorch_grad_cam(seed):
    pixels, missing = case(seed)
    theirs = NoisyLinearImputer(noise=0.0)(torch.from_numpy(pixels).float(), torch.from_numpy(~missing).float())
    np.testing.assert_allclose(impute(pixels, missing), theirs.numpy(), atol=1e-5)


@given(st.integers(0, 2**32 - 1))
def test_imputed_values_depend_on_the_rest_and_stay_in_its_range(seed):
    pixels, missing = case(seed)
    blinded = np.where(missing, np.nan, pixels)
    result = impute(blinded, missing)
    np.testing.assert_array_equal(result[:, ~missing], pixels[:, ~missing])
    for channel, left in zip(result, pixels[:, ~missing], strict=True):
        assert left.min() - 1e-9 <= channel.min()
        assert channel.max() <= left.max() + 1e-9


def test_a_linear_ramp_is_restored_exactly():
    """Neighbors weigh alike on both sides, so that a plane is its own mean away from the border."""
    ramp = np.add.outer(2.0 * np.arange(12), -3.0 * np.arange(15))[None]
    missing = np.zeros((12, 15), bool)
    missing[2:9, 3:13] = True
    np.testing.assert_allclose(impute(ramp, missing), ramp, atol=1e-10)


def test_an_image_without_remaining_pixels_is_refused():
    pixels, missing = case(1)
    with pytest.raises(RecipeError, match="at least one pixel"):
        impute(pixels, np.ones_like(missing))
    np.testing.assert_array_equal(impute(pixels, np.zeros_like(missing)), pixels)
    probe = Probe(network(), noise(), FIRST)
    for shares in ((), (0.5, 0.5), (0.5, 1.0), (-0.1, 0.5)):
        with pytest.raises(RecipeError, match="rising shares"):
            road(probe, np.ones((16, 16)), shares)


@THEIRS
def test_scores_against_pytorch_grad_cam_without_noise():
    """Its percentile says what is kept; 100 distinct values and shares in tenths leave no doubt about a pixel."""
    classifier, pixels = network(side=10), noise(side=10)
    saliency = (np.random.default_rng(5).permutation(100) / 100).reshape(10, 10).astype(np.float32)
    result = road(Probe(classifier, pixels, FIRST), saliency, noise=0.0)
    for curve, remove in ((result.morf, RemoveMostRelevantFirst), (result.lerf, RemoveLeastRelevantFirst)):
        for share, score, kept in zip(SHARES, curve.scores, curve.kept, strict=True):
            perturb = remove(100 * (1 - share), NoisyLinearImputer(noise=0.0))
            (text,) = classifier.predict(perturb(pixels, torch.from_numpy(saliency))[None])
            assert score == pytest.approx(text.probabilities[0], rel=1e-4)
            assert kept == (text.leading(1)[0] == 0)
    assert result.gap == pytest.approx((result.lerf.scores.mean() - result.morf.scores.mean()) / 2)


def test_in_closed_form():
    """A square of ones on zeros: what counts is its mean. Removed first it becomes 0, removed last it stays."""
    classifier = toy(Additive([(8, 8, 12)], [[1.0], [0.0]], [0.0, 1.0]))
    pixels = torch.from_numpy(square(8, 8, 12)).float().expand(3, SIDE, SIDE)
    probe = Probe(classifier, pixels, FIRST, ScoreUnit.LOGIT)
    share = 144 / SIDE**2
    result = road(probe, square(8, 8, 12).astype(np.float32), (share, 0.5), noise=0.0)
    assert result.morf.shares.tolist() == [share, 0.5]
    assert result.morf.scores == pytest.approx([0, 0], abs=1e-9)
    assert result.lerf.scores == pytest.approx([3 * 144, 3 * 144])
    assert result.gap == pytest.approx(1.5 * 144)


def test_noise_is_seeded_and_affects_removed_pixels_only():
    seen = []

    class Spy(Additive):
        def forward(self, x):
            seen.extend(x.clone())
            return super().forward(x)

    classifier = toy(Spy([(0, 0, 4)], [[1.0], [0.0]], [0.0, 1.0]))
    pixels = noise(side=SIDE)
    saliency = np.random.default_rng(3).random((SIDE, SIDE))

    def images(batch_size, seed, **level):
        seen.clear()
        road(Probe(classifier, pixels, FIRST, seed=seed, batch_size=batch_size), saliency, (0.3, 0.6), **level)
        return torch.stack(seen)

    first = images(8, 0)
    torch.testing.assert_close(first, images(1, 0), rtol=0, atol=0)
    plain = images(8, 0, noise=0.0)
    gone = torch.from_numpy(Probe(classifier, pixels, FIRST).ranks(saliency) < round(0.3 * SIDE**2))
    torch.testing.assert_close(first[0][:, ~gone], pixels[:, ~gone], rtol=0, atol=0)
    difference = (first - plain)[0][:, gone]
    assert difference.std() == pytest.approx(0.01, rel=0.1), "the default"
    assert (images(8, 1)[0] != first[0]).any()
