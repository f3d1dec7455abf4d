"""Photographs with one label of the network each, from a labeled folder; and their halves, for tuning and reporting."""

import csv
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unveil.datasets import CsvDataset, Dataset
from unveil.datasets.index import printable
from unveil.errors import UnveilError
from unveil.evaluation.paper.label_matching import match_labels

TABLE = "labels.csv"
PATH_COLUMNS = ("file", "path", "image")
INDEX_COLUMN = "class_index"
LABEL_COLUMNS = (INDEX_COLUMN, "label", "labels", "name")
HALVES = ("report", "tuning", "all")


class MosaicError(UnveilError):
    """A folder without labels, or too few photographs for a mosaic."""


@dataclass(frozen=True)
class Photograph:
    """A photograph and its label.

    Attributes:
        id: The name in the data set.
        path: The image file.
        label: The index of the network's label.
        place: The place in the data set, from 0 on.
    """

    id: str
    path: Path
    label: int
    place: int


@dataclass(frozen=True)
class PhotographList:
    """The photographs of a data set whose label the network has.

    Attributes:
        photographs: In the order of the data set.
        left_out: The number of samples that aren't among them, by reason.
    """

    photographs: tuple[Photograph, ...]
    left_out: Mapping[str, int]

    def half(self, name: str) -> "PhotographList":
        """The photographs at even places (`tuning`), at odd places (`report`), or `all`.

        Settings that were chosen on one half can be reported on the other. Raises `MosaicError` for another name.
        """
        if name not in HALVES:
            raise MosaicError(f"a half among {', '.join(HALVES)}", repr(name), "choose one of them")
        rest = {"tuning": (0,), "report": (1,), "all": (0, 1)}[name]
        return PhotographList(tuple(one for one in self.photographs if one.place % 2 in rest), self.left_out)

    def limited(self, count: int | None, seed: int) -> "PhotographList":
        """At most `count` photographs, drawn at random; the same seed gives the same ones, and more add to them."""
        if count is None or count >= len(self.photographs):
            return self
        order = np.random.default_rng(seed).permutation(len(self.photographs))[:count]
        return PhotographList(tuple(self.photographs[number] for number in sorted(order)), self.left_out)


def open_label_table(folder: str | Path) -> tuple[Dataset, bool]:
    """Open `labels.csv` of a folder: a table with a column of paths and a column of labels.

    Paths are in the column `file`, `path` or `image`. Labels are in `class_index` (indices of the network's labels), or
    else in `label`, `labels` or `name`. Returns the data set, and whether its labels are indices. Raises `MosaicError`
    for a table without these columns, and `DatasetError` for one that can't be read.
    """
    path = Path(folder) / TABLE
    names = _header(path)
    image = next((name for name in PATH_COLUMNS if name in names), None)
    label = next((name for name in LABEL_COLUMNS if name in names), None)
    if image is None or label is None:
        missing = f"paths ({', '.join(PATH_COLUMNS)})" if image is None else f"labels ({', '.join(LABEL_COLUMNS)})"
        got = f"{printable(path)} with {printable(', '.join(names)) if names else 'no header'}"
        raise MosaicError(f"a column of {missing}", got, "rename a column of the table")
    return CsvDataset(path, image=image, labels=label), label == INDEX_COLUMN


def list_photographs(dataset: Dataset, labels: Sequence[str], *, indexed: bool = False) -> PhotographList:
    """The photographs of a data set that have exactly one of the network's `labels`.

    Args:
        dataset: The data set; its labels are matched by name, as `match_labels` does.
        labels: The labels of the network.
        indexed: Whether the labels of the data set are indices of the network's labels.

    Raises `MosaicError` if no photograph has a label of the network.
    """
    known = _indices(dataset.labels, len(labels)) if indexed else match_labels(dataset.labels, labels).indices
    photographs, left_out = [], Counter({"unreadable": 0, "without one label of the network": 0})
    for place, sample in enumerate(dataset):
        indices = frozenset().union(*(known.get(label, frozenset()) for label in sample.labels))
        if sample.error is not None:
            left_out["unreadable"] += 1
        elif len(sample.labels) != 1 or len(indices) != 1:
            left_out["without one label of the network"] += 1
        else:
            photographs.append(Photograph(sample.id, sample.path, min(indices), place))
    if not photographs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
        example = f", such as {printable(dataset.labels[0], 40)}" if dataset.labels else ""
        raise MosaicError(
            f"photographs with a label of the network, such as {printable(labels[0], 40)}",
            f"{dataset.name} with {reasons}{example}",
            f"name the folders as the labels, or add {TABLE} with the columns file and {INDEX_COLUMN}",
        )
    return PhotographList(tuple(photographs), dict(left_out))


def hash_photographs(photographs: Sequence[Photograph]) -> str:
    """SHA-256 of the names, labels and contents of photographs."""
    digest = hashlib.sha256()
    for one in photographs:
        content = hashlib.sha256(one.path.read_bytes()).hexdigest()
        digest.update(f"{one.id}\0{one.label}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _indices(labels: Sequence[str], count: int) -> dict[str, frozenset[int]]:
    return {label: frozenset({int(label)}) for label in labels if label.isdecimal() and int(label) < count}


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, ValueError, csv.Error) as error:
        got = f"{printable(path)}: {getattr(error, 'strerror', None) or error}"
        raise MosaicError("a table that can be read", got, "save it as UTF-8 with commas") from error
