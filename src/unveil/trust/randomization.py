"""The same question to a network whose last layers have forgotten what they learnt (Adebayo et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from unveil.attribution import Attribution, AttributionRequest, Gradient, SmoothGrad
from unveil.classifiers import TorchClassifier
from unveil.masked import MaskedClassifier
from unveil.measures import rank_correlation, revealed
from unveil.records.run import Region, Round
from unveil.regions import Selector
from unveil.saliency import Magnitude
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

LAST = 3  # weights that are drawn anew, counted from the output

FloatMap = Float[np.ndarray, "*grid"]


@dataclass(frozen=True)
class Lens:
    """How a run looks for evidence: the part of its recipe that makes a map."""

    attribution: Attribution
    magnitude: Magnitude
    selector: Selector


@dataclass(frozen=True)
class RandomizationResult:
    """`randomized_overlap`: share of a region among the strongest pixels of the other network's map, as many as the round's
    regions have; `randomized_rank_correlation`: rank correlation of the two maps outside of what was erased. None if not asked."""

    randomized_overlap: float | None
    randomized_rank_correlation: float | None


class ParameterRandomization:
    """Maps of a copy of the classifier with `LAST` weights drawn anew; the classifier itself stays as it is."""

    def __init__(self, masked: MaskedClassifier, lens: Lens, samples: int) -> None:
        """For gradients and SmoothGrad over them, with at most `samples`; other methods may be slow, or made for these
        weights, and aren't asked."""
        self._asker, self._lens = masked, lens
        self._method = with_few_samples(lens.attribution, samples)
        self._classifier: TorchClassifier | None = None
        if self._method is not None and isinstance(masked.classifier, TorchClassifier):
            self._classifier = randomize_last_layers(masked.classifier, masked.stream)

    def maps(self, one: Round, target_scores: Sequence[TargetScore]) -> dict[str, FloatMap]:
        """The smoothed map of each target, in the state in which the round began; nothing if not asked."""
        if self._method is None or self._classifier is None:
            return {}
        pixels = self._asker.erase(self._asker.view(one.erased.to_array()))
        stream = f"{self._asker.stream}/randomised {one.index}"
        question = AttributionRequest(self._classifier, pixels, target_scores, stream, self._asker.batch_size)
        result = self._method.attribute(question)
        self._asker.passes += result.all.count
        maps = self._lens.magnitude.saliency(result.all)
        return {
            target_score.name: self._lens.selector.smooth(one)
            for target_score, one in zip(target_scores, maps, strict=True)
        }

    def survival(self, region: Region, one: Round, maps: dict[str, FloatMap]) -> RandomizationResult:
        """What the other network's map says of a region of this round."""
        if region.target not in maps:
            return RandomizationResult(None, None)
        erased, other = one.erased.to_array(), maps[region.target]
        mine = next(item.saliency for item in one.maps if item.target == region.target)
        area = sum(found.model_mask.area_px for found in one.regions if found.target == region.target)
        strongest = np.where(erased, -1.0, other)
        return RandomizationResult(
            1 - revealed(region.model_mask.to_array(), strongest, area),
            rank_correlation(self._lens.selector.smooth(mine)[~erased], other[~erased]),
        )


def with_few_samples(attribution: Attribution, samples: int) -> Attribution | None:
    """The same method with few samples; None for methods that aren't gradients, and for 0 samples."""
    if samples and isinstance(attribution, Gradient):
        return attribution
    if samples and isinstance(attribution, SmoothGrad) and isinstance(attribution.method, Gradient):
        own = attribution.samples
        return replace(attribution, samples=min(samples, own) if isinstance(own, int) else samples, antithetic=False)
    return None


def randomize_last_layers(classifier: TorchClassifier, stream: str) -> TorchClassifier:
    """A copy with its last `LAST` weight arrays, in the order of the module, drawn anew: normal, with each array's own
    mean and standard deviation, so that logits keep their size. Biases and batch norms stay."""
    module = classifier.copy_of_module()
    weights = [weight for weight in module.parameters() if weight.ndim >= 2 and weight.is_floating_point()]
    for number, weight in enumerate(weights[-LAST:]):
        _draw_anew(weight, seeded_generator(f"{stream}/randomised", number))
    return classifier.with_network(module, f"{classifier.name}, randomized")


def _draw_anew(weight: nn.Parameter, rng: torch.Generator) -> None:
    with torch.no_grad():
        unit = torch.randn(weight.shape, generator=rng).to(weight)
        weight.copy_(unit * weight.std() + weight.mean())
