"""Activation maximization: the image that a class, a unit or a channel answers to most strongly."""

from unveil.maximization.ascent import Maximization, MaximizedImage, maximize
from unveil.maximization.goals import Goal, NetworkUnit
from unveil.maximization.parametrization import Fourier, Parametrization, Pixels

__all__ = ["Fourier", "Goal", "Maximization", "MaximizedImage", "NetworkUnit", "Parametrization", "Pixels", "maximize"]
