"""What a dataset is: samples with labels, boxes and errors."""

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
    """A dataset, an index or an annotation that can't be understood."""


@dataclass(frozen=True)
class LabeledBox:
    """An upright box around what a label names.

    It covers y <= v < y + height and x <= u < x + width, where pixel (i, j) of the grid fills the square from (i, j)
    to (i + 1, j + 1); all four are in pixels. A box may reach beyond its image. `difficult`: marked by the annotators
    as too hard to count (PASCAL VOC). Raises `DatasetError` for numbers that aren't finite and sides that aren't
    positive.
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
            raise DatasetError("a box with finite numbers and sides above 0", got, "mend the box")

    def inside(self, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
        """True for the pixels of a grid `h w` whose center (i + 0.5, j + 0.5) the box covers.

        Boxes side by side share no pixel and leave none out. A box that no center falls into gives no pixel. Raises
        `DatasetError` for a shape that isn't two positive numbers.
        """
        rows, columns = _two_sides(shape)
        return np.outer(_covered(self.y, self.height, rows), _covered(self.x, self.width, columns))


@dataclass(frozen=True)
class Sample:
    """One image of a dataset, not read yet.

    `id`: its name, unique in the dataset. `path`: the image; for a row of an index that names none, the index.
    `labels`: what is in the image. `boxes`: where, in pixels of the grid `box_shape` (height, width); None stands for
    the image's own pixels. `group`: what must not be split between training and test, a patient say. `error`: why the
    sample can't be used, or None.
    """

    id: str
    path: Path
    labels: tuple[str, ...] = ()
    boxes: tuple[LabeledBox, ...] = ()
    group: str | None = None
    error: UnveilError | None = None
    box_shape: tuple[int, int] | None = None

    def read(self) -> Image:
        """The image. Raises the sample's `error`, or `ImageError` for a file that turns out damaged."""
        if self.error is not None:
            # The same exception may be raised many times; it must not collect the frames of all of them.
            raise self.error.with_traceback(None)
        return read_image(self.path)

    def boxes_on(self, shape: tuple[int, ...]) -> tuple[LabeledBox, ...]:
        """The boxes in pixels of the image at another size, `shape` = (height, width).

        y and height are multiplied by shape[0] / box_shape[0], x and width by shape[1] / box_shape[1]. Without a
        `box_shape` they stay as they are. Raises `DatasetError` for a shape that isn't two positive numbers.
        """
        rows, columns = _two_sides(shape)
        if self.box_shape is None or self.box_shape == (rows, columns):
            return self.boxes
        down, right = rows / self.box_shape[0], columns / self.box_shape[1]
        return tuple(
            replace(box, y=box.y * down, x=box.x * right, height=box.height * down, width=box.width * right)
            for box in self.boxes
        )


class Dataset(Sequence[Sample]):
    """A sequence of samples. What is wrong with one of them is in its `error` and never stops an iteration.

    `name` is for people; `labels` are the names of all labels, in order.
    """

    name: str
    labels: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are, broken ones included."""

    @abstractmethod
    def _sample(self, number: int) -> Sample:
        """The sample with a number from 0 to len - 1. Raises nothing that a file can cause."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Sample | list[Sample]:
        """One sample, or those of a slice. Raises `IndexError` beyond the end, as any sequence does."""
        numbers = range(len(self))
        if isinstance(index, slice):
            return [self._sample(number) for number in numbers[index]]
        return self._sample(numbers[index])

    def __iter__(self) -> Iterator[Sample]:
        """All samples in order."""
        return (self._sample(number) for number in range(len(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self)} samples, {len(self.labels)} labels>"


def as_value(error: UnveilError) -> UnveilError:
    """The error without the frames and errors that led to it, which would keep whole indexes in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _covered(start: float, length: float, count: int) -> Bool[np.ndarray, " n"]:
    centers = np.arange(count) + 0.5
    return (centers >= start) & (centers < start + length)


def _two_sides(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise DatasetError("a shape (height, width) in pixels", str(shape), "give the shape of a flat image")
    return shape[0], shape[1]
