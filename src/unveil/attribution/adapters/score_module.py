"""Shared code of the adapters: a classifier as a module with one output, and maps resized to the grid."""

import difflib
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.base import AttributionRequest, AttributionResult, Moments
from unveil.attribution.gradient import score_of
from unveil.classifiers import Classifier, Preprocessing, TorchClassifier
from unveil.classifiers.engine.guard import as_leaf, recording
from unveil.errors import AttributionError, RecipeError, UnveilError, first_line
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore


class Normalize(nn.Module):
    """A layer that computes (x − mean) / std of a classifier's preprocessing.

    `preprocessing` has the mean and standard deviation per channel; outputs have the given `dtype`.

    >>> layer = Normalize(Preprocessing.square(2, (0.5,), (0.25,)), torch.float32)
    >>> layer(torch.ones(1, 1, 2, 2)).flatten().tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    def __init__(self, preprocessing: Preprocessing, dtype: torch.dtype) -> None:
        super().__init__()
        self._preprocessing, self.dtype = preprocessing, dtype

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """Normalize pixels in [0, 1] to inputs of the model, in the precision of its weights."""
        return self._preprocessing.normalize(pixels.to(self.dtype))


class PixelNetwork(nn.Module):
    """A classifier as one module that maps pixels in [0, 1] to logits."""

    def __init__(self, classifier: TorchClassifier, model: nn.Module) -> None:
        super().__init__()
        blank = torch.zeros(
            1, classifier.preprocessing.channels, *classifier.preprocessing.crop, device=classifier.device
        )
        self.normalize = Normalize(classifier.preprocessing, classifier.normalized(blank).dtype)
        self.model = model
        self._read = classifier.read_logits

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Compute the logits."""
        return self._read(self.model, self.normalize(pixels))


class ScoreModule(nn.Module):
    """A classifier reduced to one target score, the form that other libraries take.

    It maps pixels (n, c, *grid) in [0, 1] to one score per image, shape (n, 1), so the target of a library's method is
    always output 0.
    """

    def __init__(self, network: PixelNetwork, target_score: TargetScore) -> None:
        super().__init__()
        self.network = network
        self._target_score = target_score

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n 1"]:
        """Compute the target score: a logit or a weighted sum of logits."""
        return score_of(self._target_score, self.network(pixels))[:, None]

    @property
    def model(self) -> nn.Module:
        """A copy of the classifier's own module."""
        return self.network.model

    def find(self, layer: str) -> nn.Module:
        """Return a layer by its name in the model. Raises `AttributionError` for a name that the model doesn't have."""
        layers = dict(self.model.named_modules())
        if not layer or layer not in layers:
            near = difflib.get_close_matches(layer, layers, n=3, cutoff=0.7) or list(layers)[1:4]
            raise AttributionError("the name of a layer of the model", repr(layer), f"names are like {', '.join(near)}")
        return layers[layer]


def attribute_each_score(
    request: AttributionRequest,
    library: str,
    method: str,
    advice: str,
    compute_map: Callable[[ScoreModule, Tensor], Tensor],
) -> AttributionResult:
    """Compute one signed map per target score by `compute_map(score_module, pixels)`, on a copy of the model.

    `pixels` has shape (1, c, *grid) and requires gradients. `method` names the method in messages. Raises
    `AttributionError` for a classifier without a module and for any error of `compute_map`, with `advice` on what to
    do.
    """
    classifier = require_torch_classifier(request.classifier, library)
    network, maps = PixelNetwork(classifier, classifier.copy_of_module()), []
    for number, target_score in enumerate(request.target_scores, start=1):
        with (
            translate_library_errors(method, classifier, advice),
            seed_global_generators(request.stream, classifier.device),
            recording(),
        ):
            pixels = as_leaf(request.pixels[None].clone())
            attribution = compute_map(ScoreModule(network, target_score), pixels)
        maps.append(resize_to_grid(attribution.detach(), tuple(request.pixels.shape[1:])))
        request.on_sample(number, len(request.target_scores))
    total = torch.stack(maps).double().cpu()
    return AttributionResult(Moments(1, total, total.square()), None)


def require_torch_classifier(classifier: Classifier, library: str) -> TorchClassifier:
    """Return the classifier if it is made of a PyTorch module, else raise `AttributionError`."""
    if not isinstance(classifier, TorchClassifier):
        raise AttributionError(f"a PyTorch model for {library}", classifier.name, "use Rise() or Occlusion()")
    return classifier


@contextmanager
def translate_library_errors(method: str, classifier: Classifier, advice: str) -> Iterator[None]:
    """Turn any error of a library into one `AttributionError`; silence its warnings, which address direct callers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnveilError:
        raise
    except Exception as error:
        raise AttributionError(f"{method} to work on {classifier.name}", first_line(error), advice) from error


@contextmanager
def seed_global_generators(stream: str, device: torch.device) -> Iterator[None]:
    """Seed the global random generators of torch, numpy and Python by a noise stream; restore their states afterwards.

    Methods of other libraries draw from these generators, so their noise is as reproducible as that of our own methods.
    """
    seed = seeded_generator(f"{stream}/library", 0).initial_seed()
    states = np.random.get_state(), random.getstate()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(states[0])
            random.setstate(states[1])


def resize_to_grid(attribution: Float[Tensor, "one c *any"], grid: tuple[int, ...]) -> Float[Tensor, "c *grid"]:
    """Enlarge the map of a layer linearly to the grid.

    Raises `AttributionError` for a map with another number of spatial axes.
    """
    if tuple(attribution.shape[2:]) == grid:
        return attribution[0]
    if attribution.ndim != len(grid) + 2:
        expected = f"an attribution with {len(grid)} spatial axes"
        raise AttributionError(expected, f"shape {tuple(attribution.shape)}", "name a convolution")
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)]
    return torch.nn.functional.interpolate(attribution.float(), grid, mode=mode, align_corners=False)[0]


def unknown_name_error(what: str, name: str, known: Iterable[str]) -> RecipeError:
    """Make the error for a name that a library doesn't have, with the nearest names that it has."""
    folded = {_fold(known_name): known_name for known_name in sorted(known)}
    near = [folded[match] for match in difflib.get_close_matches(_fold(name), folded, n=3, cutoff=0.5)]
    advice = f"did you mean {' or '.join(near)}?" if near else f"some are {', '.join(list(folded.values())[:6])}"
    return RecipeError(what, repr(name), advice)


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
