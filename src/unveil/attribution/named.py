"""Attributions by name, for the command line."""

from unveil.attribution.base import Attribution
from unveil.attribution.captum import Captum
from unveil.attribution.gradient import Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.perturbation import Occlusion, Rise
from unveil.attribution.smoothgrad import SmoothGrad
from unveil.errors import RecipeError

NAMED = {kind.__name__: kind for kind in (Gradient, Deconvnet, GuidedBackprop, SmoothGrad, Rise, Occlusion)}


def parse_attribution(text: str) -> Attribution:
    """`Gradient`, `GuidedBackprop`, `SmoothGrad`, … with their defaults, or `captum/METHOD` or `captum/METHOD:LAYER`.

    >>> parse_attribution("captum/LayerGradCam:layer4")
    Captum(method='LayerGradCam', layer='layer4')
    """
    source, _, rest = text.partition("/")
    if source == "captum" and rest:
        method, _, layer = rest.partition(":")
        return Captum(method, layer)
    folded = {name.lower(): kind for name, kind in NAMED.items()}
    kind = folded.get(text.lower().replace("-", "").replace("_", ""))
    if kind is None:
        raise RecipeError(
            f"an attribution {', '.join(NAMED)} or captum/METHOD[:LAYER]", repr(text), "choose one of them"
        )
    return kind()
