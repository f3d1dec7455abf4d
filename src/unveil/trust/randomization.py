"""The parameter randomization test (Adebayo et al. 2018): the same map from a network with randomized last layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from unveil.attribution import AttributionRequest
from unveil.classifiers import TorchClassifier
from unveil.masked import MaskedClassifier
from unveil.measures import rank_correlation, revealed
from unveil.recipes import Recipe, TrustSettings
from unveil.records import Region, Round
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

LAST_WEIGHTS = 3  # weight arrays that are drawn anew, counted from the output

FloatMap = Float[np.ndarray, "*grid"]


@dataclass(frozen=True)
class RandomizationResult:
    """How similar the map of the randomized network is; both None for classifiers and methods that aren't tested.

    `overlap`: share of the region among the strongest pixels of that map, as many as the round's regions have.
    `rank_correlation`: Spearman's correlation of the two maps, outside of what was erased.
    """

    overlap: float | None
    rank_correlation: float | None


class ParameterRandomization:
    """Maps of a copy of the classifier whose last `LAST_WEIGHTS` weight arrays are drawn anew.

    `TrustSettings.randomized_method` says which methods are tested. The classifier itself isn't changed.
    """

    def __init__(self, masked: MaskedClassifier, recipe: Recipe, settings: TrustSettings) -> None:
        """Copy the classifier, if its maps are tested."""
        self._masked, self._recipe = masked, recipe
        self._method = settings.randomized_method(recipe.attribution)
        self._randomized: TorchClassifier | None = None
        if self._method is not None and isinstance(masked.classifier, TorchClassifier):
            self._randomized = randomize_last_layers(masked.classifier, masked.stream)

    def maps(self, round_: Round, scores: Sequence[TargetScore]) -> dict[TargetScore, FloatMap]:
        """The smoothed map of each target, in the state in which the round began; empty if nothing is tested."""
        if self._method is None or self._randomized is None:
            return {}
        pixels = self._masked.render(self._masked.view(round_.erased.to_array()))
        # The name of the noise is older than the spelling: it decides which numbers are drawn.
        stream = f"{self._masked.stream}/randomised {round_.index}"
        request = AttributionRequest(self._randomized, pixels, scores, stream, self._masked.batch_size)
        moments = self._method.attribute(request).all
        self._masked.count(moments.count)
        maps = self._recipe.magnitude.saliency(moments)
        return {score: self._recipe.selector.smooth(saliency) for score, saliency in zip(scores, maps, strict=True)}

    def result(self, region: Region, round_: Round, maps: Mapping[TargetScore, FloatMap]) -> RandomizationResult:
        """How similar the randomized network's map is to the map that the region was found in."""
        if region.target_score not in maps:
            return RandomizationResult(None, None)
        erased, randomized_map = round_.erased.to_array(), maps[region.target_score]
        saliency = next(item.saliency for item in round_.maps if item.target_score == region.target_score)
        same_target = [other for other in round_.regions if other.target_score == region.target_score]
        area = sum(other.model_mask.area_px for other in same_target)
        return RandomizationResult(
            1 - revealed(region.model_mask.to_array(), np.where(erased, -1.0, randomized_map), area),
            rank_correlation(self._recipe.selector.smooth(saliency)[~erased], randomized_map[~erased]),
        )


def randomize_last_layers(classifier: TorchClassifier, stream: str) -> TorchClassifier:
    """A copy whose last `LAST_WEIGHTS` weight arrays, in the module's order, are drawn anew.

    New weights are normal with each array's own mean and standard deviation, so that logits keep their size. Biases and
    batch norms stay.
    """
    module = classifier.copy_of_module()
    weights = [weight for weight in module.parameters() if weight.ndim >= 2 and weight.is_floating_point()]
    for number, weight in enumerate(weights[-LAST_WEIGHTS:]):
        _draw_anew(weight, seeded_generator(f"{stream}/randomised", number))
    return classifier.with_network(module, f"{classifier.name}, randomized")


def _draw_anew(weight: nn.Parameter, rng: torch.Generator) -> None:
    with torch.no_grad():
        unit = torch.randn(weight.shape, generator=rng).to(weight)
        weight.copy_(unit * weight.std() + weight.mean())
