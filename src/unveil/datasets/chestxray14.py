"""ChestX-ray14, as the NIH publishes it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import DatasetError, Sample, as_value
from unveil.datasets.boxed import with_boxes
from unveil.datasets.index import Row, existing_folder, listing, read_list, read_table, samples_of, shown
from unveil.datasets.listed import Listed

# The order of the outputs of CheXNet.
LABELS = (
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
NOTHING = "No Finding"
# What the list of boxes calls otherwise.
ALIASES = {"Infiltrate": "Infiltration"}
SPLITS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
# The published PNG files, which the boxes refer to.
BOX_SHAPE = (1024, 1024)
ENTRY_COLUMNS = ("Image Index", "Finding Labels", "Patient ID")
# The published header is `Image Index,Finding Label,Bbox [x,y,w,h],,,`: its commas cut the bracket in four.
BOX_COLUMNS = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")


class ChestXray14(Listed):
    """Radiographs with 14 findings; 880 of them have boxes.

    In `root`: `images_001/images` … or `images`; `Data_Entry_2017*.csv` (of several the last in order, which is the
    corrected one of 2020); `BBox_List_2017.csv`, without which there are no boxes; `train_val_list.txt` and
    `test_list.txt`, which a `split` of "train_val" or "test" needs. An id is the name of the file, the group is the
    patient, labels are in the order of `LABELS`, and `No Finding` is no label. Boxes are in pixels of the published
    1024 x 1024; for images of another size use `boxes_on(image.shape)`.

    A bad row of an index is a broken sample; a bad box breaks the sample of its image, or is a broken sample of its
    own at the end where it names none. Raises `DatasetError` where a folder, index or split is missing.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        folder = existing_folder(root, "the folder of ChestX-ray14")
        if split is not None and split not in SPLITS:
            raise DatasetError(f"a split {' or '.join(SPLITS)}", shown(split), "name one of them, or None for all")
        files = _image_files(folder)
        first = folder / "images"

        def make(row: Row) -> Sample:
            name = row.bare(row.cells[0])
            sample = Sample(name, files.get(name, first / name), box_shape=BOX_SHAPE)
            try:
                return replace(sample, labels=_labels(row), group=_patient(row))
            except DatasetError as error:
                return replace(sample, error=as_value(error))

        samples = samples_of(read_table(_entries(folder), ENTRY_COLUMNS), make)
        boxes, strays = folder / "BBox_List_2017.csv", []
        if boxes.exists():
            samples, strays = with_boxes(samples, boxes, BOX_COLUMNS, _box_label, _stray)
        if split is not None:
            known = {sample.id: sample for sample in samples}
            samples = samples_of(read_list(folder / SPLITS[split]), lambda row: _known(row, known))
        super().__init__(f"ChestX-ray14 {split or ''}".strip(), LABELS, samples + strays)


def _image_files(folder: Path) -> dict[str, Path]:
    # One listing of each folder, not thirteen questions for each of 112120 images.
    places = [*sorted(folder.glob("images_*/images")), folder / "images"]
    there = [place for place in places if place.is_dir()]
    if not there:
        raise DatasetError(
            "a folder images, or images_001/images …", f"neither in {shown(folder)}", "unpack the archives there"
        )
    # The first place counts where two hold the same name.
    return {path.name: path for place in reversed(there) for path in listing(place)}


def _entries(folder: Path) -> Path:
    found = sorted(folder.glob("Data_Entry_2017*.csv"))
    if not found:
        raise DatasetError("a table Data_Entry_2017*.csv", f"none in {shown(folder)}", "fetch it from the NIH")
    return found[-1]


def _labels(row: Row) -> tuple[str, ...]:
    names = [name.strip() for name in row.cells[1].split("|")]
    if names == [NOTHING]:
        return ()
    for name in names:
        if name not in LABELS:
            raise row.wrong(f"findings of the {len(LABELS)}, or {NOTHING!r} alone", shown(row.cells[1]))
    return tuple(name for name in LABELS if name in names)


def _patient(row: Row) -> str:
    if not row.cells[2]:
        raise row.wrong("a patient", "an empty cell 'Patient ID'")
    return row.cells[2]


def _box_label(row: Row) -> str:
    label = ALIASES.get(row.cells[1], row.cells[1])
    if label not in LABELS:
        raise row.wrong(f"a finding of the {len(LABELS)}", shown(row.cells[1]))
    return label


def _stray(row: Row) -> DatasetError:
    return row.wrong("an image of Data_Entry_2017", shown(row.bare(row.cells[0])))


def _known(row: Row, known: Mapping[str, Sample]) -> Sample:
    name = row.bare(row.cells[0])
    if name not in known:
        raise row.wrong("an image of Data_Entry_2017", shown(name), "fetch both files again")
    return known[name]
