"""Max-sensitivity: against Captum with the same noise, and in closed form."""

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max
from metric_toys import network, noise

from unveil.attribution import Gradient, SmoothGrad
from unveil.errors import RecipeError
from unveil.evaluation.metrics.probe import Explanation
from unveil.evaluation.metrics.sensitivity import max_sensitivity
from unveil.saliency import L2, MaxAbs
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

FIRST = TargetScore("class 0", ((0, 1.0),))


def steps(pixels, radius, samples, seed):
    return [
        radius * (2 * torch.rand(pixels.shape, generator=seeded_generator(f"{seed}/max-sensitivity", one)) - 1)
        for one in range(samples)
    ]


@pytest.mark.parametrize("attribution", [Gradient(), SmoothGrad(samples=3)], ids=["gradient", "SmoothGrad"])
def test_against_captum_with_the_same_noise(attribution):
    classifier, pixels = network(), noise()
    explanation = Explanation(attribution, FIRST, MaxAbs(), stream="maps")
    result = max_sensitivity(explanation, classifier, pixels, radius=0.1, samples=6, seed=4)
    drawn = torch.stack(steps(pixels, 0.1, 6, 4))

    def maps(inputs):  # the image itself comes as a tuple, and a tuple is expected back
        images = inputs[0] if isinstance(inputs, tuple) else inputs
        result = torch.from_numpy(np.stack([explanation(classifier, one) for one in images]))
        return (result,) if isinstance(inputs, tuple) else result

    theirs = sensitivity_max(
        maps,
        pixels[None],
        lambda images: images + drawn,
        n_perturb_samples=6,
    )
    assert result == pytest.approx(float(theirs), rel=1e-5)


def test_in_closed_form():
    """The map is the image itself, so its change is the noise: ‖e‖ / ‖x‖, and the same for twice the map."""
    classifier, pixels = network(), noise()
    drawn = steps(pixels, 0.05, 9, 0)
    expected = max(float(one.double().norm()) for one in drawn) / float(pixels.double().norm())
    for factor in (1, 2):
        result = max_sensitivity(
            lambda _, x, factor=factor: factor * x.numpy(), classifier, pixels, radius=0.05, samples=9
        )
        assert result == pytest.approx(expected, rel=1e-5)


def test_the_sensitivity_never_decreases_with_samples():
    explanation, pixels = Explanation(Gradient(), FIRST, L2()), noise()
    result = [max_sensitivity(explanation, network(), pixels, radius=0.2, samples=count) for count in (1, 4, 12)]
    assert result == sorted(result)
    assert len(set(result)) > 1


def test_a_constant_method_has_sensitivity_0_and_a_map_of_zeros_has_none():
    classifier, pixels = network(), noise()
    assert max_sensitivity(lambda *_: np.ones((4, 4)), classifier, pixels) == 0
    assert max_sensitivity(lambda *_: np.zeros((4, 4)), classifier, pixels) is None
    with pytest.raises(RecipeError, match="radius > 0"):
        max_sensitivity(lambda *_: np.ones((4, 4)), classifier, pixels, radius=0.0)
