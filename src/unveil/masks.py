"""Outlines: sets of pixels as values, with their algebra, run-length code and connected components.

Inside the loop a set of pixels is a boolean array named for what True means (`inside`, `erased`); in a record it is
an `Mask`, which is small, frozen, comparable and written to JSON as it stands.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from unveil.errors import RecordError


@dataclass(frozen=True)
class Box:
    """The smallest upright box around a region, half open: `start[i] <= index < stop[i]` on every axis (y, x)."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """Side lengths in pixels, one an axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class Mask:
    """A set of pixels on a grid, kept as run lengths.

    `runs` are lengths in C order that alternate outside, inside, outside, …; the first counts pixels outside and may
    be 0, all others are positive. So equal sets have equal code, and `==` compares sets.

    >>> Mask.from_array(np.array([[True, False], [True, True]])).runs
    (0, 1, 1, 2)
    """

    shape: tuple[int, ...]
    runs: tuple[int, ...]

    def __post_init__(self) -> None:
        canonical = all(run > 0 for run in self.runs[1:]) and (not self.runs or self.runs[0] >= 0)
        if not canonical or sum(self.runs) != prod(self.shape):
            raise RecordError(
                f"run lengths that are positive and add up to {prod(self.shape)} for a grid {self.shape}",
                f"{len(self.runs)} runs that add up to {sum(self.runs)}",
                "the record was changed or damaged: make the run again",
            )

    @classmethod
    def from_array(cls, inside: Bool[np.ndarray, "*grid"]) -> "Mask":
        """The outline of a boolean array."""
        flat = inside.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = np.concatenate(([0], edges, [flat.size]))
        runs = np.diff(bounds).tolist()
        if flat.size and flat[0]:
            runs.insert(0, 0)
        return cls(tuple(inside.shape), tuple(runs) if flat.size else ())

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> "Mask":
        """No pixel of the grid."""
        return cls.from_array(np.zeros(shape, dtype=bool))

    def to_array(self) -> Bool[np.ndarray, "*grid"]:
        """The boolean array: True inside."""
        values = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(values, self.runs).reshape(self.shape)

    @property
    def area_px(self) -> int:
        """Number of pixels inside."""
        return sum(self.runs[1::2])

    @property
    def box(self) -> Box | None:
        """The smallest upright box around all pixels inside; None for an empty outline."""
        if not self.area_px:
            return None
        (slices,) = ndimage.find_objects(self.to_array().astype(np.uint8))
        return Box(tuple(s.start for s in slices), tuple(s.stop for s in slices))

    def __or__(self, other: "Mask") -> "Mask":
        """Pixels in either."""
        return self._with(other, np.logical_or)

    def __and__(self, other: "Mask") -> "Mask":
        """Pixels in both."""
        return self._with(other, np.logical_and)

    def __sub__(self, other: "Mask") -> "Mask":
        """Pixels in the first and not in the second."""
        return self._with(other, np.greater)

    def __invert__(self) -> "Mask":
        """Pixels outside."""
        return Mask.from_array(~self.to_array())

    def iou(self, other: "Mask") -> float:
        """Intersection over union, |A ∩ B| / |A ∪ B|; two empty outlines agree fully: 1."""
        return iou(self.to_array(), other.to_array())

    def components(self) -> tuple["Mask", ...]:
        """Connected parts (pixels that touch at a corner are connected), the largest first."""
        parts = [Mask.from_array(part) for part in components(self.to_array())]
        return tuple(sorted(parts, key=lambda part: -part.area_px))

    def _with(self, other: "Mask", operation: Callable) -> "Mask":
        if self.shape != other.shape:
            raise RecordError(
                f"two outlines on one grid {self.shape}", f"a second one on {other.shape}", "bring both to source size"
            )
        return Mask.from_array(operation(self.to_array(), other.to_array()))


def iou(one: Bool[np.ndarray, "*grid"], other: Bool[np.ndarray, "*grid"]) -> float:
    """|A ∩ B| / |A ∪ B| of two boolean arrays; 1 where both are empty."""
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / union if union else 1.0


def label_components(inside: Bool[np.ndarray, "*grid"]) -> tuple[Int[np.ndarray, "*grid"], int]:
    """Connected parts, full connectivity, numbered from 1 in scan order (0 outside), and how many there are."""
    return cast(tuple[np.ndarray, int], ndimage.label(inside, structure=np.ones((3,) * inside.ndim)))


def components(inside: Bool[np.ndarray, "*grid"]) -> list[Bool[np.ndarray, "*grid"]]:
    """Connected parts of a boolean array, in scan order."""
    numbers, count = label_components(inside)
    return [numbers == number for number in range(1, count + 1)]


def distance_px(erased: Bool[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """Euclidean distance in pixels from every pixel to the nearest erased one: 0 inside, inf if none is erased."""
    if not erased.any():
        return np.full(erased.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~erased))


def union(parts: Iterable[Bool[np.ndarray, "*grid"]], shape: tuple[int, ...]) -> Bool[np.ndarray, "*grid"]:
    """Pixels in any of the parts; nothing if there are none."""
    result = np.zeros(shape, dtype=bool)
    for part in parts:
        result |= part
    return result
