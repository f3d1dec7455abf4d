"""Inpainting by OpenCV, which is imported only here."""

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import MissingLibraryError, RecipeError


def inpaint(
    pixels: Float[np.ndarray, "c *grid"], erased: Bool[np.ndarray, "*grid"], radius: int
) -> Float[np.ndarray, "c *grid"]:
    """Fill the erased pixels of every channel from their border inwards by fast marching (Telea 2004).

    `pixels` in [0, 1] are rounded to 8 bits, because OpenCV inpaints those. `radius` is the radius in px of the
    neighborhood that a pixel is computed from. If all pixels are erased, they are returned unchanged.

    Raises `RecipeError` for a volume, `MissingLibraryError` without OpenCV.
    """
    if erased.ndim != 2:
        do = "use the fill Mean(), Constant(), Blur() or Noise()"
        raise RecipeError("a two-dimensional image for inpainting", f"{erased.ndim} spatial axes", do)
    try:
        import cv2  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise MissingLibraryError("OpenCV", "inpaint", "inpainting") from error
    if erased.all():
        return np.array(pixels)
    mask = erased.astype(np.uint8)
    levels = np.round(pixels * 255).clip(0, 255).astype(np.uint8)
    inpainted = np.stack([cv2.inpaint(channel, mask, radius, cv2.INPAINT_TELEA) for channel in levels])
    return inpainted.astype(np.float32) / 255
