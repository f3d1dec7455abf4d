"""Masks: sets of pixels with set operations, a run-length code and connected components.

Computations use boolean arrays that are named for what True means (`inside`, `erased`). Records hold a `Mask`, which
is small, immutable and comparable, and whose fields are what the file contains.
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
    """A bounding box, half open: `start[i] <= index < stop[i]` along every axis (y, x).

    >>> Box((2, 3), (5, 9)).size
    (3, 6)
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """The side length along each axis in pixels."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class Mask:
    """A set of pixels on a grid, stored as run lengths.

    Attributes:
        shape: The shape of the grid.
        runs: The lengths of runs of equal pixels in C order, beginning with pixels outside, then alternating inside
            and outside. The first length may be 0, all others are positive, so equal sets have equal codes and `==`
            compares sets.

    Raises `RecordError` for run lengths that don't form such a code.

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
        """Encode the boolean array `inside`, True inside."""
        flat = inside.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = np.concatenate(([0], edges, [flat.size]))
        runs = np.diff(bounds).tolist()
        if flat.size and flat[0]:
            runs.insert(0, 0)
        return cls(tuple(inside.shape), tuple(runs) if flat.size else ())

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> "Mask":
        """Make the mask of a grid of this `shape` without any pixel inside."""
        return cls.from_array(np.zeros(shape, dtype=bool))

    def to_array(self) -> Bool[np.ndarray, "*grid"]:
        """Decode to a boolean array, True inside."""
        values = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(values, self.runs).reshape(self.shape)

    @property
    def area_px(self) -> int:
        """The number of pixels inside."""
        return sum(self.runs[1::2])

    @property
    def box(self) -> Box | None:
        """The bounding box; None for an empty mask."""
        if not self.area_px:
            return None
        (slices,) = ndimage.find_objects(self.to_array().astype(np.uint8))
        return Box(tuple(s.start for s in slices), tuple(s.stop for s in slices))

    def __or__(self, other: "Mask") -> "Mask":
        """Union: pixels in either mask."""
        return self._combine(other, np.logical_or)

    def __and__(self, other: "Mask") -> "Mask":
        """Intersection: pixels in both masks."""
        return self._combine(other, np.logical_and)

    def __sub__(self, other: "Mask") -> "Mask":
        """Difference: pixels in the first mask and not in the second."""
        return self._combine(other, np.greater)

    def __invert__(self) -> "Mask":
        """Complement: pixels outside."""
        return Mask.from_array(~self.to_array())

    def iou(self, other: "Mask") -> float:
        """Compute the intersection over union with the `other` mask, |A ∩ B| / |A ∪ B|; 1 for two empty masks."""
        return iou(self.to_array(), other.to_array())

    def components(self) -> tuple["Mask", ...]:
        """Split into connected components, largest first; pixels that touch at a corner are connected."""
        masks = [Mask.from_array(component) for component in components(self.to_array())]
        return tuple(sorted(masks, key=lambda mask: -mask.area_px))

    def _combine(self, other: "Mask", operation: Callable) -> "Mask":
        if self.shape != other.shape:
            raise RecordError(
                f"two masks on one grid {self.shape}", f"a second one on {other.shape}", "bring both to source size"
            )
        return Mask.from_array(operation(self.to_array(), other.to_array()))


def iou(a: Bool[np.ndarray, "*grid"], b: Bool[np.ndarray, "*grid"]) -> float:
    """Compute the intersection over union |A ∩ B| / |A ∪ B| of two boolean arrays; 1 if both are empty.

    >>> iou(np.array([True, True, False]), np.array([False, True, True]))
    0.3333333333333333
    """
    union_px = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union_px if union_px else 1.0


def label_components(inside: Bool[np.ndarray, "*grid"]) -> tuple[Int[np.ndarray, "*grid"], int]:
    """Label the connected components from 1 in scan order (0 outside), and count them.

    Pixels that touch at a corner are connected.
    """
    return cast(tuple[np.ndarray, int], ndimage.label(inside, structure=np.ones((3,) * inside.ndim)))


def components(inside: Bool[np.ndarray, "*grid"]) -> list[Bool[np.ndarray, "*grid"]]:
    """Split a boolean array into its connected components, in scan order."""
    labels, count = label_components(inside)
    return [labels == label for label in range(1, count + 1)]


def distance_px(erased: Bool[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """Compute the Euclidean distance in px of every pixel to the nearest erased one; inf if none is erased."""
    if not erased.any():
        return np.full(erased.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~erased))


def union(arrays: Iterable[Bool[np.ndarray, "*grid"]], shape: tuple[int, ...]) -> Bool[np.ndarray, "*grid"]:
    """Compute the union of boolean arrays; empty for no array."""
    result = np.zeros(shape, dtype=bool)
    for array in arrays:
        result |= array
    return result
