"""From original values to pixels in [0, 1]: value ranges, and transparency."""

from typing import Any

import numpy as np
from jaxtyping import Float

from unveil.errors import ImageError

FULL_RANGE = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
DEPTHS = (8, 10, 12, 14)  # bits of sensors and scanners that are stored in 16 bits
PIECE = 1 << 20  # numbers that are converted at a time


def checked_range(value_range: Any) -> tuple[float, float]:
    """The `(low, high)` of a value range as floats; raises `ImageError` for anything but two finite, rising numbers.

    >>> checked_range((0, 4095))
    (0.0, 4095.0)
    """
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError) as error:
        got = repr(value_range)[:60]
        raise ImageError("a value range (lowest, highest)", got, "give two numbers, such as (0, 4095)") from error
    if not 0 < high - low < float("inf"):
        raise ImageError("a value range (lowest, highest)", f"({low}, {high})", "put the smaller value first")
    return low, high


def range_of(values: np.ndarray) -> tuple[float, float]:
    """The full range of an integer type, and (0, 1) for floats; raises `ImageError` for floats outside of it, and for
    types whose full range no image uses."""
    if values.dtype.name in FULL_RANGE:
        return FULL_RANGE[values.dtype.name]
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind != "f":
        do = "give value_range=(0, 255)" if low >= 0 and high <= 255 else "give value_range=(lowest, highest)"
        raise ImageError("uint8, uint16 or float pixels", f"{values.dtype}", do)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    raise ImageError("float pixels in [0, 1]", f"{low:.4g} to {high:.4g}", _advice(low, high))


def _advice(low: float, high: float) -> str:
    if low >= -0.05 and high <= 1.05:
        return "clip them to [0, 1], or give value_range=(lowest, highest)"
    if low >= 0 and high <= 255:
        return "give value_range=(0, 255), or the lowest and highest value that there can be"
    if -20 <= low < -0.25 and high <= 20:
        # Standardized pixels. A value range would scale them, and the classifier would standardize them once more.
        return "give the pixels before normalization, x * std + mean; the classifier normalizes them itself"
    return "give value_range=(lowest, highest)"


def unused_bits(values: np.ndarray) -> str | None:
    """What is to be said about 16-bit values that use at most 13 bits, in one line; None if they use more.

    Many scanners store 12 bits in 16, so the full range makes their images nearly black.
    """
    if values.dtype != np.uint16 or not 0 < (highest := int(values.max())) < 1 << 13:
        return None
    depth = next(depth for depth in DEPTHS if highest < 1 << depth)
    white = (1 << depth) - 1
    return (
        f"16-bit pixels with values of {depth} bits at most, scaled by 65535, are nearly black; "
        f"if {white} is white, give value_range=(0, {white}) (--value-range 0,{white})"
    )


def require_finite(values: np.ndarray) -> None:
    """Raise `ImageError` for NaN and infinite values."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        got = f"{bad} of {values.size} that are NaN or infinite"
        raise ImageError("finite pixel values", got, "replace them, or correct the image")


def scaled(
    values: np.ndarray, value_range: tuple[float, float], *, composited: bool = False
) -> Float[np.ndarray, "c *grid"]:
    """`x = (v - low) / (high - low)`, clipped to [0, 1]; with `composited`, the last of four channels is alpha, and
    color becomes `alpha * x + 1 - alpha`, that is, a white background.

    Alpha is scaled by the full range of its type, not by `value_range`. Rows are converted a part at a time, because
    large images would take several times their memory otherwise. The order of the axes in memory is kept.
    """
    pixels = np.empty_like(values[:3] if composited else values, dtype=np.float32)
    alpha_range = _alpha_range(values[3:], value_range) if composited else value_range
    rows = max(1, PIECE // (values.size // values.shape[1]))
    for start in range(0, values.shape[1], rows):
        part = values[:, start : start + rows]
        color = _unit(part[:3] if composited else part, *value_range)
        if composited:
            alpha = _unit(part[3:], *alpha_range)
            color *= alpha
            color += 1 - alpha
        pixels[:, start : start + rows] = color
    return pixels


def _alpha_range(alpha: np.ndarray, value_range: tuple[float, float]) -> tuple[float, float]:
    if alpha.dtype.name in FULL_RANGE:
        return FULL_RANGE[alpha.dtype.name]
    return (0.0, 1.0) if alpha.min() >= 0 and alpha.max() <= 1 else value_range


def _unit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    # float32 holds integers up to 24 bits, and no difference beyond 3e38.
    exact = np.can_cast(values.dtype, np.float32) and high - low < 1e37
    result = values.astype(np.float32 if exact else np.float64)
    result -= low
    result /= high - low
    result = result.astype(np.float32, copy=False)
    return result.clip(0, 1, out=result)
