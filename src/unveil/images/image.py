"""Image: pixels in [0, 1], where they came from, and what they measure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.errors import ImageError

MIN_SIDE = 8
FULL_RANGE = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}


@dataclass(frozen=True, eq=False)
class Image:
    """An image at its own size.

    `pixels`: float32 in [0, 1], channels first: 1 (grey) or 3 (colour). `value_range`: the original values that became
    0 and 1. `sha256` is the hash of the content (kind, shape and values of the array), not of the file. `spacing_mm`:
    the size of a pixel, where it is known.
    """

    pixels: Float[np.ndarray, "c *grid"] = field(repr=False)
    source: str
    sha256: str
    value_range: tuple[float, float]
    spacing_mm: tuple[float, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels (for a volume: depth, height, width)."""
        return self.pixels.shape[1:]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
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
    ) -> "Image":
        """An image of a numpy array or a tensor: `h w`, `h w c` or `c h w` with c of 1, 3 or 4.

        uint8 and uint16 are scaled by their full range, floats must lie in [0, 1], unless `value_range` names the
        values that become 0 and 1 (what is beyond is cut). Alpha is composited onto white. Raises `ImageError`.
        """
        values = _as_numpy(array)
        digest = hashlib.sha256(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
        pixels = _channels_first(values, channels_last)
        low, high = value_range or _range_of(pixels)
        pixels = _scaled(pixels, low, high, cut=value_range is not None)
        spacing = None if spacing_mm is None else tuple(float(value) for value in spacing_mm)
        return cls(_without_alpha(pixels), source, digest.hexdigest(), (low, high), spacing)


def _as_numpy(array: Any) -> np.ndarray:
    # Tensors are told by what they can do, so that reading an image doesn't import torch.
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float().numpy() if array.is_floating_point() else array.numpy()
    values = np.asarray(array)
    if values.dtype.kind not in "buif":
        raise ImageError("an array of numbers", f"dtype {values.dtype}", "give uint8, uint16 or float pixels")
    if values.ndim not in (2, 3):
        raise ImageError("an array h w, h w c or c h w", f"shape {values.shape}", "give one image at a time")
    return values


def _channels_first(values: np.ndarray, channels_last: bool | None) -> np.ndarray:
    if values.ndim == 2:
        values, channels_last = values[None], False
    first, last = values.shape[0] in (1, 3, 4), values.shape[-1] in (1, 3, 4)
    if channels_last is None:
        if first == last:
            got = f"shape {values.shape}"
            raise ImageError("one axis of 1, 3 or 4 channels", got, "say channels_last=True or False")
        channels_last = last
    values = np.moveaxis(values, -1, 0) if channels_last else values
    if len(values) not in (1, 3, 4):
        raise ImageError("1, 3 or 4 channels", f"{len(values)}", "check channels_last")
    if min(values.shape[1:]) < MIN_SIDE:
        size = "x".join(map(str, values.shape[1:]))
        raise ImageError(f"an image of at least {MIN_SIDE}x{MIN_SIDE} pixels", f"{size}", "give a larger image")
    return values


def _range_of(values: np.ndarray) -> tuple[float, float]:
    if values.dtype.kind == "f":
        return 0.0, 1.0
    if values.dtype.name in FULL_RANGE:
        return FULL_RANGE[values.dtype.name]
    raise ImageError("uint8, uint16 or float pixels", f"{values.dtype}", "say value_range=(lowest, highest)")


def _scaled(values: np.ndarray, low: float, high: float, *, cut: bool) -> Float[np.ndarray, "c *grid"]:
    if not low < high:
        raise ImageError("a value range (lowest, highest)", f"({low}, {high})", "put the smaller value first")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise ImageError("finite pixel values", f"{bad} of {values.size} that are NaN or infinite", "mend the image")
    scaled = ((values.astype(np.float32) - low) / (high - low)).astype(np.float32)
    if not cut and (scaled.min() < 0 or scaled.max() > 1):
        got = f"{values.min():.4g} to {values.max():.4g}"
        raise ImageError("float pixels in [0, 1]", got, "say value_range=(lowest, highest)")
    return scaled.clip(0, 1)


def _without_alpha(pixels: Float[np.ndarray, "c *grid"]) -> Float[np.ndarray, "d *grid"]:
    if len(pixels) != 4:
        return pixels
    colour, alpha = pixels[:3], pixels[3:]
    return colour * alpha + (1 - alpha)
