"""Class activation maps: unscaled, their formulas by our own autograd code; scaled, those of the library itself."""

import random
import sys

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from torch import Tensor, nn
from torch.nn import functional

import unveil
from unveil.attribution import AttributionRequest, Cam
from unveil.attribution.adapters.grad_cam import compute_unscaled_cam
from unveil.attribution.adapters.score_module import seed_global_generators
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.recipes import Recipe
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

PREPROCESSING = Preprocessing.square(16, (0.4,) * 3, (0.5,) * 3)
TARGET_SCORES = [TargetScore("a", ((0, 1.0),)), TargetScore("b − c", ((1, 1.0), (2, -1.0)))]
PIXELS = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Two stages; the second is rectified in place by a function, after the layer."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.stage = nn.Conv2d(6, 5, 3, 2, 1)
        self.head = nn.Linear(5 * 16, 3)
        self.head.weight.data *= scale

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.relu_(self.stage(self.stem(x))).flatten(1))


def ask(cam: Cam, module: nn.Module | None = None, target_scores: list[TargetScore] = TARGET_SCORES) -> Tensor:
    classifier = TorchClassifier(module or Net(), PREPROCESSING)
    return cam.attribute(AttributionRequest(classifier, PIXELS, target_scores, "key", 8)).all.mean


def by_hand(layer: str, weights: list[float], net: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """A and ∂score/∂A of one layer, the rest of the network called from there."""
    x = (PIXELS[None] - 0.4) / 0.5
    kept = net.stem(x) if layer == "stem" else net.stage(net.stem(x))
    kept = kept.detach().requires_grad_()
    rest = functional.relu(kept if layer == "stage" else net.stage(kept))
    (net.head(rest.flatten(1))[0] @ torch.tensor(weights)).backward()
    return kept.detach()[0].double().numpy(), kept.grad[0].double().numpy()


def enlarged(small: np.ndarray, size: int) -> np.ndarray:
    """Linear between the centers of places, constant beyond the outermost."""
    places = np.clip((np.arange(size) + 0.5) * len(small) / size - 0.5, 0, len(small) - 1)
    rows = np.stack([np.interp(places, np.arange(len(small)), column) for column in small.T], 1)
    return np.stack([np.interp(places, np.arange(small.shape[1]), row) for row in rows])


FORMULAS = {
    "GradCAM": lambda a, g: (g.mean((1, 2))[:, None, None] * a).sum(0),
    "HiResCAM": lambda a, g: (g * a).sum(0),
    "LayerCAM": lambda a, g: (np.maximum(g, 0) * a).sum(0),
    "GradCAMElementWise": lambda a, g: np.maximum(g * a, 0).sum(0),
    "XGradCAM": lambda a, g: (((g * a).sum((1, 2)) / (a.sum((1, 2)) + 1e-7))[:, None, None] * a).sum(0),
}


@pytest.mark.parametrize("layer", ["stem", "stage"])
@pytest.mark.parametrize("method", FORMULAS)
def test_the_map_is_the_formula_of_the_paper(method, layer):
    """The layer `stage` is followed by a step in place, which would change what the library keeps of it."""
    result = ask(Cam(method, layer))
    assert result.shape == (2, 1, 16, 16)
    for number, weights in enumerate(([1.0, 0.0, 0.0], [0.0, 1.0, -1.0])):
        small = np.maximum(FORMULAS[method](*by_hand(layer, weights, Net())), 0)
        np.testing.assert_allclose(result[number, 0], enlarged(small, 16), rtol=1e-4, atol=1e-7)
    assert float(result.max()) > 0


@pytest.mark.parametrize("method", ["GradCAM", "GradCAMPlusPlus", "EigenCAM", "EigenGradCAM", "FEM", "ScoreCAM", "AblationCAM", "ShapleyCAM", "SegEigenCAM"])  # fmt: skip
def test_scaled_maps_are_those_of_the_library(method, capfd):
    result = ask(Cam(method, "stem"), target_scores=TARGET_SCORES[:1])[0, 0].numpy()
    assert capfd.readouterr().err == "", "no bars of its own"

    class Scored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Net()

        def forward(self, x):
            return self.inner((x - 0.4) / 0.5)[:, :1]

    scored = Scored()
    own = getattr(pytorch_grad_cam, method)(scored, [scored.inner.stem])
    theirs = own(PIXELS[None].clone().requires_grad_(), targets=[lambda row: row[0]])[0]
    np.testing.assert_allclose((result - result.min()) / (result.max() - result.min()), theirs, atol=1e-4)


def test_weak_evidence_stays_weak_and_zero_stays_zero():
    """The library's own map is the same whatever the size of the evidence."""
    strong, weak = ask(Cam("GradCAM", "stem")), ask(Cam("GradCAM", "stem"), Net(scale=1e-4))
    np.testing.assert_allclose(weak, 1e-4 * strong, rtol=1e-3)
    net = Net(scale=0.0)
    assert float(ask(Cam("GradCAM", "stem"), net).abs().max()) == 0
    run = unveil.find_regions(PIXELS, TorchClassifier(net, PREPROCESSING), Recipe(attribution=Cam(layer="stem")))
    assert run.regions == ()
    recipe = Recipe(attribution=Cam(), stop=MaxRounds(2))
    assert unveil.find_regions(PIXELS, TorchClassifier(Net(), PREPROCESSING), recipe, target=unveil.Class(0)).regions
    assert Recipe.from_toml(recipe.to_toml()) == recipe


class Blocks(nn.Module):
    """Like a torchvision network: stages, a pool, a head; `mixed` uses its last stage twice."""

    def __init__(self, *, mixed: bool = False, last: nn.Module | None = None) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU()))
        self.again = nn.Conv2d(4, 4, 3, 1, 1)
        self.last, self.mixed = last or nn.AdaptiveAvgPool2d(1), mixed
        self.head = nn.LazyLinear(3)
        self(torch.zeros(1, 3, 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if self.mixed:
            x = self.again(self.again(x))
        return self.head(self.last(x).flatten(1))


@pytest.mark.parametrize(
    ("net", "layer"),
    [
        (Net(), "stage"),
        (Blocks(), "features"),
        (Blocks(mixed=True), "features"),
        (Blocks(last=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 6, 1))), "features"),
        (Blocks(last=nn.Sequential(nn.Conv2d(4, 6, 1), nn.AdaptiveAvgPool2d(1))), "last.0"),
        (Blocks(last=nn.Conv2d(4, 6, 4, 4)), "features"),
    ],
)  # fmt: skip
def test_the_default_layer_is_the_last_stage_of_convolutions(net, layer):
    np.testing.assert_array_equal(ask(Cam("HiResCAM"), net), ask(Cam("HiResCAM", layer), net))


