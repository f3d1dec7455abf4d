"""Arrays in NumPy's files (`.npy`), for images with other numbers of channels than image formats hold."""

import io
from math import prod

import numpy as np
from numpy.lib import format as npy_format

from unveil.errors import ImageError, first_line

MAX_CHANNELS = 64  # an array of an image may hold that many values per pixel


def is_npy(name: str) -> bool:
    """True for a name that ends as NumPy's files do."""
    return name.lower().endswith(".npy")


def read_npy(file: io.BufferedIOBase, name: str, max_pixels: int) -> np.ndarray:
    """The array of a `.npy` file; nothing is unpickled, and type and size are checked before values are read."""
    try:
        version = npy_format.read_magic(file)
        read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if dtype.kind not in "buif":
            raise ImageError("an array of numbers", f"{name} of dtype {dtype}", "save uint8, uint16 or float pixels")
        if prod(shape) > max_pixels * min([*shape[:1], *shape[-1:], MAX_CHANNELS]):
            got = f"{name} of shape {shape}"
            raise ImageError(f"an array of at most {max_pixels / 1e6:.0f} megapixels", got, "scale it down")
        file.seek(0)
        return npy_format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, EOFError, TypeError, OverflowError, MemoryError) as error:
        got = f"{name}, which is damaged or cut off ({first_line(error)})"
        raise ImageError("a whole .npy file", got, "save the array again with numpy.save") from error
