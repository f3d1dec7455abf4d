"""A classifier that the user drops is freed, whatever was done with it before."""

import gc
import weakref

import pytest
import torch
from torch import nn

from unveil.attribution import AttributionRequest, Captum, GuidedBackprop, Occlusion, SmoothGrad, UntilStable, Zennit
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.targets import TargetScore

PIXELS = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
SCORES = (TargetScore("first", ((0, 1.0),)),)


def classifier() -> TorchClassifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return TorchClassifier(network, Preprocessing.square(16, (0.5,) * 3, (0.25,) * 3), precision="auto")


@pytest.mark.parametrize(
    "method",
    [None, GuidedBackprop(), SmoothGrad(samples=4), Occlusion(), Zennit(), Captum("Saliency")],
    ids=lambda method: type(method).__name__,
)
def test_a_dropped_classifier_is_freed(method):
    dropped = classifier()
    dropped.predict(PIXELS[None])
    if method is not None:
        method.attribute(AttributionRequest(dropped, PIXELS, SCORES, "stream", 4))
    alive, network = weakref.ref(dropped), weakref.ref(dropped._module)
    del dropped
    gc.collect()
    assert alive() is None
    assert network() is None


def test_without_a_measure_of_stability_all_samples_are_taken():
    rule = UntilStable(max_samples=24)
    request = AttributionRequest(classifier(), PIXELS, SCORES, "stream", 4)
    assert SmoothGrad(samples=rule).attribute(request).all.count == 24


def test_a_classifier_describes_itself_in_a_line():
    assert repr(classifier()) == "TorchClassifier(Sequential: 2 labels, softmax, 16 × 16 px, cpu, auto)"
