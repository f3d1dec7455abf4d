"""The one door to OpenCV."""

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import MissingLibraryError, RecipeError


def inpaint(
    pixels: Float[np.ndarray, "c *grid"], erased: Bool[np.ndarray, "*grid"], radius: int
) -> Float[np.ndarray, "c *grid"]:
    """Close the erased hole of every channel by fast marching (Telea 2004); pixels in [0, 1], worked on at 8 bits."""
    if erased.ndim != 2:
        do = "use the fill Mean(), Constant(), Blur() or Noise()"
        raise RecipeError("a flat image for inpainting", f"{erased.ndim} spatial axes", do)
    try:
        import cv2  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("OpenCV", "inpaint", "inpainting") from error
    hole = erased.astype(np.uint8)
    if erased.all():
        return np.array(pixels)
    levels = np.round(pixels * 255).clip(0, 255).astype(np.uint8)
    return (
        np.stack([cv2.inpaint(channel, hole, radius, cv2.INPAINT_TELEA) for channel in levels]).astype(np.float32) / 255
    )
