"""Randomization of weights (Adebayo et al. 2018): a map that stays the same doesn't depend on what was learned."""

import difflib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.adapters.score_module import require_torch_classifier, seed_global_generators
from unveil.bootstrap import Estimate
from unveil.classifiers import Classifier, TorchClassifier
from unveil.errors import AttributionError
from unveil.evaluation.metrics.labels import LabelMeasurement, LabelTable, estimate_means
from unveil.evaluation.metrics.probe import Explain
from unveil.evaluation.metrics.similarity import ssim
from unveil.measures import rank_correlation

METHOD = "the randomization of weights"


@dataclass(frozen=True)
class RandomizedSimilarity(LabelMeasurement):
    """Similarity of the maps of one image before and after randomization.

    `label` is the layer that was randomized (last), `group` the unit that intervals draw. `rank` is Spearman's ρ of the
    two maps, `ssim` their structural similarity; None where a map is constant or zero.
    """

    rank: float | None
    ssim: float | None


class SimilarityMeans(NamedTuple):
    """Means over images: Spearman's ρ and the structural similarity."""

    rank: Estimate
    ssim: Estimate


def layers_of(classifier: Classifier) -> tuple[str, ...]:
    """Names of the layers with weights of their own, from the output to the input.

    The order is the reverse of that in which a forward pass completes the layers. A layer whose weights are used
    without calling it has the position of the module that contains it. Raises `AttributionError` for a classifier
    without a PyTorch module.
    """
    classifier = require_torch_classifier(classifier, METHOD)
    module = classifier.copy_of_module()
    positions, counter = {}, count()
    for name, part in module.named_modules():
        part.register_forward_hook(lambda *_, name=name: positions.update({name: next(counter)}))
    blank = torch.zeros(1, classifier.preprocessing.channels, *classifier.preprocessing.crop, device=classifier.device)
    with torch.no_grad():
        module(classifier.normalized(blank))

    def position_of(name: str) -> int:
        while name not in positions:
            name = name.rpartition(".")[0]
        return positions[name]

    return tuple(sorted(_layers_with_weights(module), key=position_of, reverse=True))


def randomize_layers(classifier: Classifier, layers: Sequence[str], seed: int = 0) -> TorchClassifier:
    """A copy of the classifier in which these layers, with all layers inside them, have random weights.

    A layer is initialized by its own `reset_parameters` (which also resets the statistics of a batch norm). Weights of
    a layer without this method become normal noise of the same root mean square. The noise of a layer depends only on
    the seed and its name. Raises `AttributionError` for a classifier without a module and for unknown names of layers.
    """
    classifier = require_torch_classifier(classifier, METHOD)
    module = classifier.copy_of_module()
    available = _layers_with_weights(module)
    for layer in layers:
        chosen = {name: part for name, part in available.items() if layer in ("", name) or name.startswith(f"{layer}.")}
        if not chosen:
            near = difflib.get_close_matches(layer, available, n=3, cutoff=0.5) or list(available)[:3]
            raise AttributionError("the name of a layer with weights", repr(layer), f"names are like {', '.join(near)}")
        for name, part in chosen.items():
            with seed_global_generators(f"{seed}/{name}", classifier.device), torch.no_grad():
                _randomize(part)
    return classifier.with_network(module, f"{classifier.name}, randomized")


def randomize_cascading(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[RandomizedSimilarity, ...]:
    """Similarity to the original map after each step, with layers randomized one after another from the output down.

    `layers` are names in that order; a name includes all layers inside it (a whole stage, `layer4`). None takes every
    layer, one by one. The classifier itself isn't changed.
    """
    return _compare_steps(explain, classifier, pixels, group, layers, seed, cascading=True)


def randomize_independently(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[RandomizedSimilarity, ...]:
    """As `randomize_cascading`, but with one layer randomized at a time and all others as trained."""
    return _compare_steps(explain, classifier, pixels, group, layers, seed, cascading=False)


def summarize_randomization(similarities: Sequence[RandomizedSimilarity], seed: int = 0) -> LabelTable[SimilarityMeans]:
    """Mean `rank` and `ssim` over the images for every layer, and the mean over the layers, with intervals."""
    return estimate_means(similarities, [(item.rank, item.ssim) for item in similarities], SimilarityMeans, seed)


def _compare_steps(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None,
    seed: int,
    *,
    cascading: bool,
) -> tuple[RandomizedSimilarity, ...]:
    """Compare the map after each step with the original; a cascade also randomizes the layers of all earlier steps."""
    names = layers_of(classifier) if layers is None else tuple(layers)
    before = explain(classifier, pixels)
    similarities = []
    for step, name in enumerate(names):
        randomized = randomize_layers(classifier, names[: step + 1] if cascading else [name], seed)
        after = explain(randomized, pixels)
        similarities.append(RandomizedSimilarity(name, group, rank_correlation(before, after), ssim(before, after)))
    return tuple(similarities)


def _layers_with_weights(module: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))}


def _randomize(part: nn.Module) -> None:
    if callable(reset := getattr(part, "reset_parameters", None)):
        reset()
        return
    for weight in part.parameters(recurse=False):
        if weight.is_floating_point():
            weight.copy_(torch.randn(weight.shape, device=weight.device) * weight.square().mean().sqrt())
