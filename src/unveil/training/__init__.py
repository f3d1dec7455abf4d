"""Training on images whose regions are erased: a classifier that uses more of its evidence.

The future work of Bordes et al. 2018: classifiers are fine-tuned between rounds on images from which the regions found
so far are erased.

result = unveil.training.train_classifier(classifier, dataset, "trained", TrainingSettings(erase="found"))
"""

from unveil.training.examples import Examples, read_examples, split_rows
from unveil.training.searching import FoundRegions, find_regions_of_many
from unveil.training.settings import Erasing, TrainingError, TrainingSettings
from unveil.training.trainer import TrainingResult, train_classifier

__all__ = [
    "Erasing",
    "Examples",
    "FoundRegions",
    "TrainingError",
    "TrainingResult",
    "TrainingSettings",
    "find_regions_of_many",
    "read_examples",
    "split_rows",
    "train_classifier",
]
