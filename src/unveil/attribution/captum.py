"""The one door to Captum: any of its attribution methods as a recipe's attribution."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.base import Attribution, AttributionResult, Moments, Question
from unveil.attribution.gradient import score_of
from unveil.classifiers import TorchClassifier
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.targets import Scalar

# Hung on modules, these miss rectifiers that are functions, without a warning: docs/conformance.md.
OURS_INSTEAD = {
    "GuidedBackprop": "GuidedBackprop()",
    "Deconvolution": "Deconvnet()",
    "GuidedGradCam": "GuidedBackprop()",
}


@dataclass(frozen=True)
class Captum(Attribution):
    """A method of `captum.attr` by its name, with its own defaults: `Captum("IntegratedGradients")`.

    `layer`: for methods that look at one layer (`LayerGradCam`), its name in the model; their map is enlarged linearly
    to the grid. Pixels in [0, 1] are what is attributed to; a baseline, where there is one, is Captum's own default, 0
    (black). The method works on a copy of the model. Needs `unveil[captum]`.
    """

    method: str
    layer: str = ""

    def __post_init__(self) -> None:
        if self.method in OURS_INSTEAD:
            raise RecipeError(
                "a method of Captum that is right on every model", self.method, f"use {OURS_INSTEAD[self.method]}"
            )

    def attribute(self, question: Question) -> AttributionResult:
        """One map a scalar, signed, without noise of ours. Raises `AttributionError` for what Captum can't do."""
        classifier = question.classifier
        if not isinstance(classifier, TorchClassifier):
            raise AttributionError("a PyTorch model for Captum", classifier.name, "use Rise() or Occlusion()")
        make = self._method()
        maps, model = [], classifier.copy_of_module()
        for number, scalar in enumerate(question.scalars, start=1):
            asked = _Asked(model, classifier, scalar)
            pixels = question.pixels[None].clone().requires_grad_()
            try:
                with torch.enable_grad(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    arguments = (asked, asked.find(self.layer)) if self.layer else (asked,)
                    found = make(*arguments).attribute(pixels, target=0)
            except AttributionError:
                raise
            except Exception as error:
                said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                do = "try another method, or name a layer" if not self.layer else "try another method or layer"
                raise AttributionError(f"Captum's {self.method} to work on {classifier.name}", said, do) from error
            maps.append(_on_grid(found.detach(), tuple(question.pixels.shape[1:])))
            question.on_sample(number, len(question.scalars))
        total = torch.stack(maps).double().cpu()
        return AttributionResult(Moments(1, total, total.square()), None)

    def _method(self) -> Callable:
        attr = _captum()
        make = getattr(attr, self.method, None)
        if not isinstance(make, type) or not issubclass(make, attr.Attribution):
            raise RecipeError(
                "a method of captum.attr", self.method, "IntegratedGradients, DeepLift, LayerGradCam … are some"
            )
        return make


class _Asked(nn.Module):
    """The classifier as Captum wants it: a module from pixels to one score an image."""

    def __init__(self, model: nn.Module, classifier: TorchClassifier, scalar: Scalar) -> None:
        super().__init__()
        self.model = model
        self._normalised, self._scalar = classifier.normalised, scalar

    def forward(self, pixels: Tensor) -> Tensor:
        return score_of(self._scalar, self.model(self._normalised(pixels)))[:, None]

    def find(self, layer: str) -> nn.Module:
        """A layer by its name in the model."""
        layers = dict(self.model.named_modules())
        if layer not in layers:
            few = ", ".join(list(layers)[1:4])
            raise AttributionError("the name of a layer of the model", repr(layer), f"names are like {few}")
        return layers[layer]


def _on_grid(found: Float[Tensor, "one c *any"], grid: tuple[int, ...]) -> Float[Tensor, "c *grid"]:
    if tuple(found.shape[2:]) == grid:
        return found[0]
    if found.ndim != len(grid) + 2:
        raise AttributionError(
            "an attribution with a place for every value", f"shape {tuple(found.shape)}", "name a convolution"
        )
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)]
    return torch.nn.functional.interpolate(found.float(), grid, mode=mode, align_corners=False)[0]


def _captum() -> ModuleType:
    try:
        import captum.attr  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("Captum", "captum", "its attribution methods") from error
    return captum.attr
