"""Attribution methods: their result is signed, per target, pixel and channel."""

from unveil.attribution.asked import Normalise
from unveil.attribution.base import Attribution, AttributionResult, GradientMethod, Moments, Question
from unveil.attribution.by_object import AnyAttribution
from unveil.attribution.captum import Captum
from unveil.attribution.grad_cam import Cam
from unveil.attribution.gradient import Deconvnet, Gradient, GuidedBackprop
from unveil.attribution.patterns import PatternAttribution, PatternNet
from unveil.attribution.perturbation import Occlusion, Rise
from unveil.attribution.smoothgrad import Settled, SmoothGrad
from unveil.attribution.zennit import Zennit

__all__ = [
    "AnyAttribution",
    "Attribution",
    "AttributionResult",
    "Cam",
    "Captum",
    "Deconvnet",
    "Gradient",
    "GradientMethod",
    "GuidedBackprop",
    "Moments",
    "Normalise",
    "Occlusion",
    "PatternAttribution",
    "PatternNet",
    "Question",
    "Rise",
    "Settled",
    "SmoothGrad",
    "Zennit",
]
