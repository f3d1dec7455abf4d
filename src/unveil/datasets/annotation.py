"""Annotations of one image in the XML of PASCAL VOC, which ImageNet uses too."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from unveil.datasets.base import DatasetError, LabeledBox
from unveil.datasets.index import shown

# An annotation has a few kilobytes.
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class AnnotatedObject:
    """One object: its name and the four numbers as they stand in the file."""

    name: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    difficult: bool


@dataclass(frozen=True)
class Annotation:
    """What the file says of an image: (height, width), None where it doesn't say, and the objects in it."""

    shape: tuple[int, int] | None
    things: tuple[AnnotatedObject, ...]


def read_annotation(path: Path) -> Annotation:
    """The annotation in a file. Parts of objects are left out.

    Raises `DatasetError` for a file that is missing, empty, too large, no XML in UTF-8, or that declares a document
    type or entities, and for an object without a name or with a number that isn't one.
    """
    try:
        root = ElementTree.fromstring(_harmless(path))  # noqa: S314 (it can't declare anything)
        if root.tag != "annotation":
            raise _damaged(path, f"the element {shown(root.tag, 60)}")
        things = tuple(_thing(one, path) for one in root.findall("object"))
        return Annotation(_shape(root, path), things)
    except ElementTree.ParseError as error:
        raise _damaged(path, str(error)) from error


def box_of(thing: AnnotatedObject, label: str, path: Path, *, first: int) -> LabeledBox:
    """The box from min - first up to max, without it: `first` of 1 where pixels count from 1 and max is the last one
    inside, 0 where the numbers are edges. Raises `DatasetError` that names the file."""
    y, x = thing.ymin - first, thing.xmin - first
    try:
        return LabeledBox(label, y, x, thing.ymax - y, thing.xmax - x, thing.difficult)
    except DatasetError as error:
        raise DatasetError(error.expected, f"{error.got} in {shown(path)}", error.do) from error


def _harmless(path: Path) -> str:
    """The text, which can't declare anything. As text, because bytes could choose an encoding that hides a
    declaration."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise DatasetError(
            "an annotation of every image", f"{shown(path)}, which does not exist", "fetch the annotations"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, getattr(error, "strerror", None) or str(error)) from error
    if not content.strip():
        raise _damaged(path, "nothing")
    if len(content) > MOST_BYTES:
        raise _damaged(path, f"more than {MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _damaged(path, f"a byte at {error.start} that isn't UTF-8") from error
    if re.search(r"<!(?!--|\[CDATA\[)", text):
        got = f"{shown(path)}, which declares a document type or entities"
        raise DatasetError("an annotation in plain XML", got, "don't trust this file")
    return text


def _thing(one: ElementTree.Element, path: Path) -> AnnotatedObject:
    name = (one.findtext("name") or "").strip()
    if not name:
        raise _damaged(path, "an object without a name")
    xmin, ymin, xmax, ymax = (_number(one, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax"))
    return AnnotatedObject(name, xmin, ymin, xmax, ymax, (one.findtext("difficult") or "0").strip() == "1")


def _shape(root: ElementTree.Element, path: Path) -> tuple[int, int] | None:
    if root.find("size") is None:
        return None
    height, width = (_number(root, f"size/{side}", path) for side in ("height", "width"))
    # 0 x 0 is taken as not known.
    if height == width == 0:
        return None
    if not (1 <= height <= 1e6 and 1 <= width <= 1e6):
        raise _damaged(path, f"the size {height:g} x {width:g}")
    return int(height), int(width)


def _number(one: ElementTree.Element, name: str, path: Path) -> float:
    text = (one.findtext(name) or "").strip()
    try:
        return float(text)
    except ValueError as error:
        raise _damaged(path, f"{shown(text, 60)} for {name}") from error


def _damaged(path: Path, got: str) -> DatasetError:
    return DatasetError("a whole annotation in XML", f"{got} in {shown(path)}", "fetch the file again")
