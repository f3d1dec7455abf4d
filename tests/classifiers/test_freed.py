"""A classifier that the user drops is freed with all networks made from it, whatever it was used for."""

import gc
import weakref

import pytest
import torch
from torch import nn

from unveil.attribution import (
    AttributionRequest,
    Cam,
    Captum,
    CustomAttribution,
    GuidedBackprop,
    Occlusion,
    PatternAttribution,
    Rise,
    SmoothGrad,
    UntilStable,
    Zennit,
)
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.patterns import Estimation
from unveil.recipes import Recipe, TrustSettings
from unveil.rounds import find_regions
from unveil.targets import TargetScore

PIXELS = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
SCORES = (TargetScore("first", ((0, 1.0),)),)


def classifier() -> TorchClassifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return TorchClassifier(network, Preprocessing.square(16, (0.5,) * 3, (0.25,) * 3), precision="auto")


def attribute_with(method):
    def use(used: TorchClassifier, folder) -> object:
        return method.attribute(AttributionRequest(used, PIXELS, SCORES, "stream", 4))

    return use


def attribute_by_patterns(used: TorchClassifier, folder) -> object:
    estimation = Estimation(used)
    estimation.add(PIXELS[None])
    file = estimation.patterns().save(folder / "patterns.safetensors")
    return attribute_with(PatternAttribution(str(file)))(used, folder)


def run_with_trust_cards(used: TorchClassifier, folder) -> object:
    """A run whose trust cards include the parameter randomization test, which makes a second network."""
    trust = TrustSettings(placements=3, fills=(), samples=2, adaptive=False)
    run = find_regions(PIXELS, used, Recipe(attribution=SmoothGrad(samples=4), trust=trust), batch_size=4)
    assert run.trust is not None
    assert run.trust.cards[0].randomized_overlap is not None
    return run


def convolutions_alive() -> int:
    """Number of convolutions that exist in this process, in all networks and their copies."""
    gc.collect()
    return sum(issubclass(type(item), nn.Conv2d) for item in gc.get_objects())


USES = {
    "predictions": lambda used, folder: used.predict(PIXELS[None]),
    "guided backprop": attribute_with(GuidedBackprop()),
    "SmoothGrad": attribute_with(SmoothGrad(samples=4)),
    "Occlusion": attribute_with(Occlusion()),
    "Rise": attribute_with(Rise(masks=4)),
    "Zennit": attribute_with(Zennit()),
    "Captum": attribute_with(Captum("Saliency")),
    "Cam": attribute_with(Cam("GradCAM")),
    "CustomAttribution": attribute_with(CustomAttribution("x", lambda module: lambda pixels: module(pixels) * pixels)),
    "patterns": attribute_by_patterns,
    "trust cards": run_with_trust_cards,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_dropped_classifier_is_freed_with_all_networks_made_from_it(use, tmp_path):
    """The result is kept, as users keep runs: it must not keep the classifier."""
    before = convolutions_alive()
    dropped = classifier()
    dropped.predict(PIXELS[None])
    result = use(dropped, tmp_path)
    alive, network = weakref.ref(dropped), weakref.ref(dropped._module)
    assert convolutions_alive() > before
    del dropped
    assert convolutions_alive() == before, "networks derived from it are freed, too"
    assert alive() is None
    assert network() is None
    assert result is not None


def test_networks_that_are_kept_are_counted():
    """So that the test above can fail: a copy of the network that somebody keeps is found."""
    before = convolutions_alive()
    kept = [classifier().copy_of_module()]
    assert convolutions_alive() == before + len(kept)


def test_without_a_measure_of_stability_all_samples_are_taken():
    rule = UntilStable(max_samples=24)
    request = AttributionRequest(classifier(), PIXELS, SCORES, "stream", 4)
    assert SmoothGrad(samples=rule).attribute(request).all.count == 24


def test_the_repr_of_a_classifier_is_one_line():
    assert repr(classifier()) == "TorchClassifier(Sequential: 2 labels, softmax, 16 × 16 px, cpu, auto)"
