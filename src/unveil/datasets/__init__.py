"""Datasets: images with labels and boxes in the formats they are published in, read one by one."""

from unveil.datasets.base import Dataset, DatasetError, LabeledBox, Sample
from unveil.datasets.chestxray14 import ChestXray14
from unveil.datasets.folder import ImageFiles, ImageFolder
from unveil.datasets.opening import open_dataset
from unveil.datasets.stanford_dogs import StanfordDogs
from unveil.datasets.table import CsvDataset
from unveil.datasets.voc import PascalVoc

__all__ = [
    "ChestXray14",
    "CsvDataset",
    "Dataset",
    "DatasetError",
    "ImageFiles",
    "ImageFolder",
    "LabeledBox",
    "PascalVoc",
    "Sample",
    "StanfordDogs",
    "open_dataset",
]
