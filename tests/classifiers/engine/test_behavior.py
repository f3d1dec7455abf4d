"""Networks with quirks: each gives PyTorch's own logits and gradients, or is refused in one line."""

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils import weight_norm as old_weight_norm
from torch.utils.checkpoint import checkpoint

import unveil
from unveil.attribution import Gradient, GuidedBackprop
from unveil.classifiers import BlackBox, ClassifierWarning, Preprocessing, TorchClassifier
from unveil.errors import AttributionError, ClassifierError
from unveil.recipes import TrustSettings
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),
    pytest.mark.filterwarnings("ignore:.*torch.ao.quantization is deprecated"),
]
PREPARATION = Preprocessing.square(32, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
MEAN, STD = (torch.tensor(values).reshape(-1, 1, 1) for values in (PREPARATION.mean, PREPARATION.std))


def pictures(count=3, channels=3, side=32):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(3))


def plain(*, norm=True):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 5, padding=2), nn.BatchNorm2d(6) if norm else nn.Identity(), nn.ReLU(), nn.MaxPool2d(4)]
    made = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 64, 5))
    if norm:
        with torch.no_grad():
            made[1].running_mean.uniform_(-0.2, 0.2)
            made[1].running_var.uniform_(0.5, 2)
    return made.eval()


class Viewing(nn.Module):
    """As in PyTorch's first tutorial: views that need contiguous features."""

    def __init__(self):
        super().__init__()
        self.parts = plain()

    def forward(self, x):
        x = self.parts[:4](x)
        return self.parts[5](x.view(x.size(0), -1))


class OneAtATime(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.parts, self.how = plain(), how
        self.token = nn.Parameter(torch.ones(1, 1, 5))

    def forward(self, x):
        logits = self.parts(x)
        if self.how == "view":
            return logits.view(1, 5)
        if self.how == "token":
            return torch.cat([self.token, logits[:, None]], 1).sum(1)
        if self.how == "squeeze":
            return logits.squeeze()
        raise AssertionError


class Checkpointed(nn.Module):
    def __init__(self, *, reentrant):
        super().__init__()
        self.parts, self.reentrant = plain(), reentrant

    def forward(self, x):
        return self.parts[4:](checkpoint(self.parts[:4], x, use_reentrant=self.reentrant))


def parametrized():
    made = plain(norm=False)
    parametrizations.weight_norm(made[0])
    parametrizations.spectral_norm(made[5])
    return made.eval()


def with_old_weight_norm():
    made = plain(norm=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old_weight_norm(made[0])
    made(pictures())  # the computed weight now has a history
    return made


def pruned():
    made = plain()
    prune.l1_unstructured(made[0], "weight", amount=0.5)
    prune.random_unstructured(made[5], "weight", amount=0.3)
    made(pictures())
    return made.eval()


def traced():
    return torch.jit.trace(plain(), pictures(1))


def loaded_script():
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(plain()), file)
    file.seek(0)
    return torch.jit.load(file)


def exported():
    batch = torch.export.Dim("n", min=1, max=64)
    return torch.export.export(plain(), (pictures(2),), dynamic_shapes={"input": {0: batch}})


def initialized_lazily():
    torch.manual_seed(0)
    made = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    made(pictures(1))
    return made.eval()


def in_inference_mode(make):
    with torch.inference_mode():
        return make()


def half_of(make, dtype):
    return make().to(dtype)


FORMS = {
    "plain": plain,
    "view": Viewing,
    "compiled": lambda: torch.compile(plain()),
    "compiled part": lambda: nn.Sequential(torch.compile(plain())),
    "data parallel": lambda: nn.DataParallel(plain()),
    "scripted": lambda: torch.jit.script(plain()),
    "traced": traced,
    "loaded script": loaded_script,
    "frozen script": lambda: torch.jit.freeze(torch.jit.script(plain())),
    "exported": exported,
    "exported for one image": lambda: torch.export.export(plain(), (pictures(1),)),
    "parametrized": parametrized,
    "old weight norm": with_old_weight_norm,
    "pruned": pruned,
    "checkpoint": lambda: Checkpointed(reentrant=False),
    "reentrant checkpoint": lambda: Checkpointed(reentrant=True),
    "lazy": initialized_lazily,
    "made in inference mode": lambda: in_inference_mode(plain),
    "view(1, …)": lambda: OneAtATime("view"),
    "one token": lambda: OneAtATime("token"),
    "squeeze": lambda: OneAtATime("squeeze"),
    "double": lambda: half_of(plain, torch.float64),
}


def reference(form, pixels):
    """Logits and gradients of logit 2 by PyTorch alone, one image at a time."""
    network = form.module() if isinstance(form, torch.export.ExportedProgram) else form
    dtype = torch.float64 if next(iter(getattr(network, "parameters", list)()), pixels).dtype is torch.float64 else None
    rows, gradients = [], []
    for image in pixels:
        leaf = image[None].clone().requires_grad_()
        normalized = (leaf - MEAN) / STD
        row = network(normalized if dtype is None else normalized.to(dtype))
        row = row.reshape(1, -1)
        row[0, 2].backward()
        rows.append(row.detach())
        gradients.append(leaf.grad)
    return torch.cat(rows), torch.cat(gradients)


@pytest.mark.parametrize("name", list(FORMS))
def test_logits_and_gradients_are_those_of_pytorch(name):
    form = FORMS[name]()
    classifier = unveil.load_classifier(form, preprocessing=PREPARATION, device="cpu", precision="fp32")
    pixels = pictures()
    # These are the plain network, and PyTorch itself would compile it first or refuse gradients.
    again = plain() if name in ("made in inference mode", "compiled", "compiled part") else FORMS[name]()
    logits, gradients = reference(again, pixels)
    np.testing.assert_allclose(classifier.logits(pixels).detach(), logits, rtol=1e-4, atol=1e-5)
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("class 2", ((2, 1.0),))])
    np.testing.assert_allclose(signed[0], gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["scripted", "traced", "loaded script", "exported", "pruned", "checkpoint", "view"])
