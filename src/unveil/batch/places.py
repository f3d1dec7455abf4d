"""Where a region lies in its image, as few bits as fit into a table: which cells of a coarse grid it covers."""

import numpy as np
from jaxtyping import Bool, UInt8

from unveil.images.preview import reduce_area
from unveil.masks import Mask

PLACES_SIDE = 32  # cells along each side of an image, whatever its shape
PLACES_BYTES = PLACES_SIDE * PLACES_SIDE // 8
HALF = 0.5 - 1e-4  # shares are sums of single precision


def place_bits(mask: Mask) -> bytes | None:
    """The cells of a 32 x 32 grid over the image that a `mask` covers, as 128 bytes: row by row, the first cell is the
    lowest bit of the first byte.

    A cell is covered if at least half of it lies inside. A mask that covers no cell by half has the cell of which it
    covers most, so that small regions have a place as well. None for volumes and for empty masks.

    >>> inside = np.zeros((64, 64), dtype=bool)
    >>> inside[:4, :2] = True
    >>> place_bits(Mask.from_array(inside))[:5]
    b'\\x01\\x00\\x00\\x00\\x01'
    """
    if len(mask.shape) != 2 or not mask.area_px:
        return None
    shares = reduce_area(mask.to_array().astype(np.float32), (PLACES_SIDE, PLACES_SIDE))
    covered = shares >= HALF
    if not covered.any():
        # Of equal cells the first, so that the place of a mask is always the same.
        covered = np.arange(shares.size).reshape(shares.shape) == int(shares.argmax())
    return np.packbits(covered.ravel(), bitorder="little").tobytes()


def covered_cells(bits: UInt8[np.ndarray, "n 128"]) -> Bool[np.ndarray, "n 32 32"]:
    """The cells of many masks, True where covered, from their `bits` (one row of bytes per mask).

    >>> covered_cells(np.array([[1] + [0] * 127], dtype=np.uint8))[0, 0, :2]
    array([ True, False])
    """
    cells = np.unpackbits(bits, axis=1, bitorder="little").view(bool)
    return cells.reshape(len(bits), PLACES_SIDE, PLACES_SIDE)
