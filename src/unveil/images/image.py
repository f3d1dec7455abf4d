"""Image: pixels in [0, 1], where they came from, and what they measure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.errors import ImageError
from unveil.images.placement import Placement

MIN_SIDE = 8
AXES = ("h w", "h w c", "c h w", "d h w", "d h w c", "c d h w")
FULL_RANGE = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}


@dataclass(frozen=True, eq=False)
class Image:
    """An image, or a volume, at its own size.

    `pixels`: float32 in [0, 1], channels first: 1 (gray) or 3 (color), of a volume any number. `value_range`: the
    original values that became 0 and 1. `sha256` is the hash of the content (kind, shape and values of the array), not
    of the file. `spacing_mm`: the size of a pixel axis by axis, `placement`: where a volume lies in the patient; both
    where they are known.
    """

    pixels: Float[np.ndarray, "c *grid"] = field(repr=False)
    source: str
    sha256: str
    value_range: tuple[float, float]
    spacing_mm: tuple[float, ...] | None = None
    placement: Placement | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels (for a volume: depth, height, width)."""
        return self.pixels.shape[1:]

    @property
    def channels(self) -> int:
        """1 for gray, 3 for color."""
        return len(self.pixels)

    @classmethod
    def from_array(
        cls,
        array: Any,
        *,
        value_range: tuple[float, float] | None = None,
        channels_last: bool | None = None,
        source: str = "array",
        spacing_mm: Sequence[float] | None = None,
        axes: str | None = None,
        placement: Placement | None = None,
    ) -> "Image":
        """An image of a numpy array or a tensor: `h w`, `h w c` or `c h w` with c of 1, 3 or 4.

        A volume has to be named by its axes, because its shape could be that of an image: `axes="d h w"`, `"c d h w"`
        or `"d h w c"`; its channels are kept as they are.

        uint8 and uint16 are scaled by their full range, floats must lie in [0, 1], unless `value_range` names the
        values that become 0 and 1 (what is beyond is cut). Alpha is composited onto white. Raises `ImageError`.
        """
        values = _as_numpy(array)
        names = _axes_of(values, axes, channels_last)
        digest = hashlib.sha256(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
        pixels = _channels_first(values, names)
        low, high = map(float, value_range or _range_of(pixels))
        pixels = _scaled(pixels, low, high, cut=value_range is not None)
        if "d" not in names:
            pixels = _without_alpha(pixels)
        spacing = None if spacing_mm is None else _checked_spacing(spacing_mm, pixels.ndim - 1)
        return cls(pixels, source, digest.hexdigest(), (low, high), spacing, placement)


def _as_numpy(array: Any) -> np.ndarray:
    # Tensors are told by what they can do, so that reading an image doesn't import torch.
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float().numpy() if array.is_floating_point() else array.numpy()
    values = np.asarray(array)
    if values.dtype.kind not in "buif":
        raise ImageError("an array of numbers", f"dtype {values.dtype}", "give uint8, uint16 or float pixels")
    return values


def _axes_of(values: np.ndarray, axes: str | None, channels_last: bool | None) -> str:
    """The names of the axes: as they are given, or for an image as its shape tells."""
    if axes is not None:
        if axes not in AXES or len(axes.split()) != values.ndim or channels_last is not None:
            got = f"{axes!r} for shape {values.shape}" + (" and channels_last" if channels_last is not None else "")
            raise ImageError(f"axes {', '.join(AXES)}", got, "name every axis of the array once")
        return axes
    if values.ndim == 2:
        return "h w"
    if values.ndim != 3:
        do = 'give one image at a time; a volume with channels has axes="c d h w"'
        raise ImageError("an array h w, h w c or c h w", f"shape {values.shape}", do)
    first, last = values.shape[0] in (1, 3, 4), values.shape[-1] in (1, 3, 4)
    if channels_last is None and first == last:
        do = 'say channels_last=True or False, or axes="d h w" for a volume'
        raise ImageError("one axis of 1, 3 or 4 channels", f"shape {values.shape}", do)
    return "h w c" if (last if channels_last is None else channels_last) else "c h w"


def _channels_first(values: np.ndarray, axes: str) -> np.ndarray:
    if "c" not in axes:
        values = values[None]
    elif axes.endswith("c"):
        values = np.moveaxis(values, -1, 0)
    volume = "d" in axes
    if (not volume and len(values) not in (1, 3, 4)) or not len(values):
        raise ImageError("1, 3 or 4 channels", f"{len(values)}", "check channels_last")
    if min(values.shape[1:]) < MIN_SIDE:
        size = "x".join(map(str, values.shape[1:]))
        least = "x".join([str(MIN_SIDE)] * (values.ndim - 1))
        what, cells = ("a volume", "voxels") if volume else ("an image", "pixels")
        raise ImageError(f"{what} of at least {least} {cells}", size, f"give a larger {what.split()[1]}")
    return values


def _checked_spacing(spacing_mm: Sequence[float], axes: int) -> tuple[float, ...]:
    spacing = tuple(float(value) for value in spacing_mm)
    if len(spacing) != axes or not all(0 < value < float("inf") for value in spacing):
        raise ImageError(f"{axes} sizes in mm, one an axis", str(spacing), "give the size of a pixel axis by axis")
    return spacing


def _range_of(values: np.ndarray) -> tuple[float, float]:
    if values.dtype.kind == "f":
        return 0.0, 1.0
    if values.dtype.name in FULL_RANGE:
        return FULL_RANGE[values.dtype.name]
    raise ImageError("uint8, uint16 or float pixels", f"{values.dtype}", "say value_range=(lowest, highest)")


def _scaled(values: np.ndarray, low: float, high: float, *, cut: bool) -> Float[np.ndarray, "c *grid"]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise ImageError("finite pixel values", f"{bad} of {values.size} that are NaN or infinite", "mend the image")
    if not 0 < high - low < float("inf"):
        raise ImageError("a value range (lowest, highest)", f"({low}, {high})", "put the smaller value first")
    # float32 holds whole numbers up to 24 bits, and no difference beyond 3e38.
    wide = np.float32 if np.can_cast(values.dtype, np.float32) and high - low < 1e37 else np.float64
    scaled = ((values.astype(wide) - low) / (high - low)).astype(np.float32)
    if not cut and (scaled.min() < 0 or scaled.max() > 1):
        got = f"{values.min():.4g} to {values.max():.4g}"
        raise ImageError("float pixels in [0, 1]", got, "say value_range=(lowest, highest)")
    return scaled.clip(0, 1)


def _without_alpha(pixels: Float[np.ndarray, "c *grid"]) -> Float[np.ndarray, "d *grid"]:
    if len(pixels) != 4:
        return pixels
    color, alpha = pixels[:3], pixels[3:]
    return color * alpha + (1 - alpha)
