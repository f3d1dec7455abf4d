"""Previews: the pixels of a source, small enough to be kept beside a record, for people to look at."""

import io
import struct
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32
from scipy import sparse

from unveil.errors import ImageError
from unveil.images.decoding import decode_file
from unveil.images.image import Image
from unveil.images.png import SIGNATURE
from unveil.images.png_encoding import COLOR_TYPES, encode_png

PREVIEW_SIDE = 2048  # pixels along the longer side
MAX_PREVIEW_BYTES = 1 << 25  # more than any PNG of that size needs


@dataclass(frozen=True)
class Preview:
    """A picture of the source as a PNG file: gray with 8 or 16 bits, or RGB.

    Attributes:
        png: The content of the file.

    Raises `ImageError` for anything but the start of such a file with sides of at most 2048 pixels.
    """

    png: bytes = field(repr=False)

    def __post_init__(self) -> None:
        kind = self.png[16:26] if self.png.startswith(SIGNATURE) and self.png[12:16] == b"IHDR" else b""
        width, height, depth, color = struct.unpack(">IIBB", kind) if len(kind) == 10 else (0, 0, 0, 0)
        known = (depth, color) in ((8, 0), (8, 2), (16, 0)) and min(width, height) >= 1
        if not known or max(width, height) > PREVIEW_SIDE or len(self.png) > MAX_PREVIEW_BYTES:
            got = f"{len(self.png)} bytes, {width}x{height} pixels of {depth} bits"
            expected = f"a PNG preview of at most {PREVIEW_SIDE}x{PREVIEW_SIDE} pixels, gray or RGB"
            raise ImageError(expected, got, "make it with make_preview")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        return height, width

    @property
    def bits(self) -> int:
        """The number of bits per channel, 8 or 16."""
        return self.png[24]

    @property
    def channels(self) -> int:
        """The number of channels, 1 or 3."""
        return next(channels for channels, color in COLOR_TYPES.items() if color == self.png[25])

    def to_array(self) -> np.ndarray:
        """The pixels: `h w` (uint8 or uint16) or `h w 3` (uint8). Raises `ImageError` for a damaged file."""
        pixels = decode_file(io.BytesIO(self.png), "the preview", PREVIEW_SIDE**2)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def make_preview(image: Image) -> Preview | None:
    """The preview of an `image`, reduced by area means to a longer side of at most 2048 pixels; None for a volume.

    Images with 3 channels become RGB, others gray by their first channel. Gray images have 16 bits, unless their values
    go from 0 to 255, which 8 bits hold exactly.

    >>> make_preview(Image.from_array(np.full((8, 16), 51, dtype=np.uint8))).to_array()[0, 0]
    np.uint8(51)
    """
    if len(image.shape) != 2:
        return None
    shape = preview_shape(image.shape)
    planes = image.pixels if image.channels == 3 else image.pixels[:1]
    deep = len(planes) == 1 and image.value_range != (0.0, 255.0)
    most, dtype = (65535, np.uint16) if deep else (255, np.uint8)
    reduced = np.stack([np.rint(reduce_area(plane, shape) * most).astype(dtype) for plane in planes], axis=-1)
    return Preview(encode_png(reduced[..., 0] if len(planes) == 1 else reduced))


def preview_shape(shape: tuple[int, ...], longer_side: int = PREVIEW_SIDE) -> tuple[int, ...]:
    """The shape of a smaller picture of an image of this `shape`: the same proportions, and at least 1 pixel; at most
    `longer_side`.

    >>> preview_shape((3000, 4096)), preview_shape((30, 40))
    ((1500, 2048), (30, 40))
    """
    ratio = min(1.0, longer_side / max(shape))
    return tuple(max(1, round(side * ratio)) for side in shape)


def reduce_area(plane: Float[np.ndarray, "h w"], shape: tuple[int, ...]) -> Float32[np.ndarray, "a b"]:
    """The means of `plane` over the cells of a coarser grid of this `shape`; pixels count by the area that is inside.

    >>> reduce_area(np.array([[0.0, 3.0, 6.0]]), (1, 2)).round(3)
    array([[1., 5.]], dtype=float32)
    """
    if plane.shape == shape:
        return plane.astype(np.float32)
    rows, columns = (_weights(*sides) for sides in zip(shape, plane.shape, strict=True))
    return (columns @ (rows @ plane).T).T.astype(np.float32)


def _weights(coarse: int, fine: int) -> sparse.csr_array:
    """The share of each fine pixel in each coarse one, along one axis; rows add up to 1."""
    edges = np.unique(np.concatenate([np.arange(fine + 1), np.arange(coarse + 1) * (fine / coarse)]).round(9))
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    place = (np.floor(middles * coarse / fine).astype(int).clip(0, coarse - 1), np.floor(middles).astype(int))
    values = (widths * coarse / fine).astype(np.float32)
    return sparse.csr_array((values, place), shape=(coarse, fine))