def test_backward_rules_hold_on_them_at_every_call(name):
    expected = _guided(plain() if name != "pruned" else pruned())
    classifier = unveil.load_classifier(FORMS[name](), preprocessing=PREPARATION, device="cpu", precision="fp32")
    # TorchScript's optimizer would change the graph at the third call.
    for _ in range(4):
        signed, report = GuidedBackprop().gradients(classifier, pictures(2), [TargetScore("class 2", ((2, 1.0),))])
        assert report.count == 1
        np.testing.assert_allclose(signed[0], expected, rtol=1e-3, atol=1e-6)


def _guided(network):
    """max(g, 0) · [x > 0] at the only rectifier, written out by hand."""
    features = network[:2]((pictures(2) - MEAN) / STD).detach().requires_grad_()
    network[3:](features.relu())[:, 2].sum().backward()
    passed = features.grad.clamp(min=0)
    leaf = pictures(2).requires_grad_()
    network[:2]((leaf - MEAN) / STD).backward(passed)
    return leaf.grad


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize("inside", [True, False])
def test_a_run_in_inference_mode_is_that_outside(mode, inside):
    network, image = plain(), pictures(1)[0].numpy().transpose(1, 2, 0)
    method = unveil.attribution.SmoothGrad(GuidedBackprop(), samples=8)
    recipe = unveil.Recipe(attribution=method, stop=MaxRounds(2), trust=TrustSettings(placements=5))

    def make():
        return unveil.load_classifier(network, preprocessing=PREPARATION)

    expected, outside = unveil.find_regions(image, make(), recipe), make()
    with mode():
        got = unveil.find_regions(image, make() if inside else outside, recipe)
    assert expected.regions
    assert got == expected


