"""Naming regions by their boxes alone: gains counted by hand, for networks whose label is the color that they see."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toys import SIDE, toy
from unveil.fills import Constant, Mean
from unveil.masked import MaskedClassifier
from unveil.naming import name_regions
from unveil.predictions import Output
from unveil.recipes import LabelCheck

LABELS = ("nothing", "red", "green")


class Colors(nn.Module):
    """P(red) = share of the image that is red, P(green) that is green, and the rest is nothing."""

    def forward(self, x: Tensor) -> Tensor:
        red = ((x[:, 0] > 0.9) & (x[:, 1] < 0.1)).float().mean((1, 2))
        green = ((x[:, 1] > 0.9) & (x[:, 0] < 0.1)).float().mean((1, 2))
        shares = torch.stack([1 - red - green, red, green], 1) + 0 * x.sum()
        return shares.clamp_min(1e-12).log()


def masked(output: Output = Output.SOFTMAX, network: nn.Module | None = None) -> MaskedClassifier:
    """Black, with a red square at the top left and a green one at the bottom right, both of 12 px."""
    pixels = torch.zeros(3, SIDE, SIDE)
    pixels[0, 4:16, 4:16] = 1
    pixels[1, 30:42, 30:42] = 1
    classifier = toy(network or Colors(), labels=LABELS, output=output)
    return MaskedClassifier(classifier, pixels, Constant(0.5), "key", 8)


def square(top: int, left: int, side: int) -> np.ndarray:
    inside = np.zeros((SIDE, SIDE), bool)
    inside[top : top + side, left : left + side] = True
    return inside


def shares(*sides: int) -> float:
    """Mean share of the image that squares of these sides have."""
    return float(np.mean([side**2 / SIDE**2 for side in sides]))


def test_gains_are_means_over_margins_and_fills_less_those_of_nothing():
    question = masked()
    check = LabelCheck(margins_px=(0, 2, 100), fills=(Constant(0.0),), threshold=0.01)
    # A quarter of the red square: kept alone, with 2 px around it, and with the whole image.
    (box,) = name_regions(question, check, [square(4, 4, 6)])
    # Per margin twice, by the run's own fill and the other; the last box is the image, green square included.
    assert box.gains[1] == pytest.approx(shares(6, 8, 12), rel=1e-5)
    assert box.gains[2] == pytest.approx(shares(0, 0, 12), rel=1e-5)
    # 3 margins x 2 fills, of which the whole image is the same view; and nothing kept, by either fill.
    # The middle of a texture, by either fill, comes on top.
    assert question.passes == 4 + 1 + 2 + 2


def test_further_margins_are_tried_only_where_the_first_is_not_clear():
    red = square(4, 4, 12)
    share = shares(12)
    # Far above and far below the threshold, the first margin decides alone; near it, the others are asked as well.
    for threshold, margins in ((0.9 * share, 3), (1.1 * share, 3), (2.2 * share, 1)):
        question = masked()
        (box,) = name_regions(question, LabelCheck((2, 0, 4), (Constant(0.0),), threshold), [red])
        assert question.passes == 2 * margins + 2 + 2
        assert box.gains[1] == pytest.approx(share, rel=1e-5)
    assert 2 * share < 1 - 2.2 * share  # neither "nothing" nor "green" comes near


class RedSurelyGreenPerhaps(Colors):
    """P(red) = 1 where there is red, P(green) = .3 where there is green, as sigmoids."""

    def forward(self, x: Tensor) -> Tensor:
        probabilities = super().forward(x).exp()
        red = torch.where(probabilities[:, 1] > 1e-6, 20.0, -20.0)
        green = torch.where(probabilities[:, 2] > 1e-6, float(np.log(0.3 / 0.7)), -20.0)
        return torch.stack([red * 0 - 20, red, green], 1) + 0 * x.sum()


def test_every_label_of_a_sigmoid_has_to_be_clear():
    for region, margins in ((square(2, 2, 20), 1), (square(2, 2, SIDE - 4), 2)):
        question = masked(Output.SIGMOID, RedSurelyGreenPerhaps())
        name_regions(question, LabelCheck((0, 1), (), 0.3), [region])
        assert question.passes == margins + 1 + 1


def test_the_largest_gain_names_a_region_if_it_reaches_the_threshold():
    red, between = square(4, 4, 12), square(20, 20, 4)
    for threshold, shown in ((0.9 * shares(12), [("red",), ()]), (1.1 * shares(12), [(), ()])):
        found = name_regions(masked(), LabelCheck(0, (Mean(),), threshold), [red, between])
        assert [tuple(label.name for label in one.shown) for one in found] == shown


def test_a_label_of_the_fill_itself_is_not_shown():
    """Everything around a box is red: the label is there without the region, so the region gains nothing."""

    class Red(Colors):
        def forward(self, x: Tensor) -> Tensor:
            reddish = (x[:, 0] - x[:, 1]).mean((1, 2))
            return torch.stack([torch.zeros_like(reddish), 100 * reddish, -50 + 0 * reddish], 1)

    pixels = torch.zeros(3, SIDE, SIDE)
    pixels[0] = 1
    question = MaskedClassifier(toy(Red(), labels=LABELS), pixels, Constant((1.0, 0.0, 0.0)), "key", 8)
    (box,) = name_regions(question, LabelCheck(4, (Constant((1.0, 0.0, 0.0)),), 0.01), [square(4, 4, 12)])
    assert box.shown == ()
    assert box.gains[1] == pytest.approx(0, abs=1e-6)


class AlwaysRed(Colors):
    """Red, except for an image without contrast; surely if there is green in it."""

    def forward(self, x: Tensor) -> Tensor:
        contrast = (x.flatten(1).amax(1) - x.flatten(1).amin(1) > 1e-3).float()
        green = ((x[:, 1] > 0.9) & (x[:, 0] < 0.1)).flatten(1).any(1).float()
        return torch.stack([10 * (1 - contrast), (1 + 9 * green) * contrast, -10 + 0 * contrast], 1) + 0 * x.sum()


def test_a_label_that_is_predicted_from_anything_is_shown_by_no_region():
    """Red from a texture with probability e / (e + 1), and from a box with green in it surely: what is more counts."""
    check = LabelCheck(2, (), 0.2)
    anything, green = name_regions(masked(network=AlwaysRed()), check, [square(4, 4, 12), square(30, 30, 12)])
    assert anything.shown == ()
    assert anything.gains[1] == pytest.approx(0, abs=1e-4)
    (label,) = green.shown
    assert (label.name, label.gain) == ("red", pytest.approx(1 / (1 + np.e), abs=1e-3))


def test_with_a_sigmoid_a_region_may_show_several_labels():
    both = square(0, 0, SIDE)
    (softmax,) = name_regions(masked(), LabelCheck(0, (), 0.01), [both])
    (sigmoid,) = name_regions(masked(Output.SIGMOID), LabelCheck(0, (), 0.01), [both])
    assert len(softmax.shown) == 1
    # The logit log p has the sigmoid p / (1 + p).
    share = shares(12)
    assert [(label.name, round(label.gain, 5)) for label in sigmoid.shown] == [
        ("red", round(share / (1 + share), 5)),
        ("green", round(share / (1 + share), 5)),
    ]


def test_no_regions_cost_nothing():
    question = masked()
    assert name_regions(question, LabelCheck(), []) == []
    assert question.passes == 0
