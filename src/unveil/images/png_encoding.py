"""PNG files of arrays, by zlib: gray with 8 or 16 bits, and RGB. Pillow isn't needed to write them."""

import struct
import zlib

import numpy as np
from jaxtyping import UInt8

from unveil.errors import ImageError
from unveil.images.png import SIGNATURE

COLOR_TYPES = {1: 0, 3: 2}  # by number of channels
SUB, UP = 1, 2  # filters: the difference to the pixel on the left, and to the one above


def encode_png(pixels: np.ndarray, level: int = 6) -> bytes:
    """The PNG file of an array.

    Args:
        pixels: `h w` (gray) or `h w 3` (RGB) of uint8, or `h w` of uint16.
        level: The effort of zlib, 0 to 9.

    Raises `ImageError` for other arrays.

    >>> encode_png(np.zeros((2, 3), dtype=np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    deep = pixels.dtype == np.uint16
    known = pixels.dtype == np.uint8 or (deep and channels == 1)
    if pixels.ndim not in (2, 3) or not known or channels not in COLOR_TYPES or not pixels.size:
        got = f"{pixels.dtype} {pixels.shape}"
        raise ImageError("gray or RGB pixels of uint8, or gray ones of uint16", got, "convert the array")
    height, width = pixels.shape[:2]
    values = np.ascontiguousarray(pixels.astype(">u2") if deep else pixels)
    rows = values.view(np.uint8).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, COLOR_TYPES[channels], 0, 0, 0)
    content = zlib.compress(_filtered(rows, channels * (2 if deep else 1)).tobytes(), level)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _filtered(rows: UInt8[np.ndarray, "h n"], step: int) -> UInt8[np.ndarray, "h m"]:
    """Each row with its filter byte first: the filter whose differences are smaller (they wrap around at 256)."""
    left, above = rows.copy(), rows.copy()
    left[:, step:] -= rows[:, :-step]
    above[1:] -= rows[:-1]
    better = _size(above) < _size(left)
    chosen = np.where(better[:, None], above, left)
    return np.concatenate([np.where(better, UP, SUB).astype(np.uint8)[:, None], chosen], axis=1)


def _size(differences: UInt8[np.ndarray, "h n"]) -> np.ndarray:
    return np.abs(differences.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
