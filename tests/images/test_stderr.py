"""What libtiff prints doesn't reach the terminal; what anyone else prints meanwhile does."""

import io
import logging
import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image as Pillow
from refusals import refused

from unveil.images.stderr import LIBTIFF_LINE, without_libtiff_messages

NOISE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)


def damaged_tiff(compression: str) -> bytes:
    """A TIFF that promises twice as many rows as it has."""
    buffer = io.BytesIO()
    Pillow.fromarray(NOISE).save(buffer, "TIFF", compression=compression)
    content = bytearray(buffer.getvalue())
    (start,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[start : start + 2])
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack("<HH", content[at : at + 4])
        if tag in (257, 278):  # the image's rows, and those of a strip
            content[at + 8 : at + 12] = struct.pack("<I", 128) if kind == 4 else struct.pack("<HH", 128, 0)
    return bytes(content)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_damaged_tiff_is_one_error_and_nothing_on_standard_error(compression, capfd):
    content = damaged_tiff(compression)
    with Pillow.open(io.BytesIO(content)) as image, pytest.raises(OSError, match="decoder error"):
        image.load()
    assert b"Decode" in capfd.readouterr().err.encode(), "libtiff prints"
    refused(content, "a whole image; got bytes, which is damaged or cut off")
    assert capfd.readouterr().err == ""


def test_messages_of_others_come_through_in_order(capfd):
    os.write(2, b"before\n")
    with without_libtiff_messages():
        os.write(2, b"LZWDecode: Not enough data at scanline 0 (short 15360 bytes).\n")
        os.write(2, b"ValueError: Not enough data.\n")
        os.write(2, b"JPEGLib: Unsupported marker type 0x6f.\nsamples 3/4")
        thread = threading.Thread(target=logging.getLogger("other").error, args=("from a thread",))
        thread.start()
        thread.join()
        assert capfd.readouterr().err == "before\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err in (
        "ValueError: Not enough data.\nsamples 3/4after\n",  # pytest takes what is logged
        "ValueError: Not enough data.\nsamples 3/4from a thread\nafter\n",
    )


def test_an_error_inside_leaves_standard_error_as_it_was(capfd):
    with pytest.raises(KeyError), without_libtiff_messages():
        os.write(2, b"kept\n")
        raise KeyError
    os.write(2, b"too\n")
    assert capfd.readouterr().err == "kept\ntoo\n"


def test_a_closed_standard_error_is_no_problem():
    code = (
        "import os\nos.close(2)\nfrom unveil.images.stderr import without_libtiff_messages\n"
        "with without_libtiff_messages(): print('inside')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "inside\n"


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        (b"tempfile.tif: Using code not yet in table.", True),
        (b"ZIPDecode: Decoding error at scanline 108, incorrect data check.", True),
        (b"TIFFReadDirectory: Warning, unknown field.", True),
        (b"_TIFFVSetField: bad value.", True),
        (b"Fax3Decode2D: Bad code word.", True),
        (b"WARNING: root: something", False),
        (b"Traceback (most recent call last):", False),
        (b"RuntimeError: a JPEG: broken", False),
    ],
)
def test_lines_of_libtiff_are_recognized(line, dropped):
    assert (LIBTIFF_LINE.sub(b"", line + b"\n") == b"") is dropped
