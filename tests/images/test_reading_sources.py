"""One decoder: a path, bytes, a file object and a PIL image give the same pixels, or the same error."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from refusals import refused

from unveil.errors import ImageError, UnveilWarning
from unveil.images import Image, read_image

RNG = np.random.default_rng(3)
COLOR = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (16, 24), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (16, 24), dtype=np.uint8)


def rgb() -> Pillow.Image:
    return Pillow.fromarray(COLOR)


def rgba() -> Pillow.Image:
    return Pillow.merge("RGBA", [*rgb().split(), Pillow.fromarray(ALPHA)])


def gray_alpha() -> Pillow.Image:
    return Pillow.merge("LA", [Pillow.fromarray(GRAY), Pillow.fromarray(ALPHA)])


def lab() -> Pillow.Image:
    return Pillow.frombytes("LAB", (24, 16), np.concatenate([GRAY[..., None], COLOR[..., 1:]], 2).tobytes())


SIXTEEN = (GRAY.astype(np.uint16) << 8) + ALPHA
# The PIL image of each mode, and the format of a file that holds it.
MODES = {
    "1": (lambda: Pillow.fromarray(GRAY).convert("1"), "PNG", {}),
    "1, TIFF": (lambda: Pillow.fromarray(GRAY).convert("1"), "TIFF", {}),
    "L": (lambda: Pillow.fromarray(GRAY), "PNG", {}),
    "LA": (gray_alpha, "PNG", {}),
    "P": (lambda: rgb().quantize(16), "PNG", {}),
    "P, GIF": (lambda: rgb().quantize(16), "GIF", {}),
    "P, one transparent": (lambda: with_transparency(3), "PNG", {}),
    "P, degrees of transparency": (lambda: with_transparency(bytes(range(0, 256, 16))), "PNG", {}),
    "RGB": (rgb, "PNG", {}),
    "RGB, BMP": (rgb, "BMP", {}),
    "RGB, WebP": (rgb, "WEBP", {"lossless": True}),
    "RGBA": (rgba, "PNG", {}),
    "RGBA, TIFF": (rgba, "TIFF", {}),
    "CMYK": (lambda: rgb().convert("CMYK"), "TIFF", {}),
    "CMYK, JPEG": (lambda: rgb().convert("CMYK"), "JPEG", {}),
    "YCbCr": (lambda: rgb().convert("YCbCr"), "TIFF", {}),
    "LAB": (lab, "TIFF", {}),
    "RGBX": (lambda: rgb().convert("RGBX"), "TIFF", {}),
    "I;16": (lambda: Pillow.fromarray(SIXTEEN), "PNG", {}),
    "I;16, TIFF": (lambda: Pillow.fromarray(SIXTEEN), "TIFF", {}),
    "I;16B": (lambda: Pillow.frombytes("I;16B", (24, 16), SIXTEEN.astype(">u2").tobytes()), "TIFF", {}),
    "I": (lambda: Pillow.fromarray(SIXTEEN.astype(np.int32)), "TIFF", {}),
    "I, beyond 16 bits": (lambda: Pillow.fromarray(SIXTEEN.astype(np.int32) - 5), "TIFF", {}),
    "F": (lambda: Pillow.fromarray(GRAY.astype(np.float32) / 255), "TIFF", {}),
    "F, beyond 1": (lambda: Pillow.fromarray(GRAY.astype(np.float32)), "TIFF", {}),
}


def with_transparency(value: int | bytes) -> Pillow.Image:
    image = rgb().quantize(16)
    image.info["transparency"] = value
    return image


def outcome(source, name: str, **options) -> tuple:
    """What reading gives: pixels, range and hash, or the parts of the error without the name of the source."""
    try:
        image = read_image(source, **options)
    except ImageError as error:
        return error.expected, error.got.replace(f"{name},", "NAME,", 1), error.do
    return image.pixels.tobytes(), image.pixels.shape, image.value_range, image.sha256


@pytest.mark.parametrize("mode", list(MODES))
def test_every_way_to_give_an_image_gives_the_same(tmp_path, mode):
    make, form, options = MODES[mode]
    path = tmp_path / "a.image"
    make().save(path, form, **options)
    content = path.read_bytes()
    if mode == "YCbCr":
        try:
            with Pillow.open(path) as opened:
                opened.load()
        except OSError:
            pytest.skip("this version of Pillow can't read the YCbCr TIFF files that it writes")
    expected = outcome(path, str(path))
    assert outcome(content, "bytes") == expected
    assert outcome(bytearray(content), "bytes") == expected
    assert outcome(io.BytesIO(content), "file object") == expected
    with path.open("rb") as file:
        assert outcome(file, str(path)) == expected
        assert not file.closed
    with Pillow.open(path, formats=[form]) as opened:
        assert outcome(opened, str(path)) == expected
    if form != "JPEG":  # what is written in the other formats is what was given
        assert outcome(make(), "PIL image") == expected


@pytest.mark.parametrize("mode", [*MODES, "HSV", "PA", "RGBa", "La"])
def test_a_pil_image_is_not_changed(mode):
    made = {
        "HSV": lambda: rgb().convert("HSV"),
        "PA": lambda: rgb().quantize(16).convert("PA"),
        "RGBa": lambda: rgba().convert("RGBa"),
        "La": lambda: gray_alpha().convert("La"),
    }
    image = made[mode]() if mode in made else MODES[mode][0]()
    before = image.tobytes(), image.mode, image.size, dict(image.info), image.getpalette()
    outcome(image, "PIL image")
    assert (image.tobytes(), image.mode, image.size, dict(image.info), image.getpalette()) == before


@pytest.mark.parametrize(("mode", "tolerance"), [("RGB", 0), ("YCbCr", 4), ("HSV", 8), ("CMYK", 1), ("RGBX", 0)])
def test_color_modes_show_the_same_picture(mode, tolerance):
    pixels = read_image(rgb().convert(mode)).pixels * 255
    assert np.abs(pixels - COLOR.transpose(2, 0, 1)).max() <= tolerance + 1e-3


def test_transparency_of_each_kind_is_composited_onto_white():
    color, alpha = COLOR.transpose(2, 0, 1) / 255, ALPHA / 255
    np.testing.assert_allclose(read_image(rgba()).pixels, color * alpha + 1 - alpha, atol=1e-6)
    np.testing.assert_allclose(read_image(rgba().convert("RGBa")).pixels, color * alpha + 1 - alpha, atol=0.02)
    premultiplied = read_image(gray_alpha().convert("La")).pixels
    np.testing.assert_allclose(premultiplied, np.repeat([GRAY / 255 * alpha + 1 - alpha], 3, 0), atol=0.02)
    palette = with_transparency(3)
    holes = np.asarray(palette) == 3
    pixels = read_image(palette).pixels
    assert holes.any()
    assert (pixels[:, holes] == 1).all()
    expected = np.asarray(palette.convert("RGB")).transpose(2, 0, 1)[:, ~holes]
    np.testing.assert_allclose(pixels[:, ~holes] * 255, expected, atol=1e-3)


def test_cielab_by_its_formula():
    """D50 white, as ICC profiles have it; Bradford adaptation to the D65 of sRGB, then its gamma."""
    lightness, a, b = (
        values.astype(float) for values in (np.full((8, 9), 153), np.full((8, 9), 20), np.full((8, 9), 246))
    )
    image = Pillow.frombytes("LAB", (9, 8), np.stack([lightness, a, b], 2).astype(np.uint8).tobytes())
    y = (lightness[0, 0] / 255 * 100 + 16) / 116
    xyz = np.array([y + 20 / 500, y, y - (246 - 256) / 200])
    xyz = np.where(xyz > 6 / 29, xyz**3, 3 * (6 / 29) ** 2 * (xyz - 4 / 29)) * [0.9642, 1, 0.8249]
    bradford = np.array(
        [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    )
    linear = bradford @ xyz
    expected = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    np.testing.assert_allclose(read_image(image).pixels[:, 0, 0], expected, atol=0.015)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_an_object_is_that_of_its_file(form, orientation):
    exif = Pillow.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    rgb().save(buffer, form, exif=exif)
    expected = read_image(buffer.getvalue())
    assert expected.shape == ((24, 16) if orientation >= 5 else (16, 24))
    opened = Pillow.open(io.BytesIO(buffer.getvalue()))
    assert np.array_equal(read_image(opened).pixels, expected.pixels)
    copied = Pillow.open(io.BytesIO(buffer.getvalue())).copy()
    assert np.array_equal(read_image(copied).pixels, expected.pixels)
    first = read_image(opened)
    assert np.array_equal(read_image(opened).pixels, first.pixels), "reading twice doesn't turn twice"


@pytest.mark.parametrize("name", ["", "a.png"])
def test_names_of_sources(tmp_path, name):
    path = tmp_path / "a.png"
    rgb().save(path)
    assert read_image(rgb()).source == "PIL image"
    assert read_image(path.read_bytes()).source == "bytes"
    assert read_image(io.BytesIO(path.read_bytes())).source == "file object"
    with Pillow.open(path) as opened:
        assert read_image(opened).source == str(path)
    with path.open("rb") as file:
        assert read_image(file).source == str(path)
    number = os.open(path, os.O_RDONLY)
    with open(number, "rb") as file:  # noqa: PTH123 (a number, not a path)
        assert read_image(file).source == "file object"


def test_a_file_object_is_read_from_where_it_stands():
    buffer = io.BytesIO()
    rgb().save(buffer, "PNG")
    shifted = io.BytesIO(b"header" + buffer.getvalue())
    shifted.seek(6)
    assert np.array_equal(read_image(shifted).pixels, read_image(buffer.getvalue()).pixels)


def test_a_stack_of_pages_is_refused_in_every_form_and_a_copy_of_one_is_read(tmp_path):
    pages = [Pillow.fromarray(np.full((10, 10), value, np.uint8)) for value in (10, 200)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with Pillow.open(path) as opened:
        for source in (path, path.read_bytes(), opened):
            refused(source, "a TIFF with one page; got .* with several; save the page")
        opened.seek(1)
        assert np.array_equal(read_image(opened.copy()).pixels, read_image(pages[1]).pixels)


def test_objects_that_are_none(tmp_path):
    refused(b"", r"an image file; got bytes, which is empty \(0 bytes\)")
    refused(io.BytesIO(), "file object, which is empty")
    refused(io.StringIO("text"), 'a binary file object; got file object, which gives str; open the file with mode "rb"')
    refused(b"a shopping list", "got bytes, a text file; convert it to PNG")
    refused(b"\x1f\x8b" + bytes(400), "which may be a NIfTI volume: those are read from paths")
    refused(Pillow.new("L", (0, 0)), "at least 8x8 pixels; got 0x0")
    refused(Pillow.new("L", (9, 7)), "at least 8x8 pixels; got 7x9")
    refused(Pillow.new("L", (100, 100)), "at most 0 megapixels; got PIL image with 100x100", max_pixels=9999)
    path = tmp_path / "a.png"
    rgb().save(path)
    with path.open("rb") as file:
        pass
    refused(file, "a file object that can be read; got .*a.png: read of closed file")
    opened = Pillow.open(path)
    opened.close()
    refused(opened, "a whole image; got .*a.png, which is damaged or cut off")


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_twelve_bits_in_sixteen_are_noticed_in_every_form(tmp_path, form):
    """Values of a scanner with 12 bits: a warning, or the right pixels with a value range."""
    values = (RNG.random((16, 24)) * 4096).astype(np.uint16)
    path = tmp_path / "a.image"
    Pillow.fromarray(values).save(path, form)
    with Pillow.open(path) as opened:
        for source in (path, path.read_bytes(), opened, values):
            with pytest.warns(UnveilWarning, match="12 bits at most.*--value-range 0,4095") as caught:
                read_image(source)
            assert len(caught) == 1
            image = read_image(source, value_range=(0, 4095))
            np.testing.assert_allclose(image.pixels[0], values / 4095, atol=1e-6)
            assert (image.value_range, image.warning) == ((0, 4095), None)


def test_an_rgba_file_keeps_its_four_channels_for_a_classifier_with_four(tmp_path):
    path = tmp_path / "a.png"
    rgba().save(path)
    for source in (path, path.read_bytes(), rgba(), np.asarray(rgba())):
        expected = np.concatenate([COLOR.transpose(2, 0, 1), ALPHA[None]]) / 255
        np.testing.assert_allclose(read_image(source, channels=4).pixels, expected, atol=1e-6)
        assert read_image(source, channels=3).channels == 3


def test_an_address_is_no_path():
    refused("https://example.org/a.png", "the path of a file; got the address https:.*; download the image first")


def png(width: int, height: int, rows: bytes, *, exif: bytes = b"", color: int = 0, interlaced: int = 0) -> bytes:
    """A PNG written by hand; `rows` are the pixel data with a filter byte before each row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, interlaced)
    packed = zlib.compress(rows)
    parts = [packed[start : start + 50] for start in range(0, len(packed), 50)]
    content = [chunk(b"IDAT", part) for part in parts]
    metadata = chunk(b"eXIf", exif) if exif else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + metadata + b"".join(content) + chunk(b"IEND", b"")


