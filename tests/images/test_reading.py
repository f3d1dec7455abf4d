"""Reading files: every format and depth gives the pixels that were written; damaged and hostile files give one line."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from refusals import refused

from unveil.errors import ImageError
from unveil.images import read_image

RNG = np.random.default_rng(1)
COLOR = RNG.integers(0, 256, (10, 13, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (10, 13), dtype=np.uint8)


def saved(path: Path, values: np.ndarray, mode: str | None = None, **options) -> Path:
    image = Pillow.fromarray(values)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff", "a.bmp", "a.webp", "a.PNG"])
def test_lossless_color(tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    image = read_image(saved(tmp_path / name, COLOR, **options))
    np.testing.assert_allclose(image.pixels * 255, COLOR.transpose(2, 0, 1), atol=1e-4)
    assert (image.channels, image.shape) == (3, (10, 13))
    assert image.source == str(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.gif"])
def test_gray_stays_gray(tmp_path, name):
    image = read_image(str(saved(tmp_path / name, GRAY)))
    if name == "a.gif":  # a palette
        assert image.channels in (1, 3)
    else:
        assert image.channels == 1
    np.testing.assert_allclose(image.pixels[0] * 255, GRAY, atol=1e-4)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_kept(tmp_path, name):
    values = RNG.integers(0, 65536, (10, 13), dtype=np.uint16)
    image = read_image(saved(tmp_path / name, values))
    np.testing.assert_array_equal(np.round(image.pixels[0].astype(np.float64) * 65535), values)
    assert image.value_range == (0, 65535)


def test_bits_palette_and_transparency(tmp_path):
    bits = saved(tmp_path / "bits.png", GRAY, "1")
    expected = np.asarray(Pillow.fromarray(GRAY).convert("1"))
    np.testing.assert_array_equal(read_image(bits).pixels[0], expected)
    palette = Pillow.fromarray(COLOR).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_allclose(
        read_image(tmp_path / "palette.png").pixels * 255,
        np.asarray(palette.convert("RGB")).transpose(2, 0, 1),
        atol=1e-4,
    )
    palette.save(tmp_path / "hole.png", transparency=3)
    index = np.asarray(palette)
    assert bool((index == 3).any())
    assert (read_image(tmp_path / "hole.png").pixels[:, index == 3] == 1).all()
    gray_alpha = Pillow.merge("LA", [Pillow.fromarray(GRAY), Pillow.fromarray(255 - GRAY)])
    gray_alpha.save(tmp_path / "la.png")
    alpha = 1 - GRAY / 255
    np.testing.assert_allclose(read_image(tmp_path / "la.png").pixels[0], GRAY / 255 * alpha + 1 - alpha, atol=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_camera_is_applied(tmp_path, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 255  # top left
    upright[:8, 8:16] = 120
    undo = {  # what a camera held like this stores
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Pillow.Exif()
    exif[274] = orientation
    Pillow.fromarray(np.ascontiguousarray(undo)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (16, 24)
    np.testing.assert_allclose(image.pixels[0] * 255, upright, atol=12)


def test_cmyk_becomes_color(tmp_path):
    cmyk = Pillow.fromarray(COLOR).resize((16, 16)).convert("CMYK")
    cmyk.save(tmp_path / "a.tif")
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif").pixels * 255, np.asarray(cmyk.convert("RGB")).transpose(2, 0, 1), atol=1e-3
    )


def test_of_an_animation_the_first_frame_is_taken_and_a_stack_is_refused(tmp_path):
    frames = [Pillow.fromarray(np.full((10, 10), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(read_image(tmp_path / "a.gif").pixels * 255, 10, atol=1e-3)
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="a TIFF with one page; got .* with several; save the page"):
        read_image(tmp_path / "a.tif")


def test_integers_beyond_sixteen_bits_are_refused(tmp_path):
    Pillow.fromarray(np.full((9, 9), 70000, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="at most 16 bits per pixel; got .*a.tif with values from 70000"):
        read_image(tmp_path / "a.tif")


def test_files_that_are_no_image(tmp_path):
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", r"empty \(0 bytes\); fetch the file again")
    (tmp_path / "notes.png").write_text("a shopping list\n" * 20)
    refused(tmp_path / "notes.png", "a text file; convert it to PNG")
    (tmp_path / "scan.png").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 99)
    refused(tmp_path / "scan.png", "a DICOM file, which this version can't read")
    (tmp_path / "noise.png").write_bytes(RNG.bytes(500))
    refused(tmp_path / "noise.png", "none of these")
    refused(tmp_path / "missing.png", "does not exist; check the path")
    refused(tmp_path, "an image file; got the folder")
    refused("a\0b.png", "check the path")
    refused("x" * 5000, "check the path")
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    refused(tmp_path / "page.png", "an image")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    # Asked of the system, because the superuser, who may run these tests, may read everything.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    refused(saved(tmp_path / "a.png", GRAY), "may not be read")


def test_images_of_one_pixel_and_of_four_hundred_megapixels(tmp_path):
    refused(saved(tmp_path / "a.png", np.zeros((1, 1), np.uint8)), "at least 8x8 pixels; got 1x1")
    big = tmp_path / "big.png"
    big.write_bytes(header_of_a_png(20000, 20000))
    refused(big, "at most 100 megapixels; got .*big.png with 400000000 pixels; scale it down")
    big.write_bytes(header_of_a_png(2**31 - 1, 2**31 - 1))
    refused(big, "at most 100 megapixels")
    refused(saved(tmp_path / "b.png", COLOR), "at most 0 megapixels", max_pixels=100)


def header_of_a_png(width: int, height: int) -> bytes:
    """A valid start of a PNG: what a decompression bomb shows first."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 10000)) + chunk(b"IEND", b"")


