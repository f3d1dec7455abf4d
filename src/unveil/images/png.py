"""Whether a PNG holds all of its pixels. Pillow leaves the rows black that a well-formed stream doesn't reach."""

import io
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
# The seven passes of an interlaced file (Adam7): first row and column, steps down and to the right.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
PIECE = 1 << 18  # bytes that are held at a time


def missing_bytes(file: io.BufferedIOBase) -> int:
    """The number of bytes that the pixel data of a PNG lack; 0 for a complete file.

    The data are inflated piece by piece and not kept, so memory stays small whatever the file promises. A file that
    is damaged in another way counts as complete: the decoder finds the damage. The position of `file` is kept.
    """
    position = file.tell()
    try:
        file.seek(0)
        if file.read(8) != SIGNATURE or not (header := _header(file)):
            return 0
        return max(0, header - _inflated_bytes(file, header))
    except (zlib.error, struct.error):
        return 0
    finally:
        file.seek(position)


def _header(file: io.BufferedIOBase) -> int:
    """The number of bytes that the pixels take, filter bytes included, from the first chunk."""
    length, kind = struct.unpack(">I4s", file.read(8))
    if kind != b"IHDR" or length < 13:
        return 0
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
    file.seek(length - 13 + 4, 1)
    bits = depth * CHANNELS.get(color, 0)
    grids = (
        [(height, width)]
        if not interlaced
        else [(-(-(height - row) // down), -(-(width - column) // right)) for row, column, down, right in PASSES]
    )
    return sum(rows * (1 + (columns * bits + 7) // 8) for rows, columns in grids if rows > 0 and columns > 0)


def _inflated_bytes(file: io.BufferedIOBase, wanted: int) -> int:
    """The length of the inflated pixel data, counted up to `wanted`."""
    stream, count = zlib.decompressobj(), 0
    while count < wanted and not stream.eof:
        start = file.read(8)
        if len(start) < 8:
            break
        length, kind = struct.unpack(">I4s", start)
        if kind != b"IDAT":
            if kind == b"IEND":
                break
            file.seek(length + 4, 1)
            continue
        while length and count < wanted and not stream.eof:
            part = file.read(min(length, PIECE))
            if not part:
                return count
            length -= len(part)
            while count < wanted and part:
                count += len(stream.decompress(part, PIECE))
                part = stream.unconsumed_tail
        file.seek(length + 4, 1)
    # What the last call had no room for.
    return count if count >= wanted else count + len(stream.flush())
