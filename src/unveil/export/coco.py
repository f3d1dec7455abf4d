"""Masks in the format of the COCO data set, with uncompressed run lengths."""

import json
from collections.abc import Iterable

from unveil.masks import Mask
from unveil.records import Run


class CocoBuilder:
    """Collects images and their masks for one COCO file.

    Categories are labels, numbered from 1 in the order in which they appear; labels of one name are one category.
    """

    def __init__(self) -> None:
        """Begin with no image."""
        self._images: list[dict] = []
        self._annotations: list[dict] = []
        self._categories: dict[str, int] = {}

    def add(self, run: Run, name: str, masks: Iterable[tuple[str, str, Mask]]) -> None:
        """Add the image of a `run`, called `name`, and its `masks`: the name, the label and the pixels of each."""
        height, width = run.source.geometry.source_shape
        image = {"id": len(self._images) + 1, "file_name": run.source.name, "height": height, "width": width}
        self._images.append({**image, "run": name, "sha256": run.source.sha256, "model": run.classifier.name})
        for mask_name, label, mask in masks:
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image["id"],
                    "category_id": self._categories.setdefault(label, len(self._categories) + 1),
                    "segmentation": coco_segmentation(mask),
                    "area": mask.area_px,
                    "bbox": _bounds(mask),
                    "iscrowd": 0,
                    "name": mask_name,
                }
            )

    def to_bytes(self) -> bytes:
        """The file: JSON in ASCII."""
        categories = [{"id": number, "name": label} for label, number in self._categories.items()]
        tables = {"images": self._images, "annotations": self._annotations, "categories": categories}
        return json.dumps(tables, allow_nan=False).encode("ascii") + b"\n"


def coco_segmentation(mask: Mask) -> dict:
    """The run lengths of a `mask` as COCO has them: down the columns, beginning with pixels outside.

    >>> import numpy as np
    >>> coco_segmentation(Mask.from_array(np.array([[False, True], [False, True], [True, False]])))
    {'size': [3, 2], 'counts': [2, 3, 1]}
    """
    turned = Mask.from_array(mask.to_array().T)
    return {"size": [int(side) for side in mask.shape], "counts": [int(run) for run in turned.runs]}


def _bounds(mask: Mask) -> list[int]:
    """x, y, width and height; zeros for an empty mask."""
    box = mask.box
    if box is None:
        return [0, 0, 0, 0]
    (y, x), (height, width) = box.start, box.size
    return [int(x), int(y), int(width), int(height)]
