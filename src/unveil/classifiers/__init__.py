"""Classifiers: frozen models with their preparation, labels and output meaning, and where they come from."""

from unveil.classifiers.base import Classifier, PreparedImage
from unveil.classifiers.black_box import BlackBox
from unveil.classifiers.changes import PreprocessingChanges
from unveil.classifiers.loading import load_classifier
from unveil.classifiers.options import ClassifierOptions
from unveil.classifiers.outputs import ClassifierWarning, Returns
from unveil.classifiers.preprocessing import Fit, Interpolation, Preprocessing
from unveil.classifiers.torch_module import TorchClassifier

__all__ = [
    "BlackBox",
    "Classifier",
    "ClassifierOptions",
    "ClassifierWarning",
    "Fit",
    "Interpolation",
    "PreparedImage",
    "Preprocessing",
    "PreprocessingChanges",
    "Returns",
    "TorchClassifier",
    "load_classifier",
]
