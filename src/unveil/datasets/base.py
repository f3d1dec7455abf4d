"""Datasets as sequences of samples with labels, boxes and errors."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import SupportsIndex, overload

import numpy as np
from jaxtyping import Bool

from unveil.errors import UnveilError
from unveil.images import Image, read_image


class DatasetError(UnveilError):
    """A dataset, an index or an annotation can't be parsed."""


@dataclass(frozen=True)
class LabeledBox:
    """A bounding box of an object with its label.

    The box covers y <= v < y + height and x <= u < x + width in pixels, where pixel (i, j) fills the square from (i, j)
    to (i + 1, j + 1). It may extend beyond the image.

    Attributes:
        label: The name of the object's class.
        y, x: The top left corner in px.
        height, width: The side lengths in px.
        difficult: Whether the annotators marked the object as too difficult to count (PASCAL VOC).

    Raises `DatasetError` for numbers that aren't finite and sides that aren't positive.
    """

    label: str
    y: float
    x: float
    height: float
    width: float
    difficult: bool = False

    def __post_init__(self) -> None:
        numbers = (self.y, self.x, self.height, self.width)
        if not all(map(math.isfinite, numbers)) or self.height <= 0 or self.width <= 0:
            got = "y={:g}, x={:g}, height={:g}, width={:g}".format(*numbers)
            raise DatasetError("a box with finite numbers and sides above 0", got, "correct the box")

    def inside(self, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
        """Compute a boolean array of this `shape`: True at pixels whose center (i + 0.5, j + 0.5) the box covers.

        Adjacent boxes share no pixel and leave no gap. A box without any pixel center gives an empty array. Raises
        `DatasetError` for a shape that isn't two positive numbers.

        >>> int(LabeledBox("dog", y=0.2, x=1, height=2, width=3).inside((8, 8)).sum())
        6
        """
        rows, columns = _two_sides(shape)
        return np.outer(_covered(self.y, self.height, rows), _covered(self.x, self.width, columns))


@dataclass(frozen=True)
class Sample:
    """One image of a dataset, which isn't read yet.

    Attributes:
        id: The name of the image, unique in the dataset.
        path: The image file; for a row of an index that doesn't name an image, the index file.
        labels: The labels of the image.
        boxes: The annotated boxes, in pixels of a grid of `box_shape`.
        group: Samples of one group must not be split between training and test; for example a patient.
        error: Why the sample can't be used; None if it can.
        box_shape: (height, width) of the grid of the boxes; None for the image's own pixels.
    """

    id: str
    path: Path
    labels: tuple[str, ...] = ()
    boxes: tuple[LabeledBox, ...] = ()
    group: str | None = None
    error: UnveilError | None = None
    box_shape: tuple[int, int] | None = None

    def read(self, channels: int | None = None) -> Image:
        """Read the image; `channels` is the number that the classifier expects, as in `read_image`.

        Raises the sample's `error`, or `ImageError` for a damaged file.
        """
        if self.error is not None:
            # The same exception may be raised many times, and must not collect the frames of all of them.
            raise self.error.with_traceback(None)
        return read_image(self.path, channels=channels)

    def boxes_on(self, shape: tuple[int, ...]) -> tuple[LabeledBox, ...]:
        """Scale the boxes to an image of `shape` = (height, width).

        y and height are multiplied by shape[0] / box_shape[0], x and width by shape[1] / box_shape[1]. Without a
        `box_shape` the boxes are returned unchanged. Raises `DatasetError` for a shape that isn't two positive numbers.
        """
        rows, columns = _two_sides(shape)
        if self.box_shape is None or self.box_shape == (rows, columns):
            return self.boxes
        scale_y, scale_x = rows / self.box_shape[0], columns / self.box_shape[1]
        return tuple(
            replace(box, y=box.y * scale_y, x=box.x * scale_x, height=box.height * scale_y, width=box.width * scale_x)
            for box in self.boxes
        )


class Dataset(Sequence[Sample]):
    """A sequence of samples. A sample that can't be used has an `error`, which doesn't stop an iteration.

    Attributes:
        name: The name of the dataset, for display.
        labels: The names of all labels, in order.
    """

    name: str
    labels: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples, including those with an error."""

    @abstractmethod
    def _sample(self, number: int) -> Sample:
        """Make the sample with a number from 0 to len − 1. Problems with files become its `error`."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Sample | list[Sample]:
        """Get one sample, or the list of samples of a slice. Raises `IndexError` beyond the end."""
        numbers = range(len(self))
        if isinstance(index, slice):
            return [self._sample(number) for number in numbers[index]]
        return self._sample(numbers[index])

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over all samples in order."""
        return (self._sample(number) for number in range(len(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self)} samples, {len(self.labels)} labels>"


def without_traceback(error: UnveilError) -> UnveilError:
    """Remove the frames and causes of an error, which would keep whole indexes in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _covered(start: float, length: float, count: int) -> Bool[np.ndarray, " n"]:
    centers = np.arange(count) + 0.5
    return (centers >= start) & (centers < start + length)


def _two_sides(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise DatasetError("a shape (height, width) in pixels", str(shape), "give the shape of a two-dimensional image")
    return shape[0], shape[1]
