"""Every way to say which pixels are transparent gives the picture on a white background, from files and objects."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from refusals import refused

from unveil.images import read_image
from unveil.images.transparency import transparent_color

RNG = np.random.default_rng(7)


def png(depth: int, samples: np.ndarray, key: tuple[int, ...] | None) -> bytes:
    """A gray or RGB PNG with samples of any depth, and the transparent color `key` in the units of the samples."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    color = 2 if samples.ndim == 3 else 0
    rows = b""
    for row in samples:
        bits = "".join(format(value, f"0{depth}b") for value in row.ravel().tolist())
        rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    content = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    if key is not None:
        content += chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def samples(depth: int, channels: int) -> np.ndarray:
    shape = (8, 16, 3) if channels == 3 else (8, 16)
    values = RNG.integers(0, 2 ** min(depth, 8), shape)
    return values * 257 if depth == 16 else values


@pytest.mark.parametrize(("depth", "channels"), [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (8, 3), (16, 3)], ids=str)
def test_the_transparent_color_of_a_png_becomes_white(depth, channels):
    values = samples(depth, channels)
    values[2, 3] = 0
    key = tuple(np.atleast_1d(values[2, 3]).tolist())
    there = (values.reshape(8, 16, -1) == key).all(axis=2)
    expected = np.repeat((values / (2**depth - 1)).reshape(8, 16, -1), 3 // channels, axis=2).transpose(2, 0, 1)
    expected = np.where(there, 1.0, expected)
    content = png(depth, values, key)
    opened = Pillow.open(io.BytesIO(content))
    for source in (content, opened):
        np.testing.assert_allclose(read_image(source).pixels, expected, atol=1e-6)
    opaque = read_image(png(depth, values, None))
    assert opaque.channels == channels, "nothing is added to a picture without a transparent color"
    assert not np.allclose(opaque.pixels, expected)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16", "P"])
def test_an_object_with_a_transparent_color_is_read_as_its_file(mode):
    image = Pillow.fromarray(RNG.integers(0, 4, (16, 16), dtype=np.uint8) * 60)
    image = Pillow.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    corner = image.getpixel((0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=corner)
    image.info["transparency"] = corner
    expected = read_image(buffer.getvalue())
    assert expected.channels == 3
    assert np.array_equal(read_image(image).pixels, expected.pixels)
    same = (np.asarray(image).reshape(16, 16, -1) == np.atleast_1d(corner)).all(axis=2)
    assert (expected.pixels[:, same] == 1).all()
    assert read_image(image).sha256 == expected.sha256


def test_a_transparent_color_and_an_alpha_channel_give_the_same():
    values = RNG.integers(0, 3, (16, 16, 3), dtype=np.uint8) * 100
    key = (100, 0, 200)
    values[4, 5] = key
    alpha = np.where((values == key).all(axis=2), 0, 255).astype(np.uint8)
    one = read_image(png(8, values.astype(int), key))
    assert np.array_equal(one.pixels, read_image(np.dstack([values, alpha])).pixels)
    assert np.array_equal(one.pixels, read_image(Pillow.fromarray(np.dstack([values, alpha]))).pixels)


def test_the_transparent_index_of_a_gray_gif():
    values = RNG.integers(0, 256, (16, 16), dtype=np.uint8)
    values[0, 0] = 77
    buffer = io.BytesIO()
    Pillow.fromarray(values).save(buffer, "GIF", transparency=77)
    expected = np.where(values == 77, 255, values)
    np.testing.assert_allclose(read_image(buffer.getvalue()).pixels * 255, np.repeat([expected], 3, 0), atol=1e-3)


def test_a_turned_picture_keeps_its_transparent_pixels():
    values = samples(8, 3)
    key = tuple(values[2, 3].tolist())
    buffer = io.BytesIO()
    exif = Pillow.Exif()
    exif[274] = 6
    Pillow.fromarray(values.astype(np.uint8)).save(buffer, "PNG", transparency=key, exif=exif)
    upright = np.rot90(np.where((values == key).all(axis=2, keepdims=True), 255, values), -1)
    np.testing.assert_allclose(read_image(buffer.getvalue()).pixels * 255, upright.transpose(2, 0, 1), atol=1e-3)


@pytest.mark.parametrize("color", [b"\0\1", (1, 2), "red"])
def test_a_transparent_color_that_is_none(color):
    image = Pillow.new("L", (16, 16))
    image.info["transparency"] = color
    refused(image, "a whole image; got PIL image, which is damaged")


def test_colors_in_the_units_of_decoded_pixels():
    assert transparent_color({}, "L", "L;4") is None
    assert transparent_color({"transparency": 3}, "P", None) is None
    assert transparent_color({"transparency": 3}, "L", "L;4") == (51,)
    assert transparent_color({"transparency": (0x0102, 0x0304, 0)}, "RGB", "RGB;16B") == (1, 3, 0)
    assert transparent_color({"transparency": (1, 3, 0)}, "RGB", "RGB") == (1, 3, 0)
