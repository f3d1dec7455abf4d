"""Arrays of a view: PNG files and compressed bytes as base64 text, masks as run lengths."""

import base64
import gzip

import numpy as np
from jaxtyping import Float, UInt8

from unveil.images.png_encoding import encode_png
from unveil.masks import Mask

PNG, GZIP = "image/png", "application/gzip"
LIMIT_QUANTILE = 0.998  # of a map: what is drawn brightest, so that a single pixel doesn't darken the others


def png_blob(pixels: np.ndarray) -> dict:
    """A gray or RGB image of uint8 (`h w` or `h w 3`) as a PNG file."""
    return make_blob(PNG, encode_png(pixels), pixels)


def gzip_blob(values: np.ndarray) -> dict:
    """Any integers as little-endian bytes in C order, compressed."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return make_blob(GZIP, gzip.compress(little.tobytes(), 6, mtime=0), values)


def make_blob(kind: str, content: bytes, pixels: np.ndarray) -> dict:
    """The table of a blob: its media type, what its bytes decode to, and the bytes in base64."""
    text = base64.b64encode(content).decode("ascii")
    return {"type": kind, "dtype": pixels.dtype.name, "shape": list(pixels.shape), "data": text}


def image_blob(image: UInt8[np.ndarray, "c *grid"]) -> dict:
    """An image on the model's grid: three channels as they are, any other number by its first."""
    if image.ndim == 4:
        return gzip_blob(image[0])
    return png_blob(np.moveaxis(image, 0, -1) if len(image) == 3 else image[0])


def map_blob(saliency: Float[np.ndarray, "*grid"]) -> tuple[dict, float, float]:
    """A map in 256 steps from 0 to its limit; also the limit (its 99.8 % quantile), and its maximum.

    Values above the limit have the last step. What isn't finite counts as 0.
    """
    values = np.where(np.isfinite(saliency), saliency, 0.0).astype(np.float64).clip(min=0)
    maximum = float(values.max(initial=0.0))
    limit = float(np.quantile(values, LIMIT_QUANTILE)) if values.size else 0.0
    limit = limit or maximum
    steps = np.rint(values / (limit or 1.0) * 255).clip(0, 255).astype(np.uint8)
    return (png_blob(steps) if steps.ndim == 2 else gzip_blob(steps)), limit, maximum


def mask_table(mask: Mask) -> dict:
    """A mask as records have it: run lengths in C order, outside first."""
    return {"shape": list(mask.shape), "runs": list(mask.runs)}
