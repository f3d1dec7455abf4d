"""The probe: what a classifier outputs for one fixed image."""

import torch
from torch import nn

from tiny_runs import classifier
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.classifiers.engine.precision import probe_pixels


def test_the_probe_is_the_output_of_the_module_for_the_probe_image():
    asked = classifier()
    pixels = probe_pixels(asked.preprocessing, 0)[None]
    mean, std = (torch.tensor(values)[:, None, None] for values in (asked.preprocessing.mean, asked.preprocessing.std))
    with torch.no_grad():
        expected = asked.copy_of_module()((pixels - mean) / std)[0].double()
    torch.testing.assert_close(torch.tensor(asked.probe.logits).double(), expected, rtol=1e-5, atol=1e-6)
    assert abs(asked.probe.norm - float(expected.norm())) < 1e-5


def test_many_labels_keep_sixteen_logits_and_the_norm_of_all():
    black_box = BlackBox(lambda x: x.mean((2, 3))[:, :1] * 0 + range(40), Preprocessing.square(8, (0.5,), (0.5,)))
    assert black_box.probe.logits == tuple(map(float, range(16)))
    assert abs(black_box.probe.norm - sum(k * k for k in range(40)) ** 0.5) < 1e-9


class Fails(nn.Module):
    """Has finite logits for a blank image only."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x):
        if x.abs().max() > 0:
            return x.mean((2, 3)) + self.value
        return x.mean((2, 3))


def test_a_network_that_fails_on_the_probe_image_has_no_probe():
    for value in (float("nan"), float("inf")):
        asked = TorchClassifier(Fails(value), Preprocessing.square(8, (0.0,) * 3, (1.0,) * 3))
        assert asked.probe is None
