"""Read cell arrays of strings from MATLAB files.

`scipy.io.loadmat` isn't used: for files with a few changed bytes it ends the process with a segmentation fault
instead of raising an error (observed with SciPy 1.17.1). A list of strings needs little of the format; this module
checks every length against the available bytes.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from unveil.datasets.base import DatasetError
from unveil.datasets.index import printable

HEADER = 128
MATRIX, COMPRESSED = 14, 15
CELLS, CHARACTERS = 1, 4
# Encodings of strings by the type of their element; `utf-16` is read in the file's byte order.
ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
# Far more than a list of 20 580 names needs.
MAX_MATLAB_BYTES = 100_000_000


@dataclass(frozen=True)
class _Array:
    kind: int
    sizes: tuple[int, ...]
    name: str
    rest: bytes


def read_cell_strings(path: Path, name: str) -> list[str | None]:
    """Read the strings of a cell array variable, in column-major order; None for a cell that isn't one line of text.

    Supports version 5 files, compressed or not, but not version 7.3. Raises `DatasetError` for a file that is missing,
    damaged, of another version, or without the variable.
    """
    try:
        content = path.read_bytes()
        order = _byte_order(content)
        for array in _arrays(content[HEADER:], order):
            if array.name == name:
                return _texts(array, order)
    except (OSError, ValueError, struct.error, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        got = f"{printable(path)}, which can't be read ({printable(reason)})"
        raise DatasetError("a MATLAB file of version 5", got, "unpack it again") from error
    raise DatasetError(f"a variable {name}", f"{printable(path)} without it", "unpack it again")


def _byte_order(content: bytes) -> str:
    mark = content[126:HEADER]
    if content.startswith(b"MATLAB 7.3"):
        raise ValueError("version 7.3")
    if mark not in (b"IM", b"MI"):
        raise ValueError("no header of such a file")
    return "<" if mark == b"IM" else ">"


def _arrays(content: bytes, order: str) -> Iterator[_Array]:
    """Yield the variables, decompressed one at a time."""
    for kind, body in _elements(content, order):
        if kind == COMPRESSED:
            kind, body, _ = _element(_unpacked(body), 0, order)  # noqa: PLW2901 (the element in the element)
        if kind == MATRIX:
            yield _array(body, order)


def _unpacked(body: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(body, MAX_MATLAB_BYTES)
    if not stream.eof:
        raise ValueError("a compressed element that is cut off or too large")
    return content


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the bytes of each element."""
    at = 0
    while at < len(content):
        kind, part, at = _element(content, at, order)
        yield kind, part


def _element(content: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Read the type and the bytes of the element at offset `at`, and the offset after it."""
    (first,) = struct.unpack_from(f"{order}I", content, at)
    # The short form has type and length in one word, followed by up to four bytes of data.
    small = first >> 16 > 0
    if small:
        kind, length, start = first & 0xFFFF, first >> 16, at + 4
    else:
        (length,) = struct.unpack_from(f"{order}I", content, at + 4)
        kind, start = first, at + 8
    if start + length > len(content) or (small and length > 4):
        raise ValueError("it is cut off")
    # All elements but compressed ones are padded to a multiple of eight bytes.
    end = at + 8 if small else start + length + (0 if kind == COMPRESSED else -length % 8)
    return kind, content[start : start + length], end


def _array(body: bytes, order: str) -> _Array:
    """Read flags, sizes and name, and keep the rest, which depends on the kind."""
    _, flags, at = _element(body, 0, order)
    _, sizes, at = _element(body, at, order)
    _, name, at = _element(body, at, order)
    (kind,) = struct.unpack_from(f"{order}I", flags)
    return _Array(kind & 0xFF, struct.unpack(f"{order}{len(sizes) // 4}i", sizes), name.decode("latin-1"), body[at:])


def _texts(array: _Array, order: str) -> list[str | None]:
    if array.kind != CELLS:
        raise ValueError(f"{printable(array.name)} isn't a cell array")
    cells = [_array(body, order) if kind == MATRIX and body else None for kind, body in _elements(array.rest, order)]
    if len(cells) != prod(array.sizes):
        raise ValueError(f"{len(cells)} cells instead of {prod(array.sizes)}")
    return [None if cell is None else _text(cell, order) for cell in cells]


def _text(cell: _Array, order: str) -> str | None:
    parts = list(_elements(cell.rest, order))[:1]
    if cell.kind != CHARACTERS or cell.sizes[:1] != (1,) or not parts or parts[0][0] not in ENCODINGS:
        return None
    encoding = ENCODINGS[parts[0][0]]
    return parts[0][1].decode(f"{encoding}-{'le' if order == '<' else 'be'}" if encoding == "utf-16" else encoding)
