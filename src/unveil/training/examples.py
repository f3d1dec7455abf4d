"""The images of a training: on the model's grid, as bytes in one file, with their labels."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from unveil.atomic import written_atomically
from unveil.classifiers import Classifier
from unveil.datasets import Sample
from unveil.errors import UnveilError
from unveil.predictions import Output
from unveil.training.settings import TrainingError

OnCount = Callable[[int, int], None]  # done, total


@dataclass(frozen=True, eq=False)
class Examples:
    """Images with labels.

    Attributes:
        pixels: The images as bytes: 0 and 255 stand for 0 and 1.
        targets: 1 for each label that an image has, else 0.
        groups: Images of one group stay on one side of a split.
        names: The names of the images.
    """

    pixels: UInt8[np.ndarray, "n c *grid"]
    targets: Float[np.ndarray, "n k"]
    groups: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Float[Tensor, "b c *grid"]:
        """The pixels of some rows, in [0, 1]."""
        return torch.from_numpy(np.ascontiguousarray(self.pixels[np.asarray(rows)])).float() / 255

    def choose(self, rows: Sequence[int] | np.ndarray) -> "Examples":
        """The examples of these rows."""
        places = np.asarray(rows, dtype=int)
        groups, names = (tuple(values[place] for place in places) for values in (self.groups, self.names))
        return Examples(self.pixels[places], self.targets[places], groups, names)


def split_rows(groups: Sequence[str], share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for validation: about this `share` of the groups for validation.

    A group's side follows from a hash of its name, so it doesn't depend on order or on other groups.

    Args:
        groups: The group of each row, such as its patient.
        share: The share for validation, between 0 and 1.

    >>> training, validation = split_rows([f"patient {number}" for number in range(1000)], 0.2)
    >>> len(training) + len(validation), bool(np.intersect1d(training, validation).size)
    (1000, False)
    """
    kept = np.array([_place(group) < share for group in groups], dtype=bool)
    return np.flatnonzero(~kept), np.flatnonzero(kept)


def _place(group: str) -> float:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32


def read_examples(
    samples: Sequence[Sample],
    classifier: Classifier,
    columns: Mapping[str, int],
    file: Path,
    on_count: OnCount = lambda done, total: None,
    on_error: Callable[[Sample, UnveilError], None] = lambda sample, error: None,
) -> Examples:
    """Read images onto the grid of `classifier`, once, into a `file` that is then mapped into memory.

    Args:
        samples: The images. Those that can't be read, or have no label of `columns`, are left out.
        classifier: Its preprocessing is used.
        columns: The column of the classifier for each label of the data; other labels are ignored.
        file: Where the bytes are kept; an existing file is replaced.
        on_count: Called with the number of images done, and their total.
        on_error: Called with an image that can't be read, and why.

    With a softmax, each image must have exactly one label. Raises `TrainingError` if no image is left.
    """
    output, labels = classifier.output, len(classifier.labels)
    shape = (classifier.preprocessing.channels, *classifier.preprocessing.crop)
    targets: list[np.ndarray] = []
    kept: list[Sample] = []
    with written_atomically(file, "the images of a training") as part, part.open("wb") as stream:
        for done, sample in enumerate(samples, start=1):
            row = _target(sample, columns, labels, output)
            try:
                if row is not None:
                    pixels = classifier.prepare(sample.read(shape[0])).pixels.cpu().numpy()
                    stream.write(np.round(pixels * 255).clip(0, 255).astype(np.uint8).tobytes())
                    targets.append(row)
                    kept.append(sample)
            except UnveilError as error:
                on_error(sample, error)
            on_count(done, len(samples))
        if not kept:
            got = f"none among {len(samples)}"
            raise TrainingError("images with labels of the classifier", got, "check the data and the labels")
    pixels = np.memmap(file, np.uint8, "r", shape=(len(kept), *shape))
    groups = tuple(sample.group or sample.id for sample in kept)
    return Examples(pixels, np.stack(targets), groups, tuple(sample.id for sample in kept))


def _target(sample: Sample, columns: Mapping[str, int], labels: int, output: Output) -> np.ndarray | None:
    """A row of targets; None for an image that can't be used: with a softmax, one without exactly one label."""
    found = {columns[label] for label in sample.labels if label in columns}
    if output is Output.SOFTMAX and len(found) != 1:
        return None
    row = np.zeros(labels, np.float32)
    row[list(found)] = 1
    return row


def check_classes(examples: Examples, labels: Sequence[str], wanted: Iterator[int] | Sequence[int]) -> None:
    """Raise `TrainingError` if one of the `wanted` labels has no image, or all of them."""
    counts = examples.targets.sum(0)
    for column in wanted:
        if counts[column] == 0:
            raise TrainingError(f"images of {labels[column]}", "none for training", "add some, or leave the label out")
    if len(examples) < 2:
        raise TrainingError("at least 2 images for training", str(len(examples)), "add images")
