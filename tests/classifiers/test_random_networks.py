"""Random small networks: PyTorch's own logits and exact gradients, or one clear line; never a traceback, never another
number."""

import copy
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from torch import nn
from torch.nn import functional

from unveil.attribution import Gradient
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.errors import UnveilError
from unveil.predictions import Output
from unveil.targets import TargetScore

SIDE = 16
LAYERS = ("conv", "strided", "norm", "group", "layer", "relu", "gelu", "max", "average", "dropout", "depthwise", "skip")
JOINTS = ("flatten", "view", "reshape", "pool", "tokens", "permute")
HEADS = ("linear", "none", "scaled", "several", "dict", "tuple", "trailing", "squeeze")
ENDS = ("logits", "softmax", "sigmoid", "log_softmax", "argmax", "nan")
MODES = ("eval", "train", "half-trained", "no_grad", "scripted", "inference")
DTYPES = (torch.float32, torch.float64, torch.bfloat16)


class Skip(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + functional.relu(self.inner(x))


def layer(name, channels):
    """A layer, and the channels after it."""
    made = {
        "conv": lambda: (nn.Conv2d(channels, channels + 1, 3, padding=1), channels + 1),
        "strided": lambda: (nn.Conv2d(channels, 4, 4, stride=2), 4),
        "norm": lambda: (nn.BatchNorm2d(channels), channels),
        "group": lambda: (nn.GroupNorm(1, channels), channels),
        "layer": lambda: (nn.InstanceNorm2d(channels), channels),
        "relu": lambda: (nn.ReLU(inplace=True), channels),
        "gelu": lambda: (nn.GELU(), channels),
        "max": lambda: (nn.MaxPool2d(2, ceil_mode=True), channels),
        "average": lambda: (nn.AvgPool2d(2, ceil_mode=True), channels),
        "dropout": lambda: (nn.Dropout(0.5), channels),
        "depthwise": lambda: (nn.Conv2d(channels, channels, 3, padding=1, groups=channels), channels),
        "skip": lambda: (Skip(channels), channels),
    }
    return made[name]()


class Random(nn.Module):
    def __init__(self, layers, joint, head, end, labels, channels):
        super().__init__()
        parts, count = [], channels
        for name in layers:
            part, count = layer(name, count)
            parts.append(part)
        self.body, self.joint, self.head, self.end = nn.Sequential(*parts), joint, head, end
        with torch.no_grad():
            width = self._join(self.body.eval()(torch.zeros(1, channels, SIDE, SIDE))).shape[1]
        self.last = nn.Linear(width, labels)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.3, 0.3)
                part.running_var.uniform_(0.5, 2)
                part.weight.data.uniform_(-1.5, 1.5)

    def _join(self, x):
        if self.joint == "flatten":
            return torch.flatten(x, 1)
        if self.joint == "view":
            return x.view(x.size(0), -1)
        if self.joint == "reshape":
            return x.reshape(len(x), -1)
        if self.joint == "pool":
            return x.mean((2, 3))
        if self.joint == "tokens":
            return x.flatten(2).transpose(1, 2).mean(1)
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)

    def logits(self, x):
        z = self.last(self._join(self.body(x)))
        if self.end == "softmax":
            return z.softmax(1)
        if self.end == "sigmoid":
            return torch.sigmoid(z)
        if self.end == "log_softmax":
            return z.log_softmax(1)
        if self.end == "argmax":
            return z.argmax(1)
        return z / 0 * 0 if self.end == "nan" else z

    def forward(self, x):
        z = self.logits(x)
        if self.head == "scaled":
            return z * 2
        if self.head == "several":
            return {"first": z, "second": z[..., :1] if z.ndim > 1 else z}
        if self.head == "dict":
            return {"logits": z, "features": x}
        if self.head == "tuple":
            return (z, x)
        if self.head == "trailing":
            return z[..., None, None]
        return z.squeeze() if self.head == "squeeze" else z


