"""Captum's methods as attributions: their own results, on copies, with refusals where they would be wrong."""

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients, LayerGradCam
from torch import nn

import unveil
from unveil.attribution import AttributionRequest, Captum
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

PREPROCESSING = Preprocessing.square(16, (0.4,) * 3, (0.5,) * 3)
TARGET_SCORES = [TargetScore("a", ((0, 1.0),)), TargetScore("b − c", ((1, 1.0), (2, -1.0)))]


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 3))


CLASSIFIER = TorchClassifier(model(), PREPROCESSING, ["a", "b", "c"])
PIXELS = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
QUESTION = AttributionRequest(CLASSIFIER, PIXELS, TARGET_SCORES, "key", 8)


class Scored(nn.Module):
    """Normalized, asked, and weighed, written out for this test."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.inner, self.weights = model(), torch.tensor(weights)

    def forward(self, x):
        return (self.inner((x - 0.4) / 0.5) * self.weights).sum(1, keepdim=True)


@pytest.mark.parametrize("method", [IntegratedGradients, DeepLift])
def test_the_result_is_that_of_the_library(method):
    ours = Captum(method.__name__).attribute(QUESTION).all.mean
    for number, weights in enumerate(([1.0, 0.0, 0.0], [0.0, 1.0, -1.0])):
        with pytest.warns(UserWarning) if method is DeepLift else _nothing():
            theirs = method(Scored(weights)).attribute(PIXELS[None].clone().requires_grad_(), target=0)
        np.testing.assert_allclose(ours[number], theirs[0].detach(), rtol=1e-4, atol=1e-6)


def _nothing():
    import contextlib  # noqa: PLC0415

    return contextlib.nullcontext()


def test_a_map_of_a_layer_is_enlarged_to_the_grid():
    result = Captum("LayerGradCam", "2").attribute(QUESTION).all.mean
    scored = Scored([1.0, 0.0, 0.0])
    small = LayerGradCam(scored, scored.inner[2]).attribute(PIXELS[None], target=0)
    assert small.shape == (1, 1, 8, 8)
    large = nn.functional.interpolate(small.detach(), (16, 16), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(result[0], large[0], rtol=1e-4, atol=1e-6)


def test_the_loop_runs_with_it_and_does_not_change_the_model():
    before = [dict(module._forward_hooks) for module in CLASSIFIER._module.modules()]
    run = unveil.find_regions(PIXELS, CLASSIFIER, Recipe(attribution=Captum("IntegratedGradients"), stop=MaxRounds(2)))
    assert len(run.regions) == 2
    assert [dict(module._forward_hooks) for module in CLASSIFIER._module.modules()] == before
    assert Recipe.from_toml(Recipe(attribution=Captum("LayerGradCam", "layer4")).to_toml()).attribution == Captum(
        "LayerGradCam", "layer4"
    )


@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution", "GuidedGradCam", "LRP"])
def test_methods_with_silent_errors_are_refused(name):
    with pytest.raises(RecipeError, match=f"right on every model; got {name}; use "):
        Captum(name)


@pytest.mark.parametrize("name", ["Integrated", "visualization", "os", "Attribution.__init__"])
def test_unknown_methods_are_refused(name):
    with pytest.raises(RecipeError, match=rf"a method of captum.attr; got '{name}'; (did you mean|some are) \w+"):
        Captum(name).attribute(QUESTION)


def test_errors_of_captum_become_one_line(monkeypatch):
    with pytest.raises(
        AttributionError,
        match="Captum's LayerGradCam to work on Sequential; got .*; try another method, or name a layer",
    ):
        Captum("LayerGradCam").attribute(QUESTION)
    with pytest.raises(
        AttributionError, match="the name of a layer of the model; got 'layer9'; names are like 0, 1, 2"
    ):
        Captum("LayerGradCam", "layer9").attribute(QUESTION)
    with pytest.raises(AttributionError, match="an attribution with 2 spatial axes"):
        Captum("LayerGradientXActivation", "4").attribute(QUESTION)
    box = BlackBox(lambda inputs: np.zeros((len(inputs), 3)), PREPROCESSING)
    with pytest.raises(AttributionError, match="a PyTorch model for Captum"):
        Captum("Saliency").attribute(AttributionRequest(box, PIXELS, TARGET_SCORES, "key", 8))
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    with pytest.raises(MissingLibraryError, match=r"unveil\[captum\]"):
        Captum("Saliency").attribute(QUESTION)


def test_random_methods_of_captum_are_reproducible():
    one, two = (Captum("KernelShap").attribute(QUESTION).all.mean for _ in range(2))
    np.testing.assert_array_equal(one, two)
