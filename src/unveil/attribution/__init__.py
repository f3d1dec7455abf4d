"""Attribution methods: their result is signed, per target, pixel and channel."""

from unveil.attribution.adapters.captum import Captum
from unveil.attribution.adapters.custom import CustomAttribution
from unveil.attribution.adapters.grad_cam import Cam
from unveil.attribution.adapters.score_module import Normalize
from unveil.attribution.adapters.zennit import Zennit
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult, GradientMethod, Moments
from unveil.attribution.gradient import Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.patterns import PatternAttribution, PatternNet
from unveil.attribution.perturbation import Occlusion, Rise
from unveil.attribution.smoothgrad import SmoothGrad, UntilStable

__all__ = [
    "Attribution",
    "AttributionRequest",
    "AttributionResult",
    "Cam",
    "Captum",
    "CustomAttribution",
    "Deconvnet",
    "Gradient",
    "GradientMethod",
    "GuidedBackprop",
    "Moments",
    "Normalize",
    "Occlusion",
    "PatternAttribution",
    "PatternNet",
    "Rise",
    "SmoothGrad",
    "UntilStable",
    "Zennit",
]
