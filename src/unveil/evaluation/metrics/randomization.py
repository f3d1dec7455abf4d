"""Randomization of weights (Adebayo et al. 2018): a map that stays the same when the weights are randomized doesn't
depend on what the network learned."""

import difflib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.adapters.score_module import seed_global_generators, require_torch_classifier
from unveil.classifiers import Classifier, TorchClassifier
from unveil.errors import AttributionError
from unveil.evaluation.bootstrap import Estimate
from unveil.evaluation.metrics.labels import LabelMeasurement, LabelTable, estimate_means
from unveil.evaluation.metrics.probe import Explain
from unveil.evaluation.metrics.similarity import ssim
from unveil.measures import rank_correlation

WHAT = "the randomization of weights"


@dataclass(frozen=True)
class RandomizedSimilarity(LabelMeasurement):
    """Similarity of the maps of one image before and after randomization; `label` is the layer that was randomized
    (last).

    `rank` is Spearman's ρ of the saliencies, `ssim` their structural similarity; None where a map is constant or zero.
    """

    rank: float | None
    ssim: float | None


class SimilarityMeans(NamedTuple):
    """Means over images: Spearman's ρ and the structural similarity."""

    rank: Estimate
    ssim: Estimate


def layers_of(classifier: Classifier) -> tuple[str, ...]:
    """Names of the layers with weights of their own, from the output to the input.

    The order is the reverse of that in which a forward pass finishes the layers. A layer whose weights are used without
    calling it is placed where the module that contains it finishes. Raises `AttributionError` for a classifier without
    a PyTorch module.
    """
    classifier = require_torch_classifier(classifier, WHAT)
    module = classifier.copy_of_module()
    finished_at, turn = {}, count()
    for name, part in module.named_modules():
        part.register_forward_hook(lambda *_, name=name: finished_at.update({name: next(turn)}))
    blank = torch.zeros(1, classifier.preprocessing.channels, *classifier.preprocessing.crop, device=classifier.device)
    with torch.no_grad():
        module(classifier.normalized(blank))

    def turn_of(name: str) -> int:
        while name not in finished_at:
            name = name.rpartition(".")[0]
        return finished_at[name]

    return tuple(sorted(_with_weights(module), key=turn_of, reverse=True))


def randomize_layers(classifier: Classifier, layers: Sequence[str], seed: int = 0) -> TorchClassifier:
    """A copy of the classifier in which these layers, with all layers inside them, have random weights.

    A layer is initialized by its own `reset_parameters` (which resets the statistics of a batch norm too). Weights of a
    layer without one become normal noise of the same root mean square. The noise of a layer depends only on the seed
    and its name. Raises `AttributionError` for a classifier without a module and for unknown names of layers.
    """
    classifier = require_torch_classifier(classifier, WHAT)
    module = classifier.copy_of_module()
    own = _with_weights(module)
    for layer in layers:
        chosen = {name: part for name, part in own.items() if layer in ("", name) or name.startswith(f"{layer}.")}
        if not chosen:
            near = difflib.get_close_matches(layer, own, n=3, cutoff=0.5) or list(own)[:3]
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

    `layers` are names in that order; a name stands for all layers inside it (a whole stage, `layer4`). None stands for
    every layer, one by one. The classifier itself isn't changed.
    """
    names = layers_of(classifier) if layers is None else tuple(layers)
    steps = [(name, names[: at + 1]) for at, name in enumerate(names)]
    return tuple(_compare(explain, classifier, pixels, group, steps, seed))


def randomize_independently(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[RandomizedSimilarity, ...]:
    """As `randomize_cascading`, but with one layer randomized at a time and all others as they were trained."""
    names = layers_of(classifier) if layers is None else tuple(layers)
    steps = [(name, (name,)) for name in names]
    return tuple(_compare(explain, classifier, pixels, group, steps, seed))


def summarize_randomization(similarities: Sequence[RandomizedSimilarity], seed: int = 0) -> LabelTable[SimilarityMeans]:
    """Mean `rank` and `ssim` over the images for every layer, and the mean over the layers, with intervals."""
    return estimate_means(similarities, [(item.rank, item.ssim) for item in similarities], SimilarityMeans, seed)


def _compare(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    steps: Sequence[tuple[str, Sequence[str]]],
    seed: int,
) -> Iterator[RandomizedSimilarity]:
    before = explain(classifier, pixels)
    for name, layers in steps:
        after = explain(randomize_layers(classifier, layers, seed), pixels)
        yield RandomizedSimilarity(name, group, rank_correlation(before, after), ssim(before, after))


def _with_weights(module: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))}


def _randomize(part: nn.Module) -> None:
    if callable(reset := getattr(part, "reset_parameters", None)):
        reset()
        return
    for weight in part.parameters(recurse=False):
        if weight.is_floating_point():
            weight.copy_(torch.randn(weight.shape, device=weight.device) * weight.square().mean().sqrt())
