"""Stanford Dogs: photographs of 120 breeds of ImageNet with boxes."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from unveil.datasets.annotation import read_annotation, to_labeled_box
from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.index import IndexRow, list_folder, make_samples, printable, require_folder
from unveil.datasets.listed import ListedDataset, find_image_files, natural_sort
from unveil.datasets.matlab import read_cell_strings

_SPLITS = {"train": "train_list.mat", "test": "test_list.mat"}


class StanfordDogs(ListedDataset):
    """20 580 photographs of dogs (Khosla et al. 2011); the label is the breed, the name of the folder after the hyphen.

    `root` contains `Images/n02085620-Chihuahua/*.jpg`, `Annotation/n02085620-Chihuahua/n02085620_10074` …, and the
    lists `train_list.mat` and `test_list.mat`, which a `split` of "train" or "test" needs; None reads all images.
    Labels are in the order of the folders. The id of a sample is its path below `Images`, and `box_shape` is the size
    in the annotation. The publishers don't define the coordinates; they are read as edges: xmin <= u < xmax.

    An invalid entry of a list, a missing image and an annotation that can't be read give a sample with an error.
    Raises `DatasetError` if a folder or list is missing or can't be parsed.
    """

    def __init__(self, root: str | Path, split: str | None = "test") -> None:
        folder = require_folder(root, "the folder of Stanford Dogs")
        if split is not None and split not in _SPLITS:
            raise DatasetError(f"a split {' or '.join(_SPLITS)}", printable(split), "name one of them, or None for all")
        self._annotations = require_folder(folder / "Annotation", "a folder Annotation")
        images = require_folder(folder / "Images", "a folder Images")
        breeds = {path.name: _breed(path.name) for path in natural_sort(list_folder(images)) if path.is_dir()}
        if split is None:
            samples = [
                Sample(path.relative_to(images).as_posix(), path, (breed,))
                for name, breed in breeds.items()
                for path in find_image_files(images / name)
            ]
        else:
            samples = make_samples(_read_split(folder / _SPLITS[split]), lambda row: _make_sample(row, images, breeds))
        if not samples:
            raise DatasetError("images in Images/BREED", f"none in {printable(images)}", "unpack images.tar there")
        super().__init__("Stanford Dogs" if split is None else f"Stanford Dogs {split}", list(breeds.values()), samples)

    def _annotated(self, sample: Sample) -> Sample:
        inner = PurePosixPath(sample.id)
        path = self._annotations / inner.parent.name / inner.stem
        annotation = read_annotation(path)
        (label,) = sample.labels
        boxes = tuple(to_labeled_box(annotated, label, path, first=0) for annotated in annotation.objects)
        return replace(sample, boxes=boxes, box_shape=annotation.shape)


def _breed(folder: str) -> str:
    return folder.partition("-")[2] or folder


def _make_sample(row: IndexRow, images: Path, breeds: dict[str, str]) -> Sample:
    name = row.checked_path(row.cells[0])
    parts = PurePosixPath(name).parts
    if len(parts) != 2:
        raise row.error_for("the path BREED/FILE.jpg", printable(name), "fetch the list again")
    if parts[0] not in breeds:
        raise row.error_for("an image of a folder in Images", printable(name), "unpack images.tar")
    return Sample(name, images / name, (breeds[parts[0]],))


def _read_split(path: Path) -> list[IndexRow]:
    """Make one row per entry of `file_list`."""
    names = read_cell_strings(path, "file_list")
    if not names:
        raise DatasetError("a list of images", f"{printable(path)} without any", "unpack lists.tar again")
    rows = []
    for number, name in enumerate(names, 1):
        row = IndexRow(path, number)
        error = (
            row.error_for("the path of an image", "something else", "unpack lists.tar again") if name is None else None
        )
        rows.append(IndexRow(path, number, (name or "",), error))
    return rows
