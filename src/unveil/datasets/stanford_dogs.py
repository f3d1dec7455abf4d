"""Stanford Dogs: 120 breeds of ImageNet, with boxes."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from unveil.datasets.annotation import box_of, read_annotation
from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.index import Row, existing_folder, listing, samples_of, shown
from unveil.datasets.listed import Listed, image_files, in_order
from unveil.datasets.matlab import read_texts

SPLITS = {"train": "train_list.mat", "test": "test_list.mat"}


class StanfordDogs(Listed):
    """Photographs of dogs; a label is the breed, as the folder says it after the hyphen (`Shih-Tzu`).

    In `root`: `Images/n02085620-Chihuahua/*.jpg`, `Annotation/n02085620-Chihuahua/n02085620_10074` …, and for a
    `split` of "train" or "test" the lists `train_list.mat` and `test_list.mat`; None takes all images that are there.
    Labels are in the order of the folders. An id is the path below `Images`, and `box_shape` the size that the
    annotation gives. The publishers don't say what coordinates count; they are taken as edges: xmin <= u < xmax.

    A bad entry of a list, a missing image and an annotation that can't be read are broken samples. Raises
    `DatasetError` where a folder or list is missing or can't be understood.
    """

    def __init__(self, root: str | Path, split: str | None = "test") -> None:
        top = existing_folder(root, "the folder of Stanford Dogs")
        if split is not None and split not in SPLITS:
            raise DatasetError(f"a split {' or '.join(SPLITS)}", shown(split), "name one of them, or None for all")
        self._annotations = existing_folder(top / "Annotation", "a folder Annotation")
        images = existing_folder(top / "Images", "a folder Images")
        breeds = {path.name: _breed(path.name) for path in in_order(listing(images)) if path.is_dir()}
        if split is None:
            samples = [
                Sample(f"{folder}/{path.relative_to(images / folder).as_posix()}", path, (breed,))
                for folder, breed in breeds.items()
                for path in image_files(images / folder)
            ]
        else:
            samples = samples_of(_listed(top / SPLITS[split]), lambda row: _of_row(row, images, breeds))
        if not samples:
            raise DatasetError("images in Images/BREED", f"none in {shown(images)}", "unpack images.tar there")
        super().__init__(f"Stanford Dogs {split or ''}".strip(), list(breeds.values()), samples)

    def _annotated(self, sample: Sample) -> Sample:
        inner = PurePosixPath(sample.id)
        path = self._annotations / inner.parent.name / inner.stem
        found = read_annotation(path)
        (label,) = sample.labels
        boxes = tuple(box_of(thing, label, path, first=0) for thing in found.things)
        return replace(sample, boxes=boxes, box_shape=found.shape)


def _breed(folder: str) -> str:
    return folder.partition("-")[2] or folder


def _of_row(row: Row, images: Path, breeds: dict[str, str]) -> Sample:
    name = row.named(row.cells[0])
    parts = PurePosixPath(name).parts
    if len(parts) != 2:
        raise row.wrong("the path BREED/FILE.jpg", shown(name), "fetch the list again")
    if parts[0] not in breeds:
        raise row.wrong("an image of a folder in Images", shown(name), "unpack images.tar")
    return Sample(name, images / name, (breeds[parts[0]],))


def _listed(path: Path) -> list[Row]:
    """One row an entry of `file_list`."""
    names = read_texts(path, "file_list")
    if not names:
        raise DatasetError("a list of images", f"{shown(path)} without any", "unpack lists.tar again")
    rows = []
    for number, name in enumerate(names, 1):
        row = Row(path, number)
        error = row.wrong("the path of an image", "something else", "unpack lists.tar again") if name is None else None
        rows.append(Row(path, number, (name or "",), error))
    return rows
