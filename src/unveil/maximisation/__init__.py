"""Activation maximisation: the image that a class, a unit or a channel answers to most strongly."""

from unveil.maximisation.ascent import Maximisation, Maximised, maximise
from unveil.maximisation.goals import Goal, Unit
from unveil.maximisation.parametrisation import Fourier, Parametrisation, Pixels

__all__ = ["Fourier", "Goal", "Maximisation", "Maximised", "Parametrisation", "Pixels", "Unit", "maximise"]
