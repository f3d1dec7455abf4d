"""Patterns (Kindermans et al. 2017): for every linear layer the direction of its signal, estimated from images."""

from unveil.patterns.estimation import Estimation
from unveil.patterns.estimators import Estimator, LinearEstimator, TwoComponent
from unveil.patterns.files import Patterns, load_patterns
from unveil.patterns.network import PatternError, Rewired, linear_layers

__all__ = [
    "Estimation",
    "Estimator",
    "LinearEstimator",
    "PatternError",
    "Patterns",
    "Rewired",
    "TwoComponent",
    "linear_layers",
    "load_patterns",
]
