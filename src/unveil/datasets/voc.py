"""PASCAL VOC, as published from 2007 to 2012."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from unveil.datasets.annotation import AnnotatedObject, box_of, read_annotation
from unveil.datasets.base import DatasetError, LabeledBox, Sample
from unveil.datasets.index import Row, existing_folder, read_list, samples_of, shown
from unveil.datasets.listed import Listed

LABELS = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


class PascalVoc(Listed):
    """Photographs with boxes around things of 20 kinds, or of `labels` for a dataset of one's own in the same form.

    `root` is the folder with `JPEGImages`, `Annotations` and `ImageSets/TASK/SPLIT.txt` (in the archives,
    `VOCdevkit/VOC2012`). An id is a line of that list. Published coordinates count from 1 and include both ends: a
    box covers xmin - 1 <= u < xmax. A sample's labels are those with a thing that isn't difficult, in the dataset's
    order, as the benchmark counts them; boxes of difficult things are kept and marked.

    A bad line, a missing image and an annotation that can't be read are broken samples. Raises `DatasetError` where
    a folder or the list is missing.
    """

    def __init__(
        self, root: str | Path, split: str = "val", task: str = "Main", labels: Sequence[str] = LABELS
    ) -> None:
        folder = existing_folder(root, "the folder of PASCAL VOC")
        for name in (split, task):
            if name in ("", "..") or len(PureWindowsPath(name).parts) != 1 or PureWindowsPath(name).anchor:
                raise DatasetError("a split and a task as bare names", shown(name), "say for example val and Main")
        self._annotations = existing_folder(folder / "Annotations", "a folder Annotations")
        images = existing_folder(folder / "JPEGImages", "a folder JPEGImages")

        def make(row: Row) -> Sample:
            name = row.bare(row.cells[0])
            if len(name.split()) != 1:
                raise row.wrong("one name a line", shown(name), "use a list of images, not of objects")
            return Sample(name, images / f"{name}.jpg")

        samples = samples_of(read_list(folder / "ImageSets" / task / f"{split}.txt"), make)
        super().__init__(f"PASCAL VOC {split}", labels, samples)

    def _annotated(self, sample: Sample) -> Sample:
        path = self._annotations / f"{sample.id}.xml"
        found = read_annotation(path)
        boxes = tuple(self._box(thing, path) for thing in found.things)
        certain = {box.label for box in boxes if not box.difficult}
        labels = tuple(label for label in self.labels if label in certain)
        return replace(sample, labels=labels, boxes=boxes, box_shape=found.shape)

    def _box(self, thing: AnnotatedObject, path: Path) -> LabeledBox:
        if thing.name not in self.labels:
            got = f"{shown(thing.name, 60)} in {shown(path)}"
            raise DatasetError(f"one of the {len(self.labels)} labels", got, "give your own labels=")
        return box_of(thing, thing.name, path, first=1)
