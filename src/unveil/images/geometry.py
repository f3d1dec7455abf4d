"""Geometry: the way between the model's grid and the source's pixels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from unveil.errors import ImageError

# Centers that fall on the border between two pixels must fall on the same side whatever the rounding of the last digit.
_NUDGE = 1e-9


@dataclass(frozen=True)
class Geometry:
    """An upright affine map between two grids: `source = offset + scale · model`, axis by axis.

    Coordinates are continuous: pixel i covers [i, i + 1), its center is i + 0.5. `scale` is in source px per model px,
    `offset` in source px. A model grid may reach beyond the source (padding) and may not cover all of it (crop).

    >>> Geometry.resize((100, 200), (50, 100)).to_source(np.array([[10.0, 10.0]]))
    array([[20., 20.]])
    """

    source_shape: tuple[int, ...]
    model_shape: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.source_shape), len(self.model_shape), len(self.scale), len(self.offset)}
        if len(lengths) != 1 or min(*self.source_shape, *self.model_shape, *self.scale) <= 0:
            got = f"{self.source_shape}, {self.model_shape}, {self.scale}, {self.offset}"
            raise ImageError(
                "a geometry with as many positive sides and scales as axes", got, "make it with Geometry.resize"
            )

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> "Geometry":
        """The model gets the source's own pixels."""
        return cls.resize(shape, shape)

    @classmethod
    def resize(cls, source_shape: tuple[int, ...], model_shape: tuple[int, ...]) -> "Geometry":
        """The whole source, resized onto the whole model grid."""
        scale = tuple(source / model for source, model in zip(source_shape, model_shape, strict=True))
        return cls(tuple(source_shape), tuple(model_shape), scale, (0.0,) * len(scale))

    def then_crop(self, start: tuple[int, ...], shape: tuple[int, ...]) -> "Geometry":
        """The part of the model grid that begins at pixel `start`; a negative start is padding."""
        offset = tuple(
            first + scale * begin for first, scale, begin in zip(self.offset, self.scale, start, strict=True)
        )
        return Geometry(self.source_shape, tuple(shape), self.scale, offset)

    @property
    def pixel_area_ratio(self) -> float:
        """Source pixels per model pixel."""
        return float(np.prod(self.scale))

    def to_source(self, points: Float[np.ndarray, "n axes"]) -> Float[np.ndarray, "n axes"]:
        """Points on the source, from points on the model grid."""
        return np.asarray(self.offset) + np.asarray(self.scale) * points

    def to_model(self, points: Float[np.ndarray, "n axes"]) -> Float[np.ndarray, "n axes"]:
        """Points on the model grid, from points on the source."""
        return (points - np.asarray(self.offset)) / np.asarray(self.scale)

    def region_to_source(self, inside: Bool[np.ndarray, "*grid"]) -> Bool[np.ndarray, "*source"]:
        """A source pixel is inside if the model pixel under its center is; pixels that the model doesn't see are
        outside."""
        return _sample_nearest(inside, [self._model_index(axis) for axis in range(inside.ndim)], self.model_shape)

    def region_to_model(self, inside: Bool[np.ndarray, "*source"]) -> Bool[np.ndarray, "*grid"]:
        """A model pixel is inside if the source pixel under its center is; padding is outside."""
        return _sample_nearest(inside, [self._source_index(axis) for axis in range(inside.ndim)], self.source_shape)

    def visible(self) -> Bool[np.ndarray, "*source"]:
        """The source pixels that the model gets."""
        return self.region_to_source(np.ones(self.model_shape, dtype=bool))

    def map_to_source(self, values: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*source"]:
        """A map interpolated linearly between the centers of the model's pixels; NaN where the model doesn't see."""
        centers = [
            (np.arange(side) + 0.5 - self.offset[axis]) / self.scale[axis]
            for axis, side in enumerate(self.source_shape)
        ]
        grid = np.meshgrid(*(center - 0.5 for center in centers), indexing="ij")
        result = ndimage.map_coordinates(values.astype(np.float32), grid, order=1, mode="nearest")
        result[~self.visible()] = np.nan
        return result

    def as_dict(self) -> dict:
        """Plain values for a record."""
        return {name: list(getattr(self, name)) for name in ("source_shape", "model_shape", "scale", "offset")}

    @classmethod
    def from_dict(cls, values: dict) -> "Geometry":
        """The geometry of plain values."""
        shapes = (tuple(int(side) for side in values[name]) for name in ("source_shape", "model_shape"))
        return cls(*shapes, *(tuple(float(value) for value in values[name]) for name in ("scale", "offset")))

    def _model_index(self, axis: int) -> Int[np.ndarray, "n"]:
        centers = np.arange(self.source_shape[axis]) + 0.5
        return np.floor((centers - self.offset[axis]) / self.scale[axis] + _NUDGE).astype(int)

    def _source_index(self, axis: int) -> Int[np.ndarray, "n"]:
        centers = np.arange(self.model_shape[axis]) + 0.5
        return np.floor(self.offset[axis] + self.scale[axis] * centers + _NUDGE).astype(int)


def _sample_nearest(
    inside: Bool[np.ndarray, "*from"], indices: list[Int[np.ndarray, "_"]], shape: tuple[int, ...]
) -> Bool[np.ndarray, "*to"]:
    if inside.shape != shape:
        raise ImageError(f"a region on the grid {shape}", f"one on {inside.shape}", "check which grid it belongs to")
    result = inside[np.ix_(*(index.clip(0, side - 1) for index, side in zip(indices, shape, strict=True)))]
    for axis, (index, side) in enumerate(zip(indices, shape, strict=True)):
        there = (index >= 0) & (index < side)
        result &= there.reshape([-1 if other == axis else 1 for other in range(inside.ndim)])
    return result
