"""The model's pixels as a lattice over the whole source: where their centers are, and which of them the model gets."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from unveil.images.geometry import Geometry

LatticeMap = Bool[np.ndarray, "rows columns"]
# Centers exactly at the border of a stroke are inside, whatever the rounding of the last digit.
NUDGE_PX = 1e-9


@dataclass(frozen=True, eq=False)
class Lattice:
    """The model's pixels, continued over all of the source, so that what a crop leaves out can be counted.

    Attributes:
        geometry: The way between source and model.
        start: The numbers of the first row and column, on the model's grid; 0 or below.
        shape: The numbers of rows and columns.
    """

    geometry: Geometry
    start: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def around(cls, geometry: Geometry) -> "Lattice":
        """The smallest lattice that holds the source and the model's grid."""
        sides = tuple(zip(geometry.source_shape, geometry.model_shape, geometry.scale, geometry.offset, strict=True))
        start = tuple(min(0, math.floor(-offset / scale)) for _, _, scale, offset in sides)
        stop = tuple(max(model, math.ceil((source - offset) / scale)) for source, model, scale, offset in sides)
        return cls(geometry, start, tuple(b - a for a, b in zip(start, stop, strict=True)))

    @property
    def grid(self) -> tuple[slice, ...]:
        """Where the model's grid is."""
        model = self.geometry.model_shape
        return tuple(slice(-first, side - first) for first, side in zip(self.start, model, strict=True))

    def centers(self, axis: int) -> Float[np.ndarray, "n"]:
        """The centers of the rows (axis 0) or columns (axis 1), in pixels of the source."""
        numbers = np.arange(self.start[axis], self.start[axis] + self.shape[axis])
        return self.geometry.offset[axis] + self.geometry.scale[axis] * (numbers + 0.5)

    @property
    def in_source(self) -> LatticeMap:
        """The pixels whose centers lie in the source."""
        rows, columns = (
            (self.centers(axis) >= 0) & (self.centers(axis) < side)
            for axis, side in enumerate(self.geometry.source_shape)
        )
        return rows[:, None] & columns

    def columns_from(self, x: Float[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
        """The first column with its center at or behind x."""
        place = (x - self.centers(1)[0]) / self.geometry.scale[1]
        return np.ceil(place - NUDGE_PX).clip(0, self.shape[1]).astype(int)

    def columns_after(self, x: Float[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
        """The first column with its center behind x."""
        place = (x - self.centers(1)[0]) / self.geometry.scale[1]
        return (np.floor(place + NUDGE_PX) + 1).clip(0, self.shape[1]).astype(int)
