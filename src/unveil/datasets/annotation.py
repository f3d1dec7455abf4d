"""Annotations of one image in the XML format of PASCAL VOC and ImageNet."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from unveil.datasets.base import DatasetError, LabeledBox
from unveil.datasets.index import printable

# Published annotations have a few kilobytes.
MAX_ANNOTATION_BYTES = 1_000_000


@dataclass(frozen=True)
class AnnotatedObject:
    """One annotated object: its `name`, `xmin`, `ymin`, `xmax`, `ymax` and `difficult`, as they are in the file."""

    name: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    difficult: bool


@dataclass(frozen=True)
class Annotation:
    """The annotation of an image: its `shape` (height, width), None if the file has none, and the `objects` in it."""

    shape: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]


def read_annotation(path: Path) -> Annotation:
    """Read an annotation file. Parts of objects (heads, hands) are left out.

    Raises `DatasetError` for a file that is missing, empty, too large or not XML in UTF-8, for one that declares a
    document type or entities, and for an object without a name or with a coordinate that isn't a number.
    """
    try:
        root = ElementTree.fromstring(_read_plain_xml(path))  # noqa: S314 (it can't declare anything)
        if root.tag != "annotation":
            raise _damage_error(path, f"the element {printable(root.tag, 60)}")
        objects = tuple(_read_object(element, path) for element in root.findall("object"))
        return Annotation(_shape(root, path), objects)
    except ElementTree.ParseError as error:
        raise _damage_error(path, str(error)) from error


def to_labeled_box(annotated: AnnotatedObject, label: str, path: Path, *, first: int) -> LabeledBox:
    """Convert an object to the box from `min − first` to `max`, excluded.

    `first` is 1 if pixels are numbered from 1 and max is the last one inside, and 0 if the coordinates are edges.
    Raises `DatasetError` with the name of the file.
    """
    y, x = annotated.ymin - first, annotated.xmin - first
    try:
        return LabeledBox(label, y, x, annotated.ymax - y, annotated.xmax - x, annotated.difficult)
    except DatasetError as error:
        raise DatasetError(error.expected, f"{error.got} in {printable(path)}", error.do) from error


def _read_plain_xml(path: Path) -> str:
    """Read XML without declarations. It is decoded here, because an encoding given in the file could hide them."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ANNOTATION_BYTES + 1)
    except FileNotFoundError as error:
        raise DatasetError(
            "an annotation for every image", f"{printable(path)}, which does not exist", "fetch the annotations"
        ) from error
    except (OSError, ValueError) as error:
        raise _damage_error(path, getattr(error, "strerror", None) or str(error)) from error
    if not content.strip():
        raise _damage_error(path, "nothing")
    if len(content) > MAX_ANNOTATION_BYTES:
        raise _damage_error(path, f"more than {MAX_ANNOTATION_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _damage_error(path, f"a byte at {error.start} that isn't UTF-8") from error
    if re.search(r"<!(?!--|\[CDATA\[)", text):
        got = f"{printable(path)}, which declares a document type or entities"
        raise DatasetError("an annotation in plain XML", got, "don't use this file")
    return text


def _read_object(element: ElementTree.Element, path: Path) -> AnnotatedObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise _damage_error(path, "an object without a name")
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax"))
    return AnnotatedObject(name, xmin, ymin, xmax, ymax, (element.findtext("difficult") or "0").strip() == "1")


def _shape(root: ElementTree.Element, path: Path) -> tuple[int, int] | None:
    if root.find("size") is None:
        return None
    height, width = (_number(root, f"size/{side}", path) for side in ("height", "width"))
    # A size of 0 x 0 means unknown.
    if height == width == 0:
        return None
    if not (1 <= height <= 1e6 and 1 <= width <= 1e6):
        raise _damage_error(path, f"the size {height:g} x {width:g}")
    return int(height), int(width)


def _number(element: ElementTree.Element, name: str, path: Path) -> float:
    text = (element.findtext(name) or "").strip()
    try:
        return float(text)
    except ValueError as error:
        raise _damage_error(path, f"{printable(text, 60)} for {name}") from error


def _damage_error(path: Path, got: str) -> DatasetError:
    return DatasetError("a whole annotation in XML", f"{got} in {printable(path)}", "fetch the file again")