WHOLE = {}
for _name, _options in {"PNG": {}, "JPEG": {"quality": 90}, "TIFF": {}, "WEBP": {}, "GIF": {}, "BMP": {}}.items():
    _buffer = io.BytesIO()
    Pillow.fromarray(np.kron(COLOR, np.ones((4, 4, 1), np.uint8))).save(_buffer, _name, **_options)
    WHOLE[_name] = _buffer.getvalue()


@pytest.mark.parametrize("name", list(WHOLE))
def test_a_file_cut_off_in_the_middle(tmp_path, name):
    path = tmp_path / "a.png"
    path.write_bytes(WHOLE[name])
    assert read_image(path).shape == (40, 52)
    path.write_bytes(WHOLE[name][: len(WHOLE[name]) // 2])
    refused(path, "expected (a whole image|an image)")


@given(st.sampled_from(list(WHOLE)), st.data())
def test_a_damaged_file_is_an_image_or_one_clear_error(tmp_path_factory, name, data):
    content = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.png"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        image = read_image(path)
    except ImageError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(image.pixels).all()
        assert min(image.shape) >= 8


TRUNCATED_TIFF = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"]


@pytest.mark.parametrize("compression", TRUNCATED_TIFF)
def test_a_tiff_cut_off_before_its_directory_is_called_damaged(compression):
    buffer = io.BytesIO()
    Pillow.fromarray(COLOR).save(buffer, "TIFF", compression=compression)
    refused(buffer.getvalue()[:-20], "a whole image; got bytes, which is damaged or cut off")


def tiled_tiff(side: int, tile: int) -> bytes:
    """A TIFF of a few hundred bytes, with one tile compressed by deflate."""
    tags = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile), (323, tile)]
    data = zlib.compress(bytes(side * side))
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (324, start), (325, len(data))]]
    return struct.pack("<4sIH", b"II*\0", 8, len(entries)) + b"".join(entries) + bytes(4) + data


def test_a_tiff_with_enormous_tiles_is_refused_before_it_is_decoded(monkeypatch):
    assert read_image(tiled_tiff(32, 32)).shape == (32, 32)
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", None)
    refused(tiled_tiff(32, 32768), "tiles about as large as the image; got bytes, .*tiles of 32768x32768")


STATUS = Path("/proc/self/status")
PEAK = """
import sys
from pathlib import Path
import unveil

def peak():
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

unveil.read_image(sys.argv[2])
before = peak()
image = unveil.read_image(sys.argv[1])
print((peak() - before) / (image.shape[0] * image.shape[1]))
"""


@pytest.mark.skipif(not STATUS.exists(), reason="Linux says what the peak of a process's memory was")
@pytest.mark.parametrize(
    ("mode", "form", "bytes_per_pixel"),
    [
        ("RGB", "PNG", 20),
        ("RGBA", "PNG", 20),
        ("LA", "PNG", 20),
        ("L", "PNG", 8),
        ("RGBA", "WEBP", 24),
        ("CMYK", "JPEG", 20),
        ("P", "GIF", 20),
        ("RGBA", "TIFF", 20),
    ],
)
def test_peak_memory_is_a_small_multiple_of_the_pixels(tmp_path, mode, form, bytes_per_pixel):
    """In a process of its own, because the peak of a process never falls."""
    large, small = tmp_path / "large", tmp_path / "small"
    options = {"compression": "tiff_adobe_deflate"} if form == "TIFF" else {}
    Pillow.new(mode, (3000, 2000)).save(large, form, **options)
    Pillow.new(mode, (16, 16)).save(small, form, **options)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(large), str(small)], capture_output=True, text=True, check=True
    )
    assert 3.9 < float(done.stdout) < bytes_per_pixel
