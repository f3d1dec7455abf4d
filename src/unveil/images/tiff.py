"""What a TIFF says about itself: the number of its channels, and the JPEG streams that hold its pixels."""

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from unveil.errors import ImageError

# Tags of the first directory, by the names of the format's specification.
_BITS, _SAMPLES, _COMPRESSION, _JPEG_TABLES = 258, 277, 259, 347
_PARTS = ((273, 279), (324, 325))  # offsets and sizes of strips, and of tiles
_JPEG = 7
_SHORT, _MAX_ENTRIES = 3, 4096


def channels_of_tiff(file: io.BufferedIOBase) -> tuple[int, int]:
    """The number of channels of a TIFF's first page, and the bits of each; (0, 0) where they can't be read.

    The position of `file` is kept.
    """
    position = file.tell()
    try:
        file.seek(0)
        order, magic, start = struct.unpack("<2sHI", file.read(8))
        end = {b"II": "<", b"MM": ">"}[order]
        magic, start = struct.unpack(f"{end}HI", struct.pack("<HI", magic, start))
        if magic != 42:
            return 0, 0
        file.seek(start)
        (count,) = struct.unpack(f"{end}H", file.read(2))
        found = {_SAMPLES: 1, _BITS: 1}
        for _ in range(min(count, _MAX_ENTRIES)):
            tag, kind, number, value = struct.unpack(f"{end}HHI4s", file.read(12))
            if tag not in found or kind != _SHORT:
                continue
            place = file.tell()
            if number > 2:  # the values don't fit into the entry, which holds their place
                file.seek(struct.unpack(f"{end}I", value)[0])
                value = file.read(2)
                file.seek(place)
            (found[tag],) = struct.unpack(f"{end}H", value[:2])
    except (struct.error, KeyError, OSError, ValueError):
        return 0, 0
    else:
        return found[_SAMPLES], found[_BITS]
    finally:
        file.seek(position)


def too_many_channels(name: str, channels: int, bits: int) -> ImageError:
    """The error for a TIFF whose channels can't be read."""
    got = f"{name} with {channels} channels of {bits} bits"
    return ImageError(
        "a TIFF in gray, RGB or RGBA", got, "save its pixels with numpy.save as a .npy file, and give that"
    )


def jpeg_streams(tags: Mapping[int, Any], file: io.BufferedIOBase, most: int) -> Iterator[bytes]:
    """Each strip or tile that is compressed as JPEG, as a JPEG file of its own, of at most `most` bytes in all.

    `tags` are those of the page. The tables that all parts share are put in front of each.
    """
    if tags.get(_COMPRESSION) != _JPEG:
        return
    tables = bytes(tags.get(_JPEG_TABLES, b""))
    for offsets, sizes in _PARTS:
        for offset, size in zip(tags.get(offsets, ()), tags.get(sizes, ()), strict=False):
            most -= size
            if most < 0:
                raise ValueError("parts that are larger than the file")
            file.seek(offset)
            part = file.read(size)
            # Without the end of the tables' stream and the beginning of the part's.
            yield tables[:-2] + part[2:] if tables else part