class Dropping(nn.Module):
    def __init__(self, share=0.5):
        super().__init__()
        self.parts, self.share = plain(), share

    def forward(self, x):
        return nn.functional.dropout(self.parts(x), self.share, training=True)


def test_a_network_that_answers_at_random_is_refused():
    dropping = Dropping()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with pytest.raises(ClassifierError, match="the same logits from Dropping .*; got other logits at the second call"):
        TorchClassifier(dropping, PREPARATION)
    assert torch.equal(state, torch.get_rng_state())
    # Drawing alone is no fault.
    assert len(TorchClassifier(Dropping(0.0), PREPARATION).labels) == 5


def test_a_network_that_looks_at_the_batch_gets_one_image_at_a_time():
    network = plain()
    network[1].track_running_stats = False
    network[1].running_mean = network[1].running_var = None
    with pytest.warns(ClassifierWarning, match="depend on the rest of a batch") as told:
        classifier = TorchClassifier(network, PREPARATION)
    assert len(told) == 1
    pixels = pictures()
    with torch.no_grad():
        alone = torch.cat([network((image[None] - MEAN) / STD) for image in pixels])
        together = network((pixels - MEAN) / STD)
    assert not torch.allclose(alone, together, rtol=1e-2)
    np.testing.assert_allclose(classifier.logits(pixels).detach(), alone, rtol=1e-4, atol=1e-6)


def dynamic_int8():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear}, dtype=torch.qint8)


def static_int8():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = nn.Sequential(torch.ao.quantization.QuantStub(), *plain(), torch.ao.quantization.DeQuantStub()).eval()
        network.qconfig = torch.ao.quantization.get_default_qconfig("x86")
        torch.ao.quantization.prepare(network, inplace=True)
        network(pictures(4))
        torch.ao.quantization.convert(network, inplace=True)
    return network


@pytest.mark.parametrize("make", [dynamic_int8, static_int8])
@pytest.mark.filterwarnings("ignore:the logits of Sequential depend on the rest of a batch")
def test_quantized_networks_are_black_boxes(make):
    network = make()
    classifier = unveil.load_classifier(network, preprocessing=PREPARATION)
    pixels = pictures()
    with torch.no_grad():
        # Dynamic quantization takes its range from the whole batch.
        expected = torch.cat([network((image[None] - MEAN) / STD) for image in pixels])
    np.testing.assert_allclose(classifier.logits(pixels), expected, rtol=1e-5)
    assert not classifier.differentiable
    image = pixels[0].numpy().transpose(1, 2, 0)
    with pytest.raises(AttributionError, match="use --recipe black-box"):
        unveil.find_regions(image, classifier, trust=False)
    run = unveil.find_regions(
        image,
        classifier,
        unveil.Recipe(attribution=unveil.attribution.Rise(masks=20), stop=MaxRounds(1), trust=None),
    )
    np.testing.assert_allclose(run.first.logits, expected[0], rtol=1e-4)
    assert TorchClassifier(make(), PREPARATION).fingerprint == classifier.fingerprint


def test_constants_of_frozen_scripts_are_in_the_fingerprint():
    def frozen(shift):
        network = plain()
        with torch.no_grad():
            network[5].weight[0, 0] += shift
        return TorchClassifier(torch.jit.freeze(torch.jit.script(network)), PREPARATION).fingerprint

    assert frozen(0.0) == frozen(0.0) != frozen(0.5)