networks = st.fixed_dictionaries(
    {
        "layers": st.lists(st.sampled_from(LAYERS), max_size=4),
        "joint": st.sampled_from(JOINTS),
        "head": st.sampled_from(HEADS),
        "end": st.sampled_from(ENDS),
        "labels": st.integers(1, 4),
        "channels": st.sampled_from((1, 3)),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(networks, st.sampled_from(MODES), st.sampled_from(DTYPES), st.integers(0, 1000))
@pytest.mark.filterwarnings("ignore")
def test_random_networks(plan, mode, dtype, seed):
    torch.manual_seed(seed)
    try:
        network = Random(**plan).to(dtype)
    except RuntimeError:
        reject()  # too small an image for these layers
    network.train(mode in ("train", "half-trained"))
    if mode == "half-trained":
        network.body.eval()
    if mode == "no_grad":
        forward = network.forward
        network.forward = torch.no_grad()(forward)
    preprocessing = Preprocessing.square(SIDE, (0.4,) * plan["channels"], (0.3,) * plan["channels"])
    given_network = network
    if mode == "scripted":
        given_network = torch.jit.trace(
            network.eval(), torch.zeros(1, plan["channels"], SIDE, SIDE, dtype=dtype), strict=False
        )
    pixels = torch.rand(3, plan["channels"], SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    with warnings.catch_warnings(), torch.inference_mode(mode == "inference"):
        warnings.simplefilter("ignore")
        try:
            classifier = TorchClassifier(given_network, preprocessing)
            logits = torch.stack([torch.from_numpy(row.logits) for row in classifier.predict(pixels, 3)])
        except UnveilError as error:
            assert "\n" not in str(error)
            assert _may_be_refused(plan, str(error)), error
            return

    def score(images):
        return _logits_by_definition(network, plan, classifier, images)

    tolerance = 0.05 if dtype is torch.bfloat16 else 1e-3
    expected = score(pixels)
    if classifier._behavior.reader.returns == "probabilities":
        # Probabilities near 0 and 1 have few digits of their logit.
        sure = expected.abs() < (3 if dtype is torch.bfloat16 else 7)
        logits, expected = logits[sure], expected[sure]
    np.testing.assert_allclose(logits, expected, rtol=tolerance, atol=tolerance)
    if not classifier.differentiable or dtype is torch.bfloat16:
        return
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("", ((0, 1.0),))])
    # Not by a backward pass: central differences along random directions, in double precision.
    for _ in range(3):
        direction = torch.randn(pixels.shape, dtype=torch.float64)
        step = 1e-6
        slope = (score(pixels + step * direction) - score(pixels - step * direction))[:, 0] / (2 * step)
        along = (signed[0].double() * direction).flatten(1).sum(1)
        scale = float(signed.double().square().flatten(2).sum(2).sqrt().max())
        np.testing.assert_allclose(along, slope, rtol=0.02, atol=0.02 * scale + 1e-6)


def _may_be_refused(plan, message):
    reasons = {
        "argmax": plan["end"] == "argmax",
        "finite logits": plan["end"] == "nan",
        "choose a head": plan["head"] in ("several", "tuple"),
        "int64 numbers": plan["end"] == "argmax",
        "one row of logits": plan["end"] == "argmax"
        or plan["head"] in ("squeeze", "trailing", "several", "dict", "tuple"),
    }
    return any(allowed and reason in message for reason, allowed in reasons.items())


def _logits_by_definition(network, plan, classifier, pixels):
    """Logits of one image after the other, in double precision, straight from the network's own layers."""
    exact = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        rows = torch.cat([exact.logits((image.double() - 0.4) / 0.3) for image in pixels.unsqueeze(1)])
    reader = classifier._behavior.reader
    if plan["head"] == "scaled":
        rows = 2 * rows
    if reader.returns == "probabilities":
        rows = rows.log() if classifier.output is Output.SOFTMAX else rows.log() - (1 - rows).log()
    return rows[:, :1] if reader.head == ("second",) else rows
