"""Attributions made in Python: objects of all libraries and plain functions, on copies; and what a record keeps."""

import json

import numpy as np
import pytest
import torch
import zennit.attribution
import zennit.composites
import zennit.rules
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion
from pytorch_grad_cam import GradCAM
from torch import nn

import unveil
from unveil.attribution import AttributionRequest, Cam, Captum, CustomAttribution, Normalize, Zennit
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import AttributionError, RecipeError
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

PREPROCESSING = Preprocessing.square(16, (0.4,) * 3, (0.5,) * 3)
TARGET_SCORES = [TargetScore("a", ((0, 1.0),)), TargetScore("b − c", ((1, 1.0), (2, -1.0)))]
PIXELS = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 3))


CLASSIFIER = TorchClassifier(model(), PREPROCESSING, ["a", "b", "c"])


def ask(attribution, classifier=CLASSIFIER):
    return attribution.attribute(AttributionRequest(classifier, PIXELS, TARGET_SCORES, "key", 8)).all.mean


def test_integrated_gradients_in_closed_form():
    """Of a linear model they are x · w / std exactly; of any, they add up to f(x) − f(0)."""
    torch.manual_seed(0)
    linear = TorchClassifier(nn.Sequential(nn.Flatten(), nn.Linear(768, 3)), PREPROCESSING)
    method = CustomAttribution("ig", IntegratedGradients, {"n_steps": 3})
    weight = linear._module[1].weight.detach()
    for result, row in zip(ask(method, linear), (weight[0], weight[1] - weight[2]), strict=True):
        np.testing.assert_allclose(result, PIXELS * row.reshape(3, 16, 16) / 0.5, rtol=1e-4, atol=1e-6)
    both = CLASSIFIER.logits(torch.stack([PIXELS, torch.zeros_like(PIXELS)])).detach()
    change = (both[0] - both[1])[[0, 1]] - torch.stack([torch.tensor(0.0), both[0, 2] - both[1, 2]])
    result = ask(CustomAttribution("ig", IntegratedGradients, {"n_steps": 200}))
    np.testing.assert_allclose(result.sum((1, 2, 3)), change, atol=2e-3)


def lrp(module):
    composite = zennit.composites.EpsilonPlus(layer_map=[(Normalize, zennit.rules.Pass())])
    return zennit.attribution.Gradient(module, composite)


@pytest.mark.parametrize(
    ("by_object", "by_name"),
    [
        (CustomAttribution("ig", IntegratedGradients), Captum("IntegratedGradients")),
        (CustomAttribution("l", lambda module: LayerGradCam(module, module.find("2"))), Captum("LayerGradCam", "2")),
        (CustomAttribution("c", lambda module: GradCAM(module, [module.find("2")])), Cam("GradCAM", "2")),
    ],
)  # fmt: skip
def test_objects_and_names_give_equal_maps(by_object, by_name):
    np.testing.assert_array_equal(ask(by_object), ask(by_name))


def test_an_attributor_of_zennit():
    """For one class its start, the output, is the logit. The same rules hang on the same layers."""
    result = ask(CustomAttribution("lrp", lrp))[0]
    np.testing.assert_allclose(result, ask(Zennit("EpsilonPlus"))[0], rtol=1e-4, atol=1e-7)


