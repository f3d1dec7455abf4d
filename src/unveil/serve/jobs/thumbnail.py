"""Small pictures of images of any kind, for a gallery."""

import numpy as np

from unveil.images import Image
from unveil.images.png_encoding import encode_png
from unveil.images.preview import preview_shape, reduce_area

THUMBNAIL_SIDE = 1024
TAILS = (0.001, 0.999)  # quantiles that become black and white where the values don't go from 0 to 255


def draw_thumbnail(image: Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """A PNG with 8 bits of an image, reduced by area means; of a volume, the middle slice along its first axis.

    Args:
        image: The image. With 3 channels it is drawn in color, otherwise its first channel in gray.
        side: The largest number of pixels along the longer side.

    Values that don't go from 0 to 255 are drawn from their 0.1 % quantile (black) to their 99.9 % quantile (white), so
    that a radiograph with 12 bits isn't black.

    >>> picture = Image.from_array(np.full((8, 16), 51, dtype=np.uint8))
    >>> draw_thumbnail(picture)[:4]
    b'\\x89PNG'
    """
    planes = image.pixels if image.channels == 3 else image.pixels[:1]
    if len(image.shape) == 3:
        planes = planes[:, image.shape[0] // 2]
    shape = preview_shape(planes.shape[1:], side)
    reduced = np.stack([reduce_area(plane, shape) for plane in planes], axis=-1)
    if image.value_range != (0.0, 255.0):
        low, high = np.quantile(reduced, TAILS)
        reduced = (reduced - low) / (high - low) if high > low else reduced
    values = np.rint(reduced.clip(0, 1) * 255).astype(np.uint8)
    return encode_png(values[..., 0] if values.shape[-1] == 1 else values)
