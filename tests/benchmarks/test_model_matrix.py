"""The table of models tells apart what it claims to: the same numbers, other numbers, other gradients, none."""

import torch
from matrix_checkpoints import FORMS
from matrix_networks import make, preprocessing_for
from model_matrix import CPU, judge
from torch import nn

import unveil

NAME = "convolutions and batch norm"


class Doubled(nn.Module):
    """A network with its logits, and with other gradients."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return 2 * self.network(x) - self.network(x).detach()


class Detached(Doubled):
    def forward(self, x):
        return self.network(x).detach()


def cell(given, expected=None):
    expected = make("python", NAME) if expected is None else expected
    return judge(expected, lambda: unveil.load_classifier(given, preprocessing=preprocessing_for(NAME), **CPU))


def test_only_the_same_numbers_are_exact():
    network = make("python", NAME)
    assert cell(network) == "exact"
    assert cell(make("python", NAME, seed=1)) == "**other numbers**"
    assert cell(Doubled(network)) == "**other gradients**"
    assert cell(Detached(network)) == "black box"
    with torch.no_grad():
        network[-1].weight.zero_()
    assert cell(network, network) == "**the same logits for every image**"


def test_one_number_that_is_left_out_is_seen():
    for name, tensor in make("python", NAME).state_dict().items():
        if tensor.is_floating_point():
            network = make("python", NAME)
            network.state_dict()[name].view(-1)[0] += 0.5
            assert cell(network) == "**other numbers**", name


def test_forms_with_other_weights_say_so():
    network = make("python", NAME)
    changed = {form for form in FORMS if FORMS[form].expected(network) is not network}
    assert changed == {"half precision", "`model_ema` alone", "`AveragedModel`"}
    assert all(cell(FORMS[form].expected(network)) == "**other numbers**" for form in changed - {"half precision"})
