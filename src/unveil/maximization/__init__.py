"""Activation maximization: images with the largest score of a class, or the largest activation of a unit or channel."""

from unveil.maximization.ascent import Maximization, MaximizedImage, maximize
from unveil.maximization.goals import Goal, NetworkUnit
from unveil.maximization.parametrization import Fourier, Parametrization, Pixels

__all__ = ["Fourier", "Goal", "Maximization", "MaximizedImage", "NetworkUnit", "Parametrization", "Pixels", "maximize"]
