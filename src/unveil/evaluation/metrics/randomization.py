"""Randomization of weights (Adebayo et al. 2018): a map that stays the same when the network forgets what it learned
isn't about the network."""

import difflib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.adapters.score_module import seeded, with_module
from unveil.classifiers import Classifier, TorchClassifier
from unveil.errors import AttributionError
from unveil.evaluation.metrics.labels import Item, means
from unveil.evaluation.metrics.probe import Explain
from unveil.evaluation.metrics.similarity import ssim
from unveil.measures import rank_correlation

WHAT = "the randomization of weights"


@dataclass(frozen=True)
class Randomized(Item):
    """How alike the maps of one image are before and after: `label` is the layer that was randomized (last). `rank` is
    Spearman's ρ of the saliencies, `ssim` their structural similarity; None where a map is constant, or zero."""

    rank: float | None
    ssim: float | None


def layers_of(classifier: Classifier) -> tuple[str, ...]:
    """The layers with weights of their own, by name, from the output to the input.

    In the order in which a forward pass is done with them, backwards; one whose weights are used without it being
    called is as late as what it is part of. Raises `AttributionError` for a classifier without a module.
    """
    classifier = with_module(classifier, WHAT)
    module = classifier.copy_of_module()
    done, turn = {}, count()
    for name, part in module.named_modules():
        part.register_forward_hook(lambda *_, name=name: done.update({name: next(turn)}))
    blank = torch.zeros(1, classifier.preprocessing.channels, *classifier.preprocessing.crop, device=classifier.device)
    with torch.no_grad():
        module(classifier.normalized(blank))

    def finished(name: str) -> int:
        while name not in done:
            name = name.rpartition(".")[0]
        return done[name]

    return tuple(sorted(_with_weights(module), key=finished, reverse=True))


def randomize_layers(classifier: Classifier, layers: Sequence[str], seed: int = 0) -> TorchClassifier:
    """A copy of the classifier in which these layers, with all that is in them, are as if never trained.

    A layer is initialized as its kind does it (`reset_parameters`; a batch norm forgets its statistics too). Weights
    of a kind that doesn't say how become normal noise of the same root mean square. A layer's draw depends on the seed
    and its name alone. Raises `AttributionError` for a classifier without a module and for names that it doesn't have.
    """
    classifier = with_module(classifier, WHAT)
    module = classifier.copy_of_module()
    own = _with_weights(module)
    for layer in layers:
        chosen = {name: part for name, part in own.items() if layer in ("", name) or name.startswith(f"{layer}.")}
        if not chosen:
            near = difflib.get_close_matches(layer, own, n=3, cutoff=0.5) or list(own)[:3]
            raise AttributionError("the name of a layer with weights", repr(layer), f"names are like {', '.join(near)}")
        for name, part in chosen.items():
            with seeded(f"{seed}/{name}", classifier.device), torch.no_grad():
                _forget(part)
    return classifier.with_network(module, f"{classifier.name}, randomized")


def cascading(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Randomized, ...]:
    """Layers randomized one after another, from the output down: the map after each, held against the original's.

    `layers`: names in that order, each standing for all that is in it (a whole stage, `layer4`); None stands for all
    layers one by one. The classifier given is left as it was.
    """
    names = layers_of(classifier) if layers is None else tuple(layers)
    return tuple(
        _compared(explain, classifier, pixels, group, [(one, names[: at + 1]) for at, one in enumerate(names)], seed)
    )


def independent(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Randomized, ...]:
    """The same with one layer randomized at a time, all others as they were trained."""
    names = layers_of(classifier) if layers is None else tuple(layers)
    return tuple(_compared(explain, classifier, pixels, group, [(one, (one,)) for one in names], seed))


def summarize_randomized(found: Sequence[Randomized], seed: int = 0) -> dict:
    """Mean `rank` and `ssim` over the images for every layer, and the mean over the layers, with intervals."""
    return means(found, [(one.rank, one.ssim) for one in found], ("rank", "ssim"), seed)


def _compared(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    group: Hashable,
    steps: Sequence[tuple[str, Sequence[str]]],
    seed: int,
) -> Iterator[Randomized]:
    before = explain(classifier, pixels)
    for name, layers in steps:
        after = explain(randomize_layers(classifier, layers, seed), pixels)
        yield Randomized(name, group, rank_correlation(before, after), ssim(before, after))


def _with_weights(module: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))}


def _forget(part: nn.Module) -> None:
    if callable(reset := getattr(part, "reset_parameters", None)):
        reset()
        return
    for weight in part.parameters(recurse=False):
        if weight.is_floating_point():
            weight.copy_(torch.randn(weight.shape, device=weight.device) * weight.square().mean().sqrt())
