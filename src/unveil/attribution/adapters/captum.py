"""Adapter for Captum: any of its attribution methods as a recipe's attribution. Captum is imported only here."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from unveil.attribution.adapters.score_module import ScoreModule, attribute_each_score, unknown_name_error
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import MissingLibraryError, RecipeError

# These hook modules, so they miss rectifiers and additions that are functions, without a warning: docs/conformance.md.
OURS_INSTEAD = {
    "GuidedBackprop": "GuidedBackprop()",
    "Deconvolution": "Deconvnet()",
    "GuidedGradCam": "GuidedBackprop()",
    "LRP": 'Zennit("EpsilonPlus")',
    "LayerLRP": 'Zennit("EpsilonPlus")',
}


@dataclass(frozen=True)
class Captum(Attribution):
    """A method of `captum.attr` (Kokhlikyan et al. 2020) by its name, with its own defaults.

    The score is attributed to pixels in [0, 1]; a method's baseline is Captum's own default, 0 (black). The method
    works on a copy of the model. Units are those of the method. Needs `unveil[captum]`.

    Attributes:
        method: The name of the class in `captum.attr`.
        layer: For methods that explain one layer (`LayerGradCam`), its name in the model; the map is enlarged linearly
            to the grid. Empty for all other methods.

    Raises `RecipeError` for methods that are wrong on some models, with the correct one to use instead.

    >>> Captum("IntegratedGradients")
    Captum(method='IntegratedGradients', layer='')
    """

    method: str
    layer: str = ""

    def __post_init__(self) -> None:
        if self.method in OURS_INSTEAD:
            raise RecipeError(
                "a method of Captum that is right on every model", self.method, f"use {OURS_INSTEAD[self.method]}"
            )

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute one signed map per target score.

        Raises `AttributionError` for models that the method can't explain.
        """
        method = self.look_up()
        advice = "try another method or layer" if self.layer else "try another method, or name a layer"

        def compute_map(module: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> Tensor:
            arguments = (module, module.find(self.layer)) if self.layer else (module,)
            return method(*arguments).attribute(pixels, target=0)

        return attribute_each_score(request, "Captum", f"Captum's {self.method}", advice, compute_map)

    def look_up(self) -> Any:
        """Return the method's class. Raises `RecipeError` for a name that Captum doesn't have."""
        known = _methods()
        if self.method not in known:
            raise unknown_name_error("a method of captum.attr", self.method, known)
        return known[self.method]


def _methods() -> dict[str, type]:
    try:
        import captum.attr as library  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("Captum", "captum", "its attribution methods") from error
    methods = {name: kind for name, kind in vars(library).items() if isinstance(kind, type)}
    return {name: kind for name, kind in methods.items() if issubclass(kind, library.Attribution)}
