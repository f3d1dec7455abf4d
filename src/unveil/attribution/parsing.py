"""Attributions by name, for the command line."""

import difflib

from unveil.attribution.adapters.captum import Captum
from unveil.attribution.adapters.grad_cam import Cam
from unveil.attribution.adapters.zennit import Zennit
from unveil.attribution.base import Attribution
from unveil.attribution.gradient import Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.perturbation import Occlusion, Rise
from unveil.attribution.smoothgrad import SmoothGrad
from unveil.errors import RecipeError

NAMED = {kind.__name__: kind for kind in (Gradient, Deconvnet, GuidedBackprop, SmoothGrad, Rise, Occlusion)}
LIBRARIES = {"captum": Captum, "zennit": Zennit, "pytorch-grad-cam": Cam}
WELL_KNOWN = (
    *("captum/IntegratedGradients", "captum/DeepLift", "captum/LayerGradCam", "captum/Lime", "captum/KernelShap"),
    *("zennit/EpsilonPlus", "zennit/EpsilonPlusFlat", "zennit/EpsilonGammaBox", "zennit/EpsilonAlpha2Beta1Flat"),
    *("pytorch-grad-cam/GradCAM", "pytorch-grad-cam/GradCAMPlusPlus", "pytorch-grad-cam/LayerCAM"),
    *("pytorch-grad-cam/EigenCAM", "pytorch-grad-cam/ScoreCAM"),
)


def parse_attribution(text: str) -> Attribution:
    """Make an attribution from its name: `Gradient`, `GuidedBackprop`, `SmoothGrad`, …, with their default settings.

    Methods of other libraries are `captum/METHOD[:LAYER]`, `zennit/COMPOSITE` and `pytorch-grad-cam/METHOD[:LAYER]`.
    Raises `RecipeError` for an unknown name, with similar names, and `MissingLibraryError`.

    >>> parse_attribution("captum/LayerGradCam:layer4")
    Captum(method='LayerGradCam', layer='layer4')
    """
    library, _, rest = text.partition("/")
    if library.lower() in LIBRARIES and rest:
        return _of_library(LIBRARIES[library.lower()], *rest.partition(":")[::2])
    folded = {_fold(name): kind for name, kind in NAMED.items()}
    if _fold(text) not in folded:
        expected = f"an attribution {', '.join(NAMED)} or {'/…, '.join(LIBRARIES)}/METHOD[:LAYER]"
        raise RecipeError(expected, repr(text), _nearest(text))
    return folded[_fold(text)]()


def _of_library(kind: type[Captum | Zennit | Cam], name: str, layer: str) -> Attribution:
    if kind is Zennit and layer:
        raise RecipeError("zennit/COMPOSITE, which is for all layers", f"a layer {layer!r}", "leave the layer out")
    attribution = kind(name, layer) if layer else kind(name)  # type: ignore[arg-type]
    attribution.look_up()
    return attribution


def _nearest(text: str) -> str:
    """Advice with similar names, of this package and of the libraries."""
    names = {_fold(name.rpartition("/")[2]): name for name in (*WELL_KNOWN, *NAMED)}
    near = difflib.get_close_matches(_fold(text.rpartition("/")[2].partition(":")[0]), names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(names[match] for match in near)}?" if near else "choose one of them"


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
