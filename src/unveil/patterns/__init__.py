"""Patterns (Kindermans et al. 2017): the direction of the signal of every linear layer, estimated from images."""

from unveil.patterns.estimation import Estimation
from unveil.patterns.estimators import Estimator, LinearEstimator, TwoComponent
from unveil.patterns.files import Patterns, load_patterns
from unveil.patterns.network import PatternError, RewiredNetwork, linear_layers

__all__ = [
    "Estimation",
    "Estimator",
    "LinearEstimator",
    "PatternError",
    "Patterns",
    "RewiredNetwork",
    "TwoComponent",
    "linear_layers",
    "load_patterns",
]