def test_layers_whose_output_is_no_map_are_refused():
    class ChannelsLast(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1)

    for net, layer, got in (
        (Blocks(mixed=True), "again", "again, used 2 times"),
        (Net(), "head", r"head of shape \(1, 3\)"),
        (Blocks(last=ChannelsLast()), "last", r"last of shape \(1, 8, 8, 4\)"),
    ):
        with pytest.raises(
            AttributionError, match=rf"a layer used once that outputs .*; got {got}; name another layer"
        ):
            ask(Cam("GradCAM", layer), net)
    with pytest.raises(AttributionError, match="the name of a layer of the model; got 'stagee'; names are like stage"):
        ask(Cam("GradCAM", "stagee"))
    with pytest.raises(AttributionError, match="a model with stages of convolutions; got Sequential, which has none"):
        ask(Cam(), nn.Sequential(nn.Flatten(), nn.Linear(768, 3)))


def test_the_model_and_the_library_are_not_changed_even_by_an_error(monkeypatch):
    classifier = TorchClassifier(Net(), PREPROCESSING)
    bars = pytorch_grad_cam.score_cam.tqdm
    before = {name: value.clone() for name, value in classifier._module.state_dict().items()}
    question = AttributionRequest(classifier, PIXELS, TARGET_SCORES, "key", 8)
    Cam("AblationCAM").attribute(question)
    monkeypatch.setattr(pytorch_grad_cam.score_cam.torch.nn, "Softmax", lambda dim: 1 / 0)
    with pytest.raises(AttributionError, match="pytorch-grad-cam's ScoreCAM to work on Net; got division by zero; try"):
        Cam("ScoreCAM").attribute(question)
    assert pytorch_grad_cam.score_cam.tqdm is bars
    assert all(torch.equal(value, before[name]) for name, value in classifier._module.state_dict().items())
    assert not any(part._forward_hooks for part in classifier._module.modules())
    assert not any(parameter.requires_grad for parameter in classifier._module.parameters())
    net = Net()
    cam = pytorch_grad_cam.GradCAM(net, [net.stage])
    monkeypatch.setattr(net.head, "forward", lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compute_unscaled_cam(cam, PIXELS[None].requires_grad_())
    assert not net.stage._forward_hooks


def test_random_methods_are_reproducible():
    classifier = TorchClassifier(Net(), PREPROCESSING)
    one, two, other = (
        Cam("RandomCAM").attribute(AttributionRequest(classifier, PIXELS, TARGET_SCORES, key, 8)).all.mean
        for key in ("key", "key", "other")
    )
    np.testing.assert_array_equal(one, two)
    assert float((one - other).abs().max()) > 0


def test_the_global_generators_are_restored_after_a_method():
    def draw() -> list[float]:
        return [torch.rand(1).item(), np.random.rand(), random.random()]

    def start() -> None:
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)

    start()
    expected = [draw(), draw()]
    start()
    first, inside = draw(), []
    for key in ("a", "a", "b"):
        with seed_global_generators(key, torch.device("cpu")):
            inside.append(draw())
    assert [first, draw()] == expected
    assert inside[0] == inside[1]
    assert all(one != other for one, other in zip(inside[0], inside[2], strict=True))


def test_unknown_names_are_refused(monkeypatch):
    with pytest.raises(
        RecipeError, match="a method of pytorch_grad_cam; got 'gradcam'; did you mean GradCAM or XGradCAM"
    ):
        Cam("gradcam").look_up()
    for name, instead in (("FullGrad", "Captum"), ("SESS", "Cam"), ("GuidedBackpropReLUModel", "GuidedBackprop")):
        with pytest.raises(RecipeError, match=f"map can be taken before it is scaled; got {name}; use {instead}"):
            Cam(name)
    box = BlackBox(lambda inputs: np.zeros((len(inputs), 3)), PREPROCESSING)
    with pytest.raises(AttributionError, match=r"a PyTorch model for pytorch-grad-cam; got .*; use Rise\(\)"):
        Cam().attribute(AttributionRequest(box, PIXELS, TARGET_SCORES, "key", 8))
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(MissingLibraryError, match=r"unveil\[cam\]"):
        Cam().look_up()
