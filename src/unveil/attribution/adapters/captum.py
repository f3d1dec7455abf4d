"""The one door to Captum: any of its attribution methods as a recipe's attribution."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from unveil.attribution.adapters.score_module import ScoreModule, answer, unknown
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import MissingLibraryError, RecipeError

# Hung on modules, these miss rectifiers and additions that are functions, without a warning: docs/conformance.md.
OURS_INSTEAD = {
    "GuidedBackprop": "GuidedBackprop()",
    "Deconvolution": "Deconvnet()",
    "GuidedGradCam": "GuidedBackprop()",
    "LRP": 'Zennit("EpsilonPlus")',
    "LayerLRP": 'Zennit("EpsilonPlus")',
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

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """One map a scalar, signed, without noise of ours. Raises `AttributionError` for what Captum can't do."""
        method = self.look_up()
        do = "try another method or layer" if self.layer else "try another method, or name a layer"

        def explain(asked: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> Tensor:
            arguments = (asked, asked.find(self.layer)) if self.layer else (asked,)
            return method(*arguments).attribute(pixels, target=0)

        return answer(request, "Captum", f"Captum's {self.method}", do, explain)

    def look_up(self) -> Any:
        """The method's class. Raises `RecipeError` for a name that Captum doesn't have."""
        known = _methods()
        if self.method not in known:
            raise unknown("a method of captum.attr", self.method, known)
        return known[self.method]


def _methods() -> dict[str, type]:
    try:
        import captum.attr as library  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("Captum", "captum", "its attribution methods") from error
    methods = {name: kind for name, kind in vars(library).items() if isinstance(kind, type)}
    return {name: kind for name, kind in methods.items() if issubclass(kind, library.Attribution)}
