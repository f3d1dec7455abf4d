"""The same question to a network whose last layers have forgotten what they learnt (Adebayo et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from unveil.attribution import Attribution, Gradient, Question, SmoothGrad
from unveil.classifiers import TorchClassifier
from unveil.measures import rank_correlation, revealed
from unveil.noise import generator
from unveil.records import Region, Round
from unveil.regions import Select
from unveil.saliency import Magnitude
from unveil.targets import Scalar
from unveil.trust.asking import Asker

LAST = 3  # weights that are drawn anew, counted from the output

FloatMap = Float[np.ndarray, "*grid"]


@dataclass(frozen=True)
class Lens:
    """How a run looks for evidence: the part of its recipe that makes a map."""

    attribution: Attribution
    magnitude: Magnitude
    select: Select


@dataclass(frozen=True)
class Survival:
    """`survives`: share of a region among the strongest pixels of the other network's map, as many as the round's
    regions have; `likeness`: rank correlation of the two maps outside of what was erased. None if not asked."""

    survives: float | None
    likeness: float | None


class Forgetful:
    """Maps of a copy of the classifier with `LAST` weights drawn anew; the classifier itself stays as it is."""

    def __init__(self, asker: Asker, lens: Lens, samples: int) -> None:
        """For gradients and SmoothGrad over them, with at most `samples`; other methods may be slow, or made for these
        weights, and aren't asked."""
        self._asker, self._lens = asker, lens
        self._method = quick(lens.attribution, samples)
        self._classifier: TorchClassifier | None = None
        if self._method is not None and isinstance(asker.classifier, TorchClassifier):
            self._classifier = randomised(asker.classifier, asker.key)

    def maps(self, one: Round, scalars: Sequence[Scalar]) -> dict[str, FloatMap]:
        """The smoothed map of each target, in the state in which the round began; nothing if not asked."""
        if self._method is None or self._classifier is None:
            return {}
        pixels = self._asker.erase(self._asker.view(one.erased.inside()))
        key = f"{self._asker.key}/randomised {one.index}"
        question = Question(self._classifier, pixels, scalars, key, self._asker.batch_size)
        result = self._method.attribute(question)
        self._asker.passes += result.all.count
        maps = self._lens.magnitude.saliency(result.all)
        return {scalar.name: self._lens.select.smooth(one) for scalar, one in zip(scalars, maps, strict=True)}

    def survival(self, region: Region, one: Round, maps: dict[str, FloatMap]) -> Survival:
        """What the other network's map says of a region of this round."""
        if region.target not in maps:
            return Survival(None, None)
        erased, other = one.erased.inside(), maps[region.target]
        mine = next(item.saliency for item in one.maps if item.target == region.target)
        area = sum(found.grid_outline.area_px for found in one.regions if found.target == region.target)
        strongest = np.where(erased, -1.0, other)
        return Survival(
            1 - revealed(region.grid_outline.inside(), strongest, area),
            rank_correlation(self._lens.select.smooth(mine)[~erased], other[~erased]),
        )


def quick(attribution: Attribution, samples: int) -> Attribution | None:
    """The same method with few samples; None for methods that aren't gradients, and for 0 samples."""
    if samples and isinstance(attribution, Gradient):
        return attribution
    if samples and isinstance(attribution, SmoothGrad) and isinstance(attribution.method, Gradient):
        own = attribution.samples
        return replace(attribution, samples=min(samples, own) if isinstance(own, int) else samples, antithetic=False)
    return None


def randomised(classifier: TorchClassifier, key: str) -> TorchClassifier:
    """A copy with its last `LAST` weight arrays, in the order of the module, drawn anew: normal, with each array's own
    mean and standard deviation, so that logits keep their size. Biases and batch norms stay."""
    module = classifier.copy_of_module()
    weights = [weight for weight in module.parameters() if weight.ndim >= 2 and weight.is_floating_point()]
    for number, weight in enumerate(weights[-LAST:]):
        _draw_anew(weight, generator(f"{key}/randomised", number))
    return classifier.with_network(module, f"{classifier.name}, randomised")


def _draw_anew(weight: nn.Parameter, rng: torch.Generator) -> None:
    with torch.no_grad():
        unit = torch.randn(weight.shape, generator=rng).to(weight)
        weight.copy_(unit * weight.std() + weight.mean())