def gradient_times(module, pixels, power=1):
    (gradient,) = torch.autograd.grad(module(pixels).sum(), pixels)
    return gradient * pixels**power


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("shaped", [lambda result: result, lambda result: result[0], lambda result: result[:, :1], lambda result: result[0, 0]])  # fmt: skip
def test_a_plain_function_may_give_its_map_in_any_form(shaped, as_array):
    def function(module, pixels, power):
        result = shaped(gradient_times(module, pixels, power).detach())
        return result.numpy() if as_array else result

    result = ask(CustomAttribution.of_function("mine", function, power=2))
    pixels = PIXELS[None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(CLASSIFIER.logits(pixels)[0, 0], pixels)
    expected = (gradient * pixels**2).detach()[0]
    np.testing.assert_allclose(result[0], expected if len(result[0]) == 3 else expected[:1], rtol=1e-4, atol=1e-7)


def test_attribute_may_have_no_target_and_return_a_pair():
    class Own:
        def __init__(self, module):
            self.module = module

        def attribute(self, pixels):
            return gradient_times(self.module, pixels), "a delta"

    np.testing.assert_array_equal(
        ask(CustomAttribution("own", Own)), ask(CustomAttribution.of_function("f", gradient_times))
    )
    windows = CustomAttribution("w", Occlusion, {"sliding_window_shapes": (3, 4, 4), "strides": (3, 4, 4)})
    blank = PIXELS.clone()
    blank[:, :4, :4] = 0
    drop = float((CLASSIFIER.logits(PIXELS[None]) - CLASSIFIER.logits(blank[None]))[0, 0])
    np.testing.assert_allclose(ask(windows)[0, :, :4, :4], drop, rtol=1e-4)


def test_every_target_has_a_new_copy_and_the_model_is_not_changed():
    def vandal(module, pixels):
        assert float(next(module.parameters()).abs().max()) > 0, "this copy has been used"
        result = gradient_times(module, pixels).detach()
        for parameter in module.parameters():
            parameter.data.zero_()
        module.find("0").register_forward_hook(lambda *given: 1 / 0)
        return result

    before = CLASSIFIER.logits(PIXELS[None])
    assert ask(CustomAttribution.of_function("vandal", vandal)).abs().amax((1, 2, 3)).min() > 0

    def failing(module, pixels):
        vandal(module, pixels)
        raise KeyError("its own")

    with pytest.raises(AttributionError, match="the attribution bad to work on Sequential; got 'its own'; ") as raised:
        ask(CustomAttribution.of_function("bad", failing))
    assert isinstance(raised.value.__cause__, KeyError)
    assert torch.equal(CLASSIFIER.logits(PIXELS[None]), before)
    assert not any(part._forward_hooks for part in CLASSIFIER._module.modules())


def test_a_record_keeps_the_name_and_a_note(tmp_path):
    recipe = Recipe(attribution=CustomAttribution("my ig", IntegratedGradients, {"n_steps": 5, "baselines": torch.zeros(1, 3, 16, 16)}), stop=MaxRounds(2))  # fmt: skip
    run = unveil.find_regions(PIXELS, CLASSIFIER, recipe)
    assert run.regions
    run.save(tmp_path / "run")
    loaded = unveil.load_run(tmp_path / "run")
    assert loaded == run
    note = "made in Python: captum.attr._core.integrated_gradients.IntegratedGradients(n_steps=5, baselines=a Tensor)"
    kept = {"kind": "CustomAttribution", "name": "my ig", "note": note}
    assert loaded.recipe["attribution"] == kept
    assert json.loads((tmp_path / "run/run.json").read_text())["recipe"]["attribution"] == kept
    refusal = "an attribution that a file can store; got 'my ig', made in Python: captum.*; set it again: replace"
    for read in (lambda: Recipe.from_dict(loaded.recipe), lambda: Recipe.from_toml(recipe.to_toml())):
        with pytest.raises(RecipeError, match=refusal):
            read()
    assert "of_function" not in CustomAttribution.of_function("f", gradient_times, power=2).note
    assert CustomAttribution.of_function("f", gradient_times, power=2).note.endswith("gradient_times(power=2)")


@pytest.mark.parametrize(
    ("attribution", "message"),
    [
        (lambda: CustomAttribution("x", lambda module: 3), "a method from make.module. of x; got a int; return a callable"),
        (lambda: CustomAttribution.of_function("x", lambda m, p: "no"), "a map; got str; return a tensor"),
        (lambda: CustomAttribution.of_function("x", lambda m, p: p.sum()), r"one image with 2 axes; got shape \(\)"),
        (lambda: CustomAttribution.of_function("x", lambda m, p: p.repeat(2, 1, 1, 1)), r"one image .* got shape \(2, 3,"),
        (lambda: CustomAttribution("x", lambda m: LayerGradCam(m, m.find("9"))), "a layer of the model; got '9'"),
    ],
)  # fmt: skip
def test_results_that_are_no_map_are_refused(attribution, message):
    with pytest.raises(AttributionError, match=message):
        ask(attribution())


def test_attributions_without_a_method_are_refused():
    with pytest.raises(RecipeError, match="a file can store; got 'x', an object made in Python; set it again"):
        CustomAttribution("x")
    box = BlackBox(lambda inputs: np.zeros((len(inputs), 3)), PREPROCESSING)
    with pytest.raises(AttributionError, match=r"a PyTorch model for the attribution x; got .*; use Rise\(\)"):
        ask(CustomAttribution("x", IntegratedGradients), box)