def test_a_png_whose_pixels_end_early_is_refused():
    row = b"\0" + bytes(range(40))
    whole = read_image(png(40, 100, row * 100))
    assert np.array_equal(np.round(whole.pixels[0] * 255), np.tile(np.arange(40), (100, 1)))
    for rows in (row * 10, row * 99, (row * 100)[:-1], b""):
        told = f"a whole image; got bytes, which is damaged or cut off .{4100 - len(rows)} bytes of pixels are missing"
        refused(png(40, 100, rows), told)
    assert np.array_equal(read_image(png(40, 100, row * 100 + b"more")).pixels, whole.pixels)


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (33, 8)])
def test_an_interlaced_png_is_whole_with_all_of_its_passes(size):
    """The passes of Adam7 counted from the pattern that the standard prints."""
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    width, height = size
    passes: dict[str, dict[int, int]] = {}
    for y in range(height):
        for x in range(width):
            rows = passes.setdefault(pattern[y % 8][x % 8], {})
            rows[y] = rows.get(y, 0) + 1
    data = b"".join(b"\0" + b"\x80" * count for key in sorted(passes) for count in passes[key].values())
    assert (np.round(read_image(png(width, height, data, interlaced=1)).pixels * 255) == 128).all()
    refused(png(width, height, data[:-1], interlaced=1), "1 bytes of pixels are missing")


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("kind", ["noise", "constant"])
def test_large_pngs_are_counted_to_the_end(level, kind):
    values = (
        RNG.integers(0, 256, (700, 900, 3), dtype=np.uint8) if kind == "noise" else np.full((700, 900, 3), 7, np.uint8)
    )
    buffer = io.BytesIO()
    Pillow.fromarray(values).save(buffer, "PNG", compress_level=level)
    assert np.array_equal(np.round(read_image(buffer.getvalue()).pixels * 255), values.transpose(2, 0, 1))


def test_metadata_that_cannot_be_read_does_not_hide_the_picture():
    rows = (b"\0" + bytes(range(9))) * 8
    for exif in (
        b"garbage",
        b"Exif\0\0MM\0*\0\0\0\x08",
        b"MM\0*\0\0\0\x08\0\x30\x01\x12\0\x03",
        b"MM\0*\0\xff\xff\xff",
    ):
        image = read_image(png(9, 8, rows, exif=exif))
        assert np.array_equal(np.round(image.pixels[0] * 255), np.tile(np.arange(9), (8, 1)))


def test_a_thin_image_is_refused_before_it_is_decoded(monkeypatch):
    def decoded(self):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Pillow.Image, "load", decoded)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decoded, raising=False)
    refused(png(90_000_000, 1, b"\0" * 100), "an image of at least 8x8 pixels; got 1x90000000; give a larger image")
    refused(png(7, 90_000, b"\0" * 100), "got 90000x7")


def test_the_hash_of_an_image_is_that_of_its_array(tmp_path):
    path = tmp_path / "a.png"
    rgb().save(path)
    hashes = {read_image(source).sha256 for source in (path, path.read_bytes(), rgb(), COLOR)}
    assert hashes == {Image.from_array(COLOR).sha256}
