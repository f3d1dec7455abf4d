"""The one door to OpenCV."""

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import MissingLibraryError, RecipeError


def inpaint(
    pixels: Float[np.ndarray, "c *grid"], erased: Bool[np.ndarray, "*grid"], radius: int
) -> Float[np.ndarray, "c *grid"]:
    """Close the erased hole of every channel by fast marching (Telea 2004); pixels in [0, 1], worked on at 8 bits."""
    try:
        import cv2  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("OpenCV", "inpaint", "inpainting") from error
    if erased.ndim != 2:
        raise RecipeError("a flat image for inpainting", f"{erased.ndim} spatial axes", "use the fill Blur()")
    hole = erased.astype(np.uint8)
    if erased.all():
        return np.array(pixels)
    levels = np.round(pixels * 255).clip(0, 255).astype(np.uint8)
    return (
        np.stack([cv2.inpaint(channel, hole, radius, cv2.INPAINT_TELEA) for channel in levels]).astype(np.float32) / 255
    )
