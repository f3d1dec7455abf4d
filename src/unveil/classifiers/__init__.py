"""Classifiers: frozen models with their preparation, labels and output meaning, and where they come from."""

from unveil.classifiers.base import Classifier, Prepared
from unveil.classifiers.loading import load_classifier
from unveil.classifiers.preparation import Fit, Interpolation, Preparation
from unveil.classifiers.torch_module import TorchClassifier

__all__ = ["Classifier", "Fit", "Interpolation", "Preparation", "Prepared", "TorchClassifier", "load_classifier"]
