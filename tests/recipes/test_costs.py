"""The cost that is told beforehand is never exceeded, and is reached where nothing can end a run early."""

import numpy as np
import pytest
import torch
from torch import nn

from tiny_runs import LABELS, SMALL, image
from unveil.attribution import Captum, Gradient, GuidedBackprop, Occlusion, Rise, SmoothGrad
from unveil.attribution.smoothgrad import UntilStable
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.fills import Blur, Mean
from unveil.predictions import Output
from unveil.recipes import Recipe, TrustSettings, estimate_cost, paper, recommended
from unveil.regions import SmoothedThreshold
from unveil.rounds import find_regions
from unveil.stopping import MaxRounds, NotSignificant
from unveil.targets import Class, Margin, Predicted, Top

PLAIN = Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3)


class Counted(TorchClassifier):
    """Counts the images that the network is given, and those among them that a gradient can be computed of."""

    forward = with_gradient = 0
    counting = False

    def logits_of(self, plan, pixels):
        if self.counting:
            self.forward += len(pixels)
            self.with_gradient += len(pixels) * pixels.requires_grad
        return super().logits_of(plan, pixels)

    def with_network(self, module, name):
        """Images of the randomized network count too."""
        other = super().with_network(module, name)
        logits_of = other.logits_of

        def counted(plan, pixels):
            self.forward += len(pixels)
            self.with_gradient += len(pixels) * pixels.requires_grad
            return logits_of(plan, pixels)

        other.logits_of = counted  # type: ignore[method-assign]
        return other


def counted(output: Output = Output.SOFTMAX) -> Counted:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(96, 3)
    classifier = Counted(nn.Sequential(*layers), PLAIN, LABELS, output=output)
    classifier.probe  # noqa: B018 (computed once per classifier, not per image)
    classifier.counting = True
    return classifier


ONE = SmoothedThreshold(size_px=3, passes=1)
TRUST = TrustSettings(placements=5, fills=(Mean(), Blur()), max_players=3, samples=4)
RECIPES = {
    "a gradient": Recipe(attribution=Gradient(), target=Class(0), selector=ONE, stop=MaxRounds(2), trust=None),
    "three regions": Recipe(attribution=Gradient(), target=Class(1), selector=SMALL, stop=MaxRounds(3), trust=None),
    "top 2": Recipe(attribution=SmoothGrad(samples=4), target=Top(2), selector=SMALL, stop=MaxRounds(2), trust=TRUST),
    "tracks": Recipe(
        attribution=SmoothGrad(samples=4), target=Top(3), selector=SMALL, stop=MaxRounds(2), joint=False, trust=TRUST
    ),
    "predicted": Recipe(
        attribution=SmoothGrad(GuidedBackprop(), samples=UntilStable(max_samples=16)),
        target=Predicted(0.1),
        selector=SMALL,
        stop=MaxRounds(2) | NotSignificant(placements=4),
        trust=TRUST,
    ),
    "masks": Recipe(attribution=Rise(masks=20), target=Margin(0, 1), selector=ONE, stop=MaxRounds(2), trust=TRUST),
    "windows": Recipe(attribution=Occlusion(16, 9), target=Class(2), selector=ONE, stop=MaxRounds(1), trust=TRUST),
}


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize("name", list(RECIPES))
def test_no_run_costs_more(name, output):
    classifier, recipe = counted(output), RECIPES[name]
    told = recipe.cost(classifier)
    assert classifier.forward == 0
    run = find_regions(image(), classifier, recipe, seed=1)
    assert 0 < classifier.forward <= told.forward
    assert classifier.with_gradient <= told.backward
    assert (run.trust.passes if run.trust else 0) <= told.cards
    assert told.unknown is None
    # It isn't too cautious either.
    assert told.forward <= 8 * classifier.forward


def test_a_run_that_nothing_ends_costs_what_is_told():
    """Two rounds of one region: the image, twice a gradient, the region erased alone and with all others; no blank."""
    classifier = counted()
    run = find_regions(image(), classifier, RECIPES["a gradient"])
    assert len(run.regions) == 2
    # Erasing the only region alone or with all others is one view, which is predicted once.
    assert classifier.forward == 1 + 2 * (1 + 1)
    assert estimate_cost(RECIPES["a gradient"], classifier).forward == 2 + 2 * (1 + 1 + 2)


def test_the_named_recipes_in_numbers():
    classifier = counted()
    cost = paper().cost(classifier)
    # In each of five rounds one region; eight samples for the randomized network; a game of each of three labels.
    cards = 5 * (4 + 6 + 2 + 39 + 2 * 4) + 8 + 2**4 * 3
    assert (cost.cards, cost.forward, cost.backward) == (cards, cards + 2 + 5 * (50 + 3), 5 * 50 + 8)
    sigmoid = recommended().cost(counted(Output.SIGMOID))
    # Plain gradients aren't compared with those of a randomized network.
    assert sigmoid.backward == 10 * 3 * 8


def test_a_method_of_another_library_is_named(capsys):
    cost = Recipe(attribution=Captum("IntegratedGradients"), target=Class(0), trust=None).cost(counted())
    assert cost.unknown == "Captum"
    assert str(cost) == "up to 17 images through the network per image (without those of Captum)"
    cost = Recipe(attribution=Rise(masks=20_000), target=Class(0), trust=None).cost(counted())
    assert str(cost) == f"up to {2 + 5 * (20_000 + 3):,} images through the network per image"


def test_a_small_grid_has_few_regions():
    classifier = TorchClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), Preprocessing.square(2, (0.5,) * 3, (0.5,) * 3)
    )
    recipe = Recipe(attribution=Gradient(), target=Class(0), stop=MaxRounds(1), trust=None)
    for selector, regions in (
        (SmoothedThreshold(split=True, max_regions=100), 4),
        (SmoothedThreshold(split=True, min_area_share=0.5), 2),
        (SmoothedThreshold(split=False), 1),
    ):
        changed = Recipe(**{**vars(recipe), "selector": selector})
        assert changed.cost(classifier).forward == 2 + 1 + regions + 2
    assert np.isfinite(recipe.cost(classifier).forward)
