"""Image: pixels in [0, 1], where they came from, and what they measure."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.errors import ImageError, UnveilWarning
from unveil.images.placement import Placement
from unveil.images.scaling import checked_range, range_of, require_finite, scaled, unused_bits

MIN_SIDE = 8
AXES = ("h w", "h w c", "c h w", "d h w", "d h w c", "c d h w")


@dataclass(frozen=True, eq=False)
class Image:
    """An image, or a volume, at its own size.

    Attributes:
        pixels: float32 in [0, 1], channels first: 1 channel (gray), 3 (RGB), or as many as the classifier expects.
        source: The name that records and figures show: a path, or the kind of the source.
        sha256: The SHA-256 of type, shape and values of the decoded pixels before scaling. It doesn't depend on the
            file format, so a file, its content as bytes and the PIL image of it have the same hash.
        value_range: The original values that became 0 and 1.
        spacing_mm: The size of a pixel along each axis in mm, where it is known.
        placement: Where a volume lies in the patient, where it is known.
        warning: What was noticed about the values, in one line: 16 bits of which at most 13 are used.
    """

    pixels: Float[np.ndarray, "c *grid"] = field(repr=False)
    source: str
    sha256: str
    value_range: tuple[float, float]
    spacing_mm: tuple[float, ...] | None = None
    placement: Placement | None = None
    warning: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels (for a volume: depth, height, width)."""
        return self.pixels.shape[1:]

    @property
    def channels(self) -> int:
        """The number of channels: 1 for gray, 3 for RGB, or another number for other kinds of images."""
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
        channels: int | None = None,
    ) -> "Image":
        """Make an image of a NumPy array or a tensor: `x = (v − low) / (high − low)` as float32.

        Args:
            array: Axes `h w`, `h w c` or `c h w`. Four channels are RGBA and composited onto white, unless `channels`
                is 4; other numbers are kept. The axis of the channels is found if it is 1, 3, 4 or `channels` long.
            value_range: The values `(low, high)` that become 0 and 1; values beyond are clipped. Default: the full
                range of bool, uint8 and uint16, and (0, 1) for floats, which must then lie in [0, 1].
            channels_last: Whether the channels are the last axis; needed where both the first and the last axis
                could be channels.
            source: The name of the image in records.
            spacing_mm: The size of a pixel along each axis in mm.
            axes: The names of the axes. A volume needs them, because its shape could be that of an image: `"d h w"`,
                `"c d h w"` or `"d h w c"`. The channels of a volume are kept as they are.
            placement: Where a volume lies in the patient.
            channels: The number of channels that the classifier expects, for images that aren't gray or color.

        Raises `ImageError` for arrays that aren't an image of at least 8 pixels along each axis, for values that are
        NaN or infinite, and for floats outside [0, 1] without a `value_range`. Warns about 16-bit values of which none
        reaches 2^13, such as those of scanners with 12 bits: scaled by 65535 they are nearly black.

        >>> image = Image.from_array(np.full((8, 16, 3), 51, dtype=np.uint8))
        >>> image.shape, image.channels, image.value_range
        ((8, 16), 3, (0.0, 255.0))
        >>> float(image.pixels[0, 0, 0])
        0.20000000298023224
        """
        values = _as_numpy(array)
        names = _axes_of(values, axes, channels_last, channels)
        digest = hashlib.sha256(f"{values.dtype}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
        original = _channels_first(values, names)
        require_finite(original)
        composited = "d" not in names and len(original) == 4 != channels
        warning = unused_bits(original[:3] if composited else original) if value_range is None else None
        used = range_of(original) if value_range is None else checked_range(value_range)
        pixels = scaled(original, used, composited=composited)
        spacing = None if spacing_mm is None else _checked_spacing(spacing_mm, pixels.ndim - 1)
        if warning is not None:
            warnings.warn(f"{source}: {warning}", UnveilWarning, stacklevel=2)
        return cls(pixels, source, digest.hexdigest(), used, spacing, placement, warning)


def too_small(shape: tuple[int, ...]) -> ImageError:
    """The error for an image (two axes) or a volume (three axes) with a side shorter than `MIN_SIDE`."""
    kind, cells = ("a volume", "voxels") if len(shape) == 3 else ("an image", "pixels")
    smallest = "x".join([str(MIN_SIDE)] * len(shape))
    got = "x".join(map(str, shape))
    return ImageError(f"{kind} of at least {smallest} {cells}", got, f"give a larger {kind.split()[1]}")


def _as_numpy(array: Any) -> np.ndarray:
    # Tensors are recognized by their methods, so that reading an image doesn't import torch.
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float().numpy() if array.is_floating_point() else array.numpy()
    values = np.asarray(array)
    if values.dtype.kind not in "buif":
        several = values.dtype.kind in "USO" and values.ndim > 0
        do = "give one image at a time, or use run_images" if several else "give uint8, uint16 or float pixels"
        raise ImageError("an array of numbers", f"dtype {values.dtype}", do)
    return values


def _axes_of(values: np.ndarray, axes: str | None, channels_last: bool | None, channels: int | None) -> str:
    """The names of the axes: as given, or for an image derived from its shape."""
    if axes is not None:
        if axes not in AXES or len(axes.split()) != values.ndim or channels_last is not None:
            got = f"{axes!r} for shape {values.shape}" + (" and channels_last" if channels_last is not None else "")
            raise ImageError(f"axes {', '.join(AXES)}", got, "name every axis of the array once")
        return axes
    if values.ndim == 2:
        return "h w"
    if values.ndim != 3:
        one = "array[0]" if values.ndim == 4 and len(values) == 1 else "one image at a time"
        do = f'give {one}; a volume with channels has axes="c d h w"'
        raise ImageError("an array h w, h w c or c h w", f"shape {values.shape}", do)
    first, last = (side in (1, 3, 4, channels) for side in (values.shape[0], values.shape[-1]))
    if channels_last is None and first == last:
        do = 'give channels_last=True or False, or axes="d h w" for a volume'
        if channels is not None and not first:
            do = f'give the {channels} channels that the classifier has, or axes="d h w" for a volume'
        counts = "1, 3 or 4" if channels in (None, 1, 3, 4) else f"1, 3, 4 or {channels}"
        raise ImageError(f"one axis of {counts} channels", f"shape {values.shape}", do)
    return "h w c" if (last if channels_last is None else channels_last) else "c h w"


def _channels_first(values: np.ndarray, axes: str) -> np.ndarray:
    if "c" not in axes:
        values = values[None]
    elif axes.endswith("c"):
        values = np.moveaxis(values, -1, 0)
    if not len(values):
        raise ImageError("at least 1 channel", "0", "check channels_last")
    if min(values.shape[1:]) < MIN_SIDE:
        if "d" not in axes and len(values) >= MIN_SIDE:
            do = "check channels_last"
            raise ImageError("an image of at least 8x8 pixels", f"{len(values)} channels of {values.shape[1:]}", do)
        raise too_small(values.shape[1:])
    return values


def _checked_spacing(spacing_mm: Sequence[float], axes: int) -> tuple[float, ...]:
    spacing = tuple(float(value) for value in spacing_mm)
    if len(spacing) != axes or not all(0 < value < float("inf") for value in spacing):
        do = "give the size of a pixel along each axis"
        raise ImageError(f"{axes} positive sizes in mm, one per axis", str(spacing), do)
    return spacing