class Raising(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.parts, self.error = plain(), error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("first\nsecond"),
        KeyError("image"),
        AssertionError("size"),
        AttributeError("no get"),
        ZeroDivisionError(),
        NotImplementedError("later"),
        SystemExit("stop"),
        StopIteration(),
        UnicodeDecodeError("utf-8", b"", 0, 1, "bad"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_forward_raises_is_one_line(error):
    with pytest.raises(ClassifierError, match=f"Raising to take images of 3x32x32; got {type(error).__name__}") as told:
        TorchClassifier(Raising(error), PREPARATION)
    assert "\n" not in str(told.value)


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x * 2

    @staticmethod
    def backward(context, *gradients):  # pyright: ignore[reportIncompatibleMethodOverride]
        raise ValueError("not today")


class WithoutBackward(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = plain()

    def forward(self, x):
        return NoBackward.apply(self.parts(x))


def test_a_backward_pass_that_fails_leaves_a_black_box():
    classifier = TorchClassifier(WithoutBackward(), PREPARATION)
    assert not classifier.differentiable
    np.testing.assert_allclose(
        classifier.logits(pictures()).detach(), 2 * plain()((pictures() - MEAN) / STD).detach(), rtol=1e-4, atol=1e-5
    )


def test_the_size_that_a_network_takes_is_found_for_the_error():
    small = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 4))
    with pytest.raises(ClassifierError, match="it takes images of 1x28x28: give a preprocessing"):
        TorchClassifier(small, PREPARATION)


class NeedsAge(nn.Module):
    def forward(self, x, age):
        return x.mean((2, 3)) + age


def test_a_network_with_two_inputs_is_told_to_be_wrapped():
    with pytest.raises(
        ClassifierError, match="TypeError: .*'age'; wrap the model in a module whose forward takes images"
    ):
        TorchClassifier(NeedsAge(), PREPARATION)


def test_weights_without_values_are_refused():
    with pytest.raises(ClassifierError, match=r"the lazy layer of 0\.weight, which was never run"):
        TorchClassifier(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten()), PREPARATION)
    with torch.device("meta"):
        network = plain(norm=False)
    with pytest.raises(ClassifierError, match=r"0\.weight on the meta device"):
        TorchClassifier(network, PREPARATION)


def test_what_is_no_module_is_refused():
    for wrong in (3, None, [plain()], plain):
        with pytest.raises(ClassifierError, match=r"expected a torch\.nn\.Module; got"):
            unveil.load_classifier(wrong)


def test_functions_for_one_image_are_called_for_each():
    calls = []

    def single(images):
        calls.append(len(images))
        if len(images) != 1:
            raise ValueError("one image, please")
        return np.array([[images.mean(), images.max()]])

    box = BlackBox(single, PREPARATION)
    calls.clear()
    pixels = pictures()
    normalized = ((pixels - MEAN) / STD).numpy()
    np.testing.assert_allclose(
        [row.logits for row in box.predict(pixels)], [[image.mean(), image.max()] for image in normalized], rtol=1e-5
    )
    assert calls == [1, 1, 1]


class Tokens(nn.Module):
    """Needs contiguous features, and hands its batch norm a gradient with channels last."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.last = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Linear(3, 4)
        with torch.no_grad():
            self.norm.running_var.uniform_(0.5, 2)
            self.norm.weight.uniform_(-1.5, 1.5)

    def forward(self, x):
        x = self.first(x).relu()
        x = self.norm(x.view(x.size(0), -1).view_as(x))
        return self.last(x.flatten(2).transpose(1, 2).mean(1))


@pytest.mark.parametrize("count", [1, 2])
def test_batch_norms_of_contiguous_networks_have_the_right_gradient(count):
    """By central differences: PyTorch's own gradient of one image is wrong here."""
    network = Tokens().eval()
    classifier = TorchClassifier(network, PREPARATION)
    pixels = pictures(count)
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("", ((0, 1.0),))])
    exact = Tokens().eval().double()
    direction = torch.randn(pixels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ahead, behind = (exact((pixels.double() + step * direction - MEAN) / STD)[:, 0] for step in (1e-6, -1e-6))
    slopes = (ahead - behind) / 2e-6
    np.testing.assert_allclose((signed[0].double() * direction).flatten(1).sum(1), slopes, rtol=1e-3, atol=1e-7)
