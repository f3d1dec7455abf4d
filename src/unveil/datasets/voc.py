"""PASCAL VOC in the format published from 2007 to 2012."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from unveil.datasets.annotation import AnnotatedObject, read_annotation, to_labeled_box
from unveil.datasets.base import DatasetError, LabeledBox, Sample
from unveil.datasets.index import IndexRow, make_samples, printable, read_list, require_folder
from unveil.datasets.listed import ListedDataset

VOC_LABELS = (
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


class PascalVoc(ListedDataset):
    """Photographs with boxes around objects of 20 classes (Everingham et al. 2010).

    `root` is the folder with `JPEGImages`, `Annotations` and `ImageSets/TASK/SPLIT.txt` (in the archives,
    `VOCdevkit/VOC2012`); `task` and `split` name the list. Give your own `labels` for another dataset in the same
    format. The id of a sample is a line
    of the list. Published coordinates count from 1 and include both ends: a box covers xmin − 1 <= u < xmax. The
    labels of a sample are those with an object that isn't difficult, in the dataset's order, as in the benchmark;
    boxes of difficult objects are kept and marked.

    An invalid line, a missing image and an annotation that can't be read give a sample with an error. Raises
    `DatasetError` if a folder or the list is missing.
    """

    def __init__(
        self, root: str | Path, split: str = "val", task: str = "Main", labels: Sequence[str] = VOC_LABELS
    ) -> None:
        folder = require_folder(root, "the folder of PASCAL VOC")
        for name in (split, task):
            if name in ("", "..") or len(PureWindowsPath(name).parts) != 1 or PureWindowsPath(name).anchor:
                raise DatasetError("a split and a task as bare names", printable(name), "for example val and Main")
        self._annotations = require_folder(folder / "Annotations", "a folder Annotations")
        images = require_folder(folder / "JPEGImages", "a folder JPEGImages")

        def make(row: IndexRow) -> Sample:
            name = row.checked_file_name(row.cells[0])
            if len(name.split()) != 1:
                raise row.error_for("one name per line", printable(name), "use a list of images, not of objects")
            return Sample(name, images / f"{name}.jpg")

        samples = make_samples(read_list(folder / "ImageSets" / task / f"{split}.txt"), make)
        super().__init__(f"PASCAL VOC {split}", labels, samples)

    def _annotated(self, sample: Sample) -> Sample:
        path = self._annotations / f"{sample.id}.xml"
        annotation = read_annotation(path)
        boxes = tuple(self._box(annotated, path) for annotated in annotation.objects)
        certain = {box.label for box in boxes if not box.difficult}
        labels = tuple(label for label in self.labels if label in certain)
        return replace(sample, labels=labels, boxes=boxes, box_shape=annotation.shape)

    def _box(self, annotated: AnnotatedObject, path: Path) -> LabeledBox:
        if annotated.name not in self.labels:
            got = f"{printable(annotated.name, 60)} in {printable(path)}"
            raise DatasetError(f"one of the {len(self.labels)} labels", got, "give your own labels=")
        return to_labeled_box(annotated, annotated.name, path, first=1)
