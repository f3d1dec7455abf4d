"""ChestX-ray14 in the format that the NIH publishes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import DatasetError, Sample, without_traceback
from unveil.datasets.boxed import attach_boxes
from unveil.datasets.index import IndexRow, list_folder, make_samples, printable, read_list, read_table, require_folder
from unveil.datasets.listed import ListedDataset

# In the order of CheXNet's outputs.
CHESTXRAY14_LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
NO_FINDING = "No Finding"
# The list of boxes has another name for one finding.
ALIASES = {"Infiltrate": "Infiltration"}
_SPLITS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
# The published PNG files, which the boxes refer to.
BOX_SHAPE = (1024, 1024)
ENTRY_COLUMNS = ("Image Index", "Finding Labels", "Patient ID")
# The published header is `Image Index,Finding Label,Bbox [x,y,w,h],,,`: its commas split the bracket into four.
_BOX_COLUMNS = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")


class ChestXray14(ListedDataset):
    """112 120 radiographs with 14 findings (Wang et al. 2017); 880 of them have boxes.

    `root` contains `images_001/images` … or `images`; `Data_Entry_2017*.csv` (of several the last by name, the
    corrected one of 2020); optionally `BBox_List_2017.csv` with the boxes; and the lists
    `train_val_list.txt` and `test_list.txt`, which a `split` of "train_val" or "test" needs; None reads all images.

    The id of a sample is the name of its file, and the group is the patient. Labels are in the order of
    `CHESTXRAY14_LABELS`; `No Finding` isn't a label. Boxes are in pixels of the published 1024 x 1024; for images of
    another size use `boxes_on(image.shape)`.

    An invalid row of an index gives a sample with an error. An invalid box gives the sample of its image an error; if
    there is no such image, a sample with an error is appended. Raises `DatasetError` if a folder, index or split is
    missing.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        folder = require_folder(root, "the folder of ChestX-ray14")
        if split is not None and split not in _SPLITS:
            raise DatasetError(f"a split {' or '.join(_SPLITS)}", printable(split), "name one of them, or None for all")
        files = _find_images(folder)
        first = folder / "images"

        def make(row: IndexRow) -> Sample:
            name = row.checked_file_name(row.cells[0])
            sample = Sample(name, files.get(name, first / name), box_shape=BOX_SHAPE)
            try:
                return replace(sample, labels=_labels(row), group=_patient(row))
            except DatasetError as error:
                return replace(sample, error=without_traceback(error))

        samples = make_samples(read_table(_entries(folder), ENTRY_COLUMNS), make)
        boxes, unmatched = folder / "BBox_List_2017.csv", []
        if boxes.exists():
            samples, unmatched = attach_boxes(samples, boxes, _BOX_COLUMNS, _box_label, _unmatched_error)
        if split is not None:
            known = {sample.id: sample for sample in samples}
            samples = make_samples(read_list(folder / _SPLITS[split]), lambda row: _find_sample(row, known))
        name = "ChestX-ray14" if split is None else f"ChestX-ray14 {split}"
        super().__init__(name, CHESTXRAY14_LABELS, samples + unmatched)


def _find_images(folder: Path) -> dict[str, Path]:
    # Each folder is listed once, instead of looking for each of 112 120 images in thirteen folders.
    places = [*sorted(folder.glob("images_*/images")), folder / "images"]
    existing = [place for place in places if place.is_dir()]
    if not existing:
        raise DatasetError(
            "a folder images, or images_001/images …", f"neither in {printable(folder)}", "unpack the archives there"
        )
    # Of files of the same name in two folders, the first one is used.
    return {path.name: path for place in reversed(existing) for path in list_folder(place)}


def _entries(folder: Path) -> Path:
    tables = sorted(folder.glob("Data_Entry_2017*.csv"))
    if not tables:
        raise DatasetError("a table Data_Entry_2017*.csv", f"none in {printable(folder)}", "fetch it from the NIH")
    return tables[-1]


def _labels(row: IndexRow) -> tuple[str, ...]:
    names = [name.strip() for name in row.cells[1].split("|")]
    if names == [NO_FINDING]:
        return ()
    for name in names:
        if name not in CHESTXRAY14_LABELS:
            raise row.error_for(
                f"findings of the {len(CHESTXRAY14_LABELS)}, or {NO_FINDING!r} alone", printable(row.cells[1])
            )
    return tuple(name for name in CHESTXRAY14_LABELS if name in names)


def _patient(row: IndexRow) -> str:
    if not row.cells[2]:
        raise row.error_for("a patient", "an empty cell 'Patient ID'")
    return row.cells[2]


def _box_label(row: IndexRow) -> str:
    label = ALIASES.get(row.cells[1], row.cells[1])
    if label not in CHESTXRAY14_LABELS:
        raise row.error_for(f"a finding of the {len(CHESTXRAY14_LABELS)}", printable(row.cells[1]))
    return label


def _unmatched_error(row: IndexRow) -> DatasetError:
    return row.error_for("an image of Data_Entry_2017", printable(row.checked_file_name(row.cells[0])))


def _find_sample(row: IndexRow, known: Mapping[str, Sample]) -> Sample:
    name = row.checked_file_name(row.cells[0])
    if name not in known:
        raise row.error_for("an image of Data_Entry_2017", printable(name), "fetch both files again")
    return known[name]
