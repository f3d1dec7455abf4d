"""The user's model is left exactly as found: mode, hooks, `.grad`, `requires_grad`, values; also after an error."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from unveil import find_regions
from unveil.attribution import Deconvnet, Gradient, GuidedBackprop, SmoothGrad
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.errors import ClassifierError
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds
from unveil.targets import Class


class Failing(nn.Module):
    """Works for some calls and then raises."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10**9

    def forward(self, x):
        if type(self).calls_left == 0:
            raise RuntimeError("out of memory")
        type(self).calls_left -= 1
        return x

    calls_left = 10**9


# torch.fx opens every module but torch's own; opened, this one would count once and never fail.
Failing.__module__ = "torch.nn.failing"


def model() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        Failing(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(4 * 900, 3),
    )
    made[0].weight.requires_grad_(False)
    made.train()
    made[4].eval()
    made(torch.rand(4, 3, 32, 32)).sum().backward()
    made[2].register_forward_hook(lambda module, inputs, output: seen.append("forward"))
    made[6].register_full_backward_hook(lambda module, into, out: seen.append("backward"))
    return made


seen: list[str] = []


def state_of(made: nn.Sequential) -> dict:
    return {
        "modes": [module.training for module in made.modules()],
        "hooks": [
            (dict(module._forward_hooks), dict(module._backward_hooks), dict(module._forward_pre_hooks))
            for module in made.modules()
        ],
        "asks": [parameter.requires_grad for parameter in made.parameters()],
        "grads": [
            None if parameter.grad is None else parameter.grad.clone().tolist() for parameter in made.parameters()
        ],
        "grad objects": [id(parameter.grad) for parameter in made.parameters() if parameter.grad is not None],
        "values": {name: tensor.tolist() for name, tensor in made.state_dict().items()},
        "formats": [parameter.stride() for parameter in made.parameters()],
        "classes": [type(module) for module in made.modules()],
    }


METHODS = [Gradient(), Deconvnet(), GuidedBackprop(), SmoothGrad(GuidedBackprop(), samples=3)]
PREPARATION = Preprocessing.square(32, (0.5,) * 3, (0.5,) * 3)
IMAGE = np.random.default_rng(0).random((40, 40, 3))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_after_a_run(method):
    made = model()
    before = state_of(made)
    run = find_regions(
        IMAGE, TorchClassifier(made, PREPARATION), Recipe(attribution=method, target=Class(0), stop=MaxRounds(2))
    )
    assert run.regions
    assert state_of(made) == before


@pytest.mark.parametrize("calls", [1, 2, 4, 5])
def test_after_an_error_in_the_middle(calls, monkeypatch):
    made = model()
    before = state_of(made)
    classifier = TorchClassifier(made, PREPARATION)
    monkeypatch.setattr(Failing, "calls_left", calls)
    with pytest.raises(ClassifierError, match="out of memory"):
        find_regions(
            IMAGE,
            classifier,
            Recipe(attribution=SmoothGrad(GuidedBackprop(), samples=30), target=Class(0)),
            batch_size=10,
        )
    monkeypatch.undo()
    assert state_of(made) == before
    # The classifier itself can be asked again, and answers as before.
    assert find_regions(IMAGE, classifier, Recipe(target=Class(0), stop=MaxRounds(1))).regions


def test_after_a_model_that_cannot_be_asked():
    made = model()
    before = state_of(made)
    with pytest.raises(ClassifierError):
        TorchClassifier(made, Preprocessing.square(16, (0.5,) * 3, (0.5,) * 3))
    assert state_of(made) == before


def test_training_goes_on_as_if_nothing_had_happened():
    """Two models, one asked in between: after the same step they are equal to the last bit."""
    steps = []
    for ask in (False, True):
        made = model()
        optimizer = torch.optim.SGD([parameter for parameter in made.parameters() if parameter.requires_grad], 0.1)
        if ask:
            find_regions(
                IMAGE,
                TorchClassifier(made, PREPARATION),
                Recipe(attribution=GuidedBackprop(), target=Class(0), stop=MaxRounds(1)),
            )
        torch.manual_seed(5)
        made(torch.rand(4, 3, 32, 32)).square().sum().backward()
        optimizer.step()
        steps.append(made.state_dict())
    assert all(torch.equal(steps[0][name], steps[1][name]) for name in steps[0])


def test_the_classifier_answers_the_same_while_the_model_trains_on():
    made = model()
    classifier = TorchClassifier(made, PREPARATION)
    pixels = torch.rand(1, 3, 32, 32)
    before = classifier.predict(pixels)[0].logits
    with torch.no_grad():
        made[6].weight.add_(1)
    assert np.array_equal(classifier.predict(pixels)[0].logits, before)


def test_a_model_that_cannot_be_copied_is_one_clear_error():
    made = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    made.kept = threading.Lock()
    with pytest.raises(
        ClassifierError, match="a module that can be copied; got Sequential: cannot pickle '_thread.lock'"
    ):
        TorchClassifier(made, PREPARATION)


def test_tensors_with_a_history_are_copied_without_it():
    made = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    made.kept = [made[1].weight * 2]
    copied = TorchClassifier(made, PREPARATION).copy_of_module()
    assert torch.equal(copied.kept[0], made.kept[0])
    assert copied.kept[0].grad_fn is None
    assert made.kept[0].grad_fn is not None
    assert copied.kept[0].data_ptr() != made.kept[0].data_ptr()


def test_a_module_that_nobody_else_holds_is_frozen_itself():
    """Its weights exist once; by default they don't, so that the module given can change."""
    for copied in (True, False):
        made = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2))
        classifier = TorchClassifier(made, Preprocessing.square(4, (0.0,) * 3, (1.0,) * 3), copied=copied)
        pixels = torch.rand(1, 3, 4, 4)
        before = classifier.logits(pixels)
        with torch.no_grad():
            made[1].bias += 1
        assert torch.allclose(classifier.logits(pixels), before + (0 if copied else 1))
        assert made[1].weight.requires_grad is copied
