"""`open_dataset`: from a text to a dataset."""

from collections.abc import Callable
from pathlib import Path

from unveil.datasets.base import Dataset, DatasetError
from unveil.datasets.chestxray14 import ChestXray14
from unveil.datasets.folder import ImageFolder
from unveil.datasets.index import shown
from unveil.datasets.stanford_dogs import StanfordDogs
from unveil.datasets.table import CsvDataset
from unveil.datasets.voc import PascalVoc

FORMS: dict[str, Callable[[Path], Dataset]] = {
    "folder": ImageFolder,
    "csv": CsvDataset,
    "chestxray14": ChestXray14,
    "stanford-dogs": StanfordDogs,
    "voc": PascalVoc,
}


def open_dataset(text: str) -> Dataset:
    """A dataset from `folder/PATH`, `csv/PATH`, `chestxray14/PATH`, `stanford-dogs/PATH` or `voc/PATH`.

    What follows the first `/` is the path: `folder/photos` is relative, `folder//data/photos` absolute. All else is
    as the class has it by default. Raises `DatasetError`.
    """
    form, _, path = text.partition("/")
    if form not in FORMS or not path:
        raise DatasetError(f"FORM/PATH with a form of {', '.join(FORMS)}", shown(text), "say for example folder/photos")
    return FORMS[form](Path(path))
