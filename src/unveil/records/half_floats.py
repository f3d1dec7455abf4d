"""Saliency maps as half floats with a scale, as records keep them."""

import math

import numpy as np
from jaxtyping import Float, Float16, Float32


def to_half(values: Float[np.ndarray, "*grid"]) -> tuple[Float16[np.ndarray, "*grid"], float]:
    """A map as half floats and their scale, a power of two: `values ≈ half · scale`, with |half| <= 1.

    Gradients can be far below what a half float holds, so they are scaled first. Exact for values made by `from_half`.
    """
    wide = np.asarray(values, dtype=np.float64)
    peak = float(np.abs(wide[np.isfinite(wide)]).max(initial=0.0))
    mantissa, exponent = math.frexp(peak)
    # In (½, 1], not [½, 1): a peak that is rounded up to 1 must find the same scale again.
    scale = 2.0 ** min(max(exponent - (mantissa == 0.5), -100), 128)
    with np.errstate(over="ignore"):
        return (wide / scale).astype(np.float16), scale


def from_half(half: Float16[np.ndarray, "*grid"], scale: float) -> Float32[np.ndarray, "*grid"]:
    """The map `half · scale` in float32."""
    with np.errstate(over="ignore"):
        return (half.astype(np.float64) * scale).astype(np.float32)
