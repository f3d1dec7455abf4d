"""Faster attention and convolutions have equal outputs and gradients; all other calls work as before."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.classifiers.engine.faster_layers import (
    SelfAttention,
    StridedConvolution,
    replace_class,
    replace_slow_layers,
)

BLANK = torch.zeros(1, 3, 32, 32, dtype=torch.float64)


def without_zeros(module: nn.Module) -> nn.Module:
    """Randomize parameters that are zero, such as the head of torchvision's transformer."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return module.double().eval().requires_grad_(False)


def transformer() -> nn.Module:
    return torchvision.models.VisionTransformer(32, 8, 2, 4, 24, 48, num_classes=5)


class Tokens(nn.Module):
    """Patches of 8 px and one layer of attention, which subclasses call in several ways."""

    def __init__(self, *, size: int = 8, **options: object) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, size, size)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True, **options)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.attend(x).mean(1))

    def attend(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Weighted(Tokens):
    """Reads the weights of its attention."""

    def attend(self, x):
        attended, weights = self.attention(x, x, x)
        return attended * weights.amax((1, 2))[:, None, None]


class Masked(Tokens):
    """Each token attends to those before it."""

    def attend(self, x):
        mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        return self.attention(x, x, x, need_weights=False, attn_mask=mask)[0]


class Crossed(Tokens):
    """Attends to other tokens than the query's."""

    def attend(self, x):
        return self.attention(x[:, :4], x, x, need_weights=False)[0]


class Reading(Tokens):
    """Reads attributes of its layers, as models do to find types and sizes."""

    def attend(self, x):
        x = x.to(self.patches.weight.dtype) * self.patches.weight.shape[-1]
        return super().attend(x) + self.attention.in_proj_weight.mean()


class Layered(Tokens):
    """PyTorch's own layer around its attention, which reads many attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)

    def attend(self, x):
        return self.layer(x)


def gradients(module: nn.Module, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = inputs.clone().requires_grad_()
    logits = module(inputs)
    return logits, torch.autograd.grad(logits[:, 1].square().sum(), inputs)[0]


def assert_same(faster: nn.Module, module: nn.Module, inputs: torch.Tensor) -> None:
    (logits, gradient), (expected, other) = gradients(faster, inputs), gradients(module, inputs)
    assert torch.allclose(logits, expected, rtol=1e-10)
    assert torch.allclose(gradient, other, rtol=1e-8, atol=1e-12 * float(other.abs().max()))


class Stem(nn.Module):
    """A strided first layer, as in a ResNet, a rectifier and a head."""

    def __init__(self, kernel, stride, padding=0, channels: int = 3, *, bias: bool = False, **options: object) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, kernel, stride, padding, bias=bias, **options)
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).square().mean((2, 3)))


NETWORKS = [transformer, Tokens, lambda: Tokens(bias=False), Weighted, Masked, Crossed, Reading, Layered]


@pytest.mark.parametrize(("make", "size"), [(make, (32, 32)) for make in NETWORKS] + [(Tokens, (37, 33))])
def test_the_same_logits_and_gradients_as_the_module(make, size):
    """In float64 to the last digits, also where the image isn't a multiple of the patches."""
    module = without_zeros(make())
    faster = replace_slow_layers(module, BLANK)
    assert faster is not module
    inputs = torch.randn(3, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert_same(faster, module, inputs)


@pytest.mark.parametrize("size", [(32, 32), (31, 38), (33, 29)])
@pytest.mark.parametrize(
    "stem",
    [
        (7, 2, 3),
        (7, 2, 0),
        (7, 2, 9),
        (11, 4, 2),
        (4, 4),
        (4, 2, 1),
        (5, 3, 2),
        ((7, 5), (2, 3), (3, 1)),
        (7, 2, 3, 1),
        (6, 3, 3, 4),
    ],
)
def test_a_strided_first_layer_computed_by_blocks_has_the_same_outputs(stem, size):
    """Kernels and images that are multiples of the stride, and others."""
    module = without_zeros(Stem(*stem, bias=size[0] % 2 == 0))
    channels = module.conv.in_channels
    faster = replace_slow_layers(module, BLANK[:, :1].expand(-1, channels, -1, -1))
    assert [type(part) for part in faster.modules()][1] is StridedConvolution
    inputs = torch.randn(3, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert_same(faster, module, inputs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stem(7, 1, 3),
        lambda: Stem(3, 2, 1),
        lambda: Stem(4, 6),
        lambda: Stem(7, 2, 3, dilation=2),
        lambda: Stem(7, 2, 3, padding_mode="reflect"),
        lambda: Stem(5, 2, "valid"),
    ],
)
def test_other_first_layers_are_not_replaced(make):
    module = without_zeros(make())
    assert replace_slow_layers(module, BLANK) is module


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "alexnet", "convnext_tiny"])
def test_the_first_layer_of_the_usual_networks_is_replaced(name):
    """Outputs and gradients are those of the module, which isn't changed."""
    module = without_zeros(torchvision.models.get_model(name, weights=None, num_classes=7))
    classifier = TorchClassifier(module, Preprocessing.square(64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)))
    parts = list(classifier._plan.network.modules())
    assert sum(isinstance(part, StridedConvolution) for part in parts) == 1
    assert not any(isinstance(part, StridedConvolution) for part in module.modules())
    pixels = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    logits, gradient = gradients(classifier.logits, pixels)
    expected, other = gradients(lambda x: module(classifier.normalized(x)), pixels)
    assert torch.allclose(logits, expected, rtol=1e-8)
    assert torch.allclose(gradient, other, rtol=1e-6, atol=1e-10 * float(other.abs().max()))


