"""The fastest form of a network: each step alone where both together would change the outputs."""

import pytest
import torch
from torch import nn

from unveil.classifiers.engine import faster_form
from unveil.classifiers.engine.faster_form import make_faster
from unveil.classifiers.engine.faster_layers import StridedConvolution

BLANK = torch.zeros(1, 3, 33, 32)


class Stem(nn.Sequential):
    """A strided first layer, a batch norm with statistics, and a second pair."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 7, 2, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 5, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        generator = torch.Generator().manual_seed(0)
        norm = self[1]
        norm.running_mean.copy_(torch.randn(4, generator=generator))
        norm.running_var.copy_(torch.rand(4, generator=generator) + 0.5)
        self.eval().requires_grad_(False)


def steps_done(network: nn.Module) -> tuple[bool, bool]:
    """Whether the batch norm became the bias of the first layer, and whether this layer was replaced."""
    first = network.get_submodule("0")
    return first.bias is not None, isinstance(first, StridedConvolution)


def by_hand(module: Stem, inputs: torch.Tensor) -> torch.Tensor:
    """The network's outputs from its weights, with the batch norm by its definition."""
    norm = module[1]
    shape = (1, -1, 1, 1)
    first = nn.functional.conv2d(inputs, module[0].weight, stride=2, padding=3)
    spread = (norm.running_var + norm.eps).sqrt().reshape(shape)
    first = (first - norm.running_mean.reshape(shape)) / spread
    return nn.functional.conv2d(first.clamp(min=0), module[3].weight, module[3].bias).mean((2, 3))


def test_both_steps_are_done_after_a_single_pass_of_the_module():
    module = Stem()
    passes = []

    def count(part, given, output):
        if isinstance(output, torch.Tensor):  # tracing calls hooks too
            passes.append(len(output))

    module[5].register_forward_hook(count)
    faster = make_faster(module, BLANK)
    assert steps_done(faster) == (True, True)
    assert passes == [2, 2]  # the last layer of the module, and the same layer in the faster form
    inputs = torch.randn(3, 3, 33, 32, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(faster(inputs), by_hand(module, inputs), atol=1e-5)


@pytest.mark.parametrize(
    ("step", "expected"), [("fold_batch_norms", (False, True)), ("replace_slow_layers", (True, False))]
)
def test_a_step_that_changes_outputs_is_left_out_and_the_other_one_kept(monkeypatch, step, expected):
    """A step that also changes the bias of the last convolution, unless its own comparison notices."""
    right = getattr(faster_form, step)

    def wrong(module, blank, matches=faster_form.outputs_match, **options):
        changed = right(module, blank, lambda *_: True, **options)
        old = changed.get_submodule("3")
        biased = nn.Conv2d(4, 5, 3).requires_grad_(False)
        biased.weight.copy_(old.weight)
        biased.bias.copy_(old.bias + 1)
        changed.set_submodule("3", biased)
        if matches(module, changed, blank):
            return changed
        changed.set_submodule("3", old)
        return module

    monkeypatch.setattr(faster_form, step, wrong)
    module = Stem()
    inputs = torch.randn(3, 3, 33, 32, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(make_faster(module, BLANK)(inputs), by_hand(module, inputs), atol=1e-5)
    assert steps_done(make_faster(module, BLANK)) == expected


def test_a_network_that_neither_step_changes_is_returned_itself():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 33 * 32, 2)).eval()
    assert make_faster(module, BLANK) is module
