"""Passes are counted where networks are run, whoever runs them: known numbers of images, scores and samples."""

import numpy as np
import pytest
import torch
from colored_photographs import SIDE, color_network

from unveil.attribution import AttributionRequest, Cam, Captum, Gradient, SmoothGrad
from unveil.classifiers import BlackBox, Preprocessing
from unveil.classifiers.engine.passes import PassCount, counting_passes
from unveil.targets import class_score

NETWORK = color_network()
PIXELS = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def request(labels: int) -> AttributionRequest:
    """The scores of the first labels."""
    scores = [class_score(index, NETWORK.labels) for index in range(labels)]
    return AttributionRequest(NETWORK, PIXELS, scores, "noise", 4)


def test_predictions_are_forward_passes():
    with counting_passes() as count:
        NETWORK.predict(PIXELS.expand(7, -1, -1, -1), batch_size=3)
    assert count == PassCount(forward=7, backward=0)
    NETWORK.predict(PIXELS[None])
    assert count.forward == 7, "the block has ended"


@pytest.mark.parametrize(
    "method, forward, backward",
    [
        (Gradient(), 1, 2),
        (SmoothGrad(samples=10, noise=0.1), 10, 20),
        # Integrated gradients: 50 points per score, each forward and backward.
        (Captum("IntegratedGradients"), 100, 100),
    ],
)
def test_passes_of_attributions(method, forward, backward):
    """Two scores: gradients share forward passes, and other libraries run the network for each score."""
    NETWORK.for_averaging()
    with counting_passes() as count:
        method.attribute(request(2))
    assert (count.forward, count.backward) == (forward, backward)
    assert count.total == forward + backward


def test_copies_of_a_network_count():
    with counting_passes() as count:
        Cam("GradCAM", layer="1").attribute(request(1))
    assert count.forward >= 1 and count.backward == 1


def test_black_boxes_count():
    preprocessing = Preprocessing.square(8, (0.5,) * 3, (0.5,) * 3)
    classifier = BlackBox(lambda images: images.mean((2, 3)) @ np.eye(3), preprocessing, ["a", "b", "c"])
    with counting_passes() as count:
        classifier.predict(torch.rand(5, 3, 8, 8))
    assert count == PassCount(5, 0)


def test_blocks_within_blocks():
    with counting_passes() as outer:
        NETWORK.predict(PIXELS[None])
        with counting_passes() as inner:
            NETWORK.predict(PIXELS[None].repeat(2, 1, 1, 1))
    assert (outer.forward, inner.forward) == (3, 2)


def test_counting_changes_no_gradient():
    plain = Gradient().attribute(request(1)).all.total
    with counting_passes():
        counted = Gradient().attribute(request(1)).all.total
    assert torch.equal(plain, counted)
