"""Attribution methods: their result is signed, per target, pixel and channel."""

from unveil.attribution.base import Attribution, AttributionResult, GradientMethod, Moments, Question
from unveil.attribution.captum import Captum
from unveil.attribution.gradient import Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.patterns import PatternAttribution, PatternNet
from unveil.attribution.perturbation import Occlusion, Rise
from unveil.attribution.smoothgrad import SmoothGrad

__all__ = [
    "Attribution",
    "AttributionResult",
    "Captum",
    "Deconvnet",
    "Gradient",
    "GradientMethod",
    "GuidedBackprop",
    "Moments",
    "Occlusion",
    "PatternAttribution",
    "PatternNet",
    "Question",
    "Rise",
    "SmoothGrad",
]