def test_every_layer_of_a_transformer_is_replaced_and_shares_its_weights():
    module = without_zeros(transformer())
    faster = replace_slow_layers(module, BLANK)
    assert sum(isinstance(part, SelfAttention) for part in faster.modules()) == 2
    assert sum(isinstance(part, StridedConvolution) for part in faster.modules()) == 1
    assert {id(weight) for weight in faster.parameters()} == {id(weight) for weight in module.parameters()}
    assert not any(isinstance(part, (SelfAttention, StridedConvolution)) for part in module.modules())


@pytest.mark.parametrize("tokens", [50, 256, 257])
def test_attention_in_bf16_is_as_exact_as_pytorchs(tokens):
    """Few tokens by matrix products, more by PyTorch's own function; both are close to the result in float64."""
    torch.manual_seed(4)
    exact = nn.MultiheadAttention(64, 4, batch_first=True).double().eval().requires_grad_(False)
    nn.init.normal_(exact.in_proj_weight, std=0.3)  # so that attention isn't uniform
    x = torch.randn(2, tokens, 64, dtype=torch.float64)
    pytorchs = copy.deepcopy(exact).to(torch.bfloat16)
    ours = replace_class(pytorchs)

    def output_and_gradient(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_()
        output = layer(x, x, x, need_weights=False)[0]
        gradient = torch.autograd.grad((output * torch.linspace(-1, 1, 64).to(output.dtype)).sum(), x)[0]
        return torch.stack([output.detach(), gradient]).double()

    expected = output_and_gradient(exact, x)
    power = expected.square().mean((1, 2, 3))
    error, usual_error = (
        (output_and_gradient(layer, x.to(torch.bfloat16)) - expected).square().mean((1, 2, 3)) / power
        for layer in (ours, pytorchs)
    )
    assert (error < 0.01).all()
    assert (error < 3 * usual_error).all()


def hooked() -> nn.Module:
    module = Tokens(size=2)
    module.attention.register_forward_hook(lambda part, given, output: (2 * output[0], None))
    return module


def sequence_first() -> nn.Module:
    module = Tokens(size=2)
    module.attention.batch_first = False
    return module


class Training(Tokens):
    """Uses dropout in evaluation mode, too."""

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.attention.train()
        return self


def in_training() -> nn.Module:
    return Training(size=2, dropout=0.5)


class Strict(Tokens):
    """Raises for layers of other classes."""

    def forward(self, x):
        if type(self.attention) is not nn.MultiheadAttention:
            raise TypeError("an unknown layer")
        return super().forward(x)


@pytest.mark.parametrize(
    "make",
    [hooked, sequence_first, in_training, Strict, lambda: Tokens(size=2, add_bias_kv=True), lambda: nn.Linear(3, 2)],
)
def test_layers_that_cannot_be_replaced_are_kept(make):
    module = make().double().eval()
    assert module(BLANK if isinstance(module, Tokens) else torch.zeros(2, 3).double()).shape[1] in (2, 5)
    assert replace_slow_layers(module, BLANK) is module


def test_a_classifier_uses_the_faster_layers_and_keeps_the_module():
    module = without_zeros(transformer())
    classifier = TorchClassifier(module, Preprocessing.square(32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)))
    pixels = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    calls = []
    for part in classifier._plan.network.modules():
        if isinstance(part, SelfAttention):
            part.register_forward_hook(lambda *_: calls.append(1))
    assert torch.allclose(classifier.logits(pixels), module(classifier.normalized(pixels)), rtol=1e-10)
    assert len(calls) == 2
    assert not any(isinstance(part, SelfAttention) for part in module.modules())
