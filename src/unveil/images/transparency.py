"""The one color of an image that is transparent (the chunk tRNS of PNG, the transparent index of a gray GIF)."""

from typing import Any

import numpy as np

# The factor that a decoder applies to gray values of fewer than 8 bits, by Pillow's name for them.
_GRAY_FACTORS = {"L;2": 85, "L;4": 17}


def transparent_color(info: dict[Any, Any], mode: str, stored: str | None) -> tuple[int, ...] | None:
    """The transparent color in the units of the decoded pixels, one value per channel; None if there is none.

    `stored` names how a file that isn't decoded yet stores its pixels. A file holds the color in the units of the
    stored pixels: gray with 2 or 4 bits is scaled to 8 bits when it is decoded, and color with 16 bits is reduced.
    """
    color = info.get("transparency")
    channels = {"1": 1, "L": 1, "I": 1, "RGB": 3}.get("I" if mode.startswith("I;16") else mode)
    if color is None or channels is None:
        return None
    values = tuple(color) if isinstance(color, tuple | list) else (color,)
    if len(values) != channels or not all(isinstance(value, int) for value in values):
        raise ValueError(f"a transparent color {color!r:.40} in mode {mode}")
    if mode == "RGB" and (max(values) > 255 or stored == "RGB;16B"):
        return tuple(value >> 8 for value in values)
    return tuple(value * _GRAY_FACTORS.get("" if stored is None else stored, 1) for value in values)


def with_alpha(values: np.ndarray, color: tuple[int, ...]) -> np.ndarray:
    """RGBA (h, w, 4) from gray (h, w) or RGB (h, w, 3): alpha is 0 at pixels of this color, and full elsewhere."""
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    values = values[..., None] if values.ndim == 2 else values
    result = np.empty((*values.shape[:2], 4), values.dtype)
    result[..., :3] = values
    result[..., 3] = np.iinfo(values.dtype).max
    inside = np.ones(values.shape[:2], bool)
    for channel, value in enumerate(color):
        inside &= values[..., channel] == value
    result[inside, 3] = 0
    return result
