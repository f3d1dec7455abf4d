"""Small pictures of the images that are named as examples, so that a reader sees what lies in a place."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from unveil.batch.archive import Archive
from unveil.batch.summary.concentration import ConcentratedPlace
from unveil.errors import UnveilError, UnveilWarning
from unveil.images import read_image
from unveil.images.png_encoding import encode_png
from unveil.images.preview import preview_shape, reduce_area

SIDE_PX, MOST_PLACES = 160, 12


@dataclass(frozen=True)
class ExamplePicture:
    """A small picture of an image.

    Attributes:
        png: The PNG file.
        shape: Its height and width in pixels.
    """

    png: bytes = field(repr=False)
    shape: tuple[int, int]


def example_pictures(archive: Archive, places: Sequence[ConcentratedPlace]) -> dict[int, ExamplePicture]:
    """Pictures of the examples of the first twelve `places`, by the index of the image in the `archive`.

    At most 160 pixels along the longer side. Images that can't be read any more, and volumes, are left out.
    """
    indices = dict.fromkeys(item for place in places[:MOST_PLACES] for item in place.example_items)
    pictures = {index: _picture(archive, index) for index in indices}
    return {index: picture for index, picture in pictures.items() if picture is not None}


def _picture(archive: Archive, index: int) -> ExamplePicture | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnveilWarning)
            pixels = read_image(archive.items[index].path, value_range=archive.plan.value_range).pixels
    except (UnveilError, OSError):
        return None
    if pixels.ndim != 3:
        return None
    height, width = preview_shape(pixels.shape[1:], SIDE_PX)
    planes = pixels if len(pixels) == 3 else pixels[:1]
    small = np.stack([reduce_area(plane.astype(float), (height, width)) for plane in planes], axis=-1)
    small = np.rint(255 * small.clip(0, 1)).astype(np.uint8)
    return ExamplePicture(encode_png(small[..., 0] if small.shape[-1] == 1 else small), (height, width))
