"""What methods of other libraries have in common: the model as they want it, and their maps on the grid."""

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
from unveil.errors import AttributionError, RecipeError, UnveilError
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore


class Normalize(nn.Module):
    """(x − mean) / std of a classifier's preparation, as a layer."""

    def __init__(self, preprocessing: Preprocessing, dtype: torch.dtype) -> None:
        super().__init__()
        self._preparation, self.dtype = preprocessing, dtype

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """Pixels in [0, 1] to what the model is given, in the precision of its weights."""
        return self._preparation.normalize(pixels.to(self.dtype))


class PixelNetwork(nn.Module):
    """A classifier as one module, from pixels in [0, 1] to logits."""

    def __init__(self, classifier: TorchClassifier, model: nn.Module) -> None:
        super().__init__()
        blank = torch.zeros(
            1, classifier.preprocessing.channels, *classifier.preprocessing.crop, device=classifier.device
        )
        self.normalize = Normalize(classifier.preprocessing, classifier.normalized(blank).dtype)
        self.model = model

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n k"]:
        """Logits."""
        return self.model(self.normalize(pixels))


class ScoreModule(nn.Module):
    """A classifier that answers one request, as other libraries want it: pixels (n c *grid) in [0, 1] to one score
    (n, 1) an image, so that their target is always 0."""

    def __init__(self, network: PixelNetwork, target_score: TargetScore) -> None:
        super().__init__()
        self.network = network
        self._scalar = target_score

    def forward(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n 1"]:
        """The target's value, a logit or a weighted sum of logits."""
        return score_of(self._scalar, self.network(pixels))[:, None]

    @property
    def model(self) -> nn.Module:
        """The classifier's own module, a copy."""
        return self.network.model

    def find(self, layer: str) -> nn.Module:
        """A layer by its name in the model. Raises `AttributionError` for a name that it doesn't have."""
        layers = dict(self.model.named_modules())
        if not layer or layer not in layers:
            near = difflib.get_close_matches(layer, layers, n=3, cutoff=0.7) or list(layers)[1:4]
            raise AttributionError("the name of a layer of the model", repr(layer), f"names are like {', '.join(near)}")
        return layers[layer]


def answer(
    request: AttributionRequest, library: str, method: str, do: str, explain: Callable[[ScoreModule, Tensor], Tensor]
) -> AttributionResult:
    """One signed map a scalar by `explain(asked, pixels)`, pixels (1 c *grid) with gradients, on a copy of the model.

    Raises `AttributionError` for a classifier without a module, and for whatever `explain` raises, `do` being the
    advice.
    """
    classifier = with_module(request.classifier, library)
    network, maps = PixelNetwork(classifier, classifier.copy_of_module()), []
    for number, target_score in enumerate(request.target_scores, start=1):
        pixels = request.pixels[None].clone().requires_grad_()
        with foreign(method, classifier, do), seeded(request.stream, classifier.device), torch.enable_grad():
            found = explain(ScoreModule(network, target_score), pixels)
        maps.append(on_grid(found.detach(), tuple(request.pixels.shape[1:])))
        request.on_sample(number, len(request.target_scores))
    total = torch.stack(maps).double().cpu()
    return AttributionResult(Moments(1, total, total.square()), None)


def with_module(classifier: Classifier, library: str) -> TorchClassifier:
    """The classifier, if it is made of a PyTorch module; else an `AttributionError`."""
    if not isinstance(classifier, TorchClassifier):
        raise AttributionError(f"a PyTorch model for {library}", classifier.name, "use Rise() or Occlusion()")
    return classifier


@contextmanager
def foreign(method: str, classifier: Classifier, do: str) -> Iterator[None]:
    """What a library raises becomes one `AttributionError`. Its warnings are advice to those who call it directly."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnveilError:
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise AttributionError(f"{method} to work on {classifier.name}", said, do) from error


@contextmanager
def seeded(stream: str, device: torch.device) -> Iterator[None]:
    """The global random numbers of torch, numpy and Python by the request's key, as the noise of our own methods.

    Libraries draw from them. Afterwards they go on as if nothing had been drawn.
    """
    seed = seeded_generator(f"{stream}/library", 0).initial_seed()
    kept = np.random.get_state(), random.getstate()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(kept[0])
            random.setstate(kept[1])


def on_grid(found: Float[Tensor, "one c *any"], grid: tuple[int, ...]) -> Float[Tensor, "c *grid"]:
    """A map of a layer enlarged linearly to the grid. Raises `AttributionError` for one without a place for every
    value."""
    if tuple(found.shape[2:]) == grid:
        return found[0]
    if found.ndim != len(grid) + 2:
        raise AttributionError(
            "an attribution with a place for every value", f"shape {tuple(found.shape)}", "name a convolution"
        )
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)]
    return torch.nn.functional.interpolate(found.float(), grid, mode=mode, align_corners=False)[0]


def unknown(what: str, name: str, known: Iterable[str]) -> RecipeError:
    """The error for a name that a library doesn't have, with the nearest that it has."""
    folded = {_fold(one): one for one in sorted(known)}
    near = [folded[one] for one in difflib.get_close_matches(_fold(name), folded, n=3, cutoff=0.5)]
    do = f"did you mean {' or '.join(near)}?" if near else f"some are {', '.join(list(folded.values())[:6])}"
    return RecipeError(what, repr(name), do)


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
