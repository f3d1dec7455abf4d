"""Open a dataset by a text, as on the command line."""

from collections.abc import Callable
from pathlib import Path

from unveil.datasets.base import Dataset, DatasetError
from unveil.datasets.chestxray14 import ChestXray14
from unveil.datasets.folder import ImageFiles, ImageFolder
from unveil.datasets.index import printable
from unveil.datasets.stanford_dogs import StanfordDogs
from unveil.datasets.table import CsvDataset
from unveil.datasets.voc import PascalVoc

DATASET_FORMS: dict[str, Callable[[Path], Dataset]] = {
    "folder": ImageFolder,
    "images": ImageFiles,
    "csv": CsvDataset,
    "chestxray14": ChestXray14,
    "stanford-dogs": StanfordDogs,
    "voc": PascalVoc,
}


def open_dataset(text: str) -> Dataset:
    """Open the dataset named by `text`, as on the command line.

    Names are `folder/PATH`, `images/PATH`, `csv/PATH`, `chestxray14/PATH`, `stanford-dogs/PATH` and `voc/PATH`. The
    path is what follows the first `/`: `folder/photos` is relative, `folder//data/photos` is absolute. All other
    settings have their default values. Raises `DatasetError` for an unknown name, and for a dataset that can't be read.
    """
    form, _, path = text.partition("/")
    if form not in DATASET_FORMS or not path:
        raise DatasetError(
            f"FORM/PATH with a form of {', '.join(DATASET_FORMS)}", printable(text), "for example folder/photos"
        )
    return DATASET_FORMS[form](Path(path))
