"""Decode image files, and PIL images, to arrays. Pillow is imported only here."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO, Any, cast

import numpy as np
from PIL import Image as Pillow
from PIL import ImageChops, ImageCms, TiffImagePlugin, UnidentifiedImageError

from unveil.errors import ImageError, first_line
from unveil.images.image import MIN_SIDE, too_small
from unveil.images.jpeg import with_extra_data
from unveil.images.png import missing_bytes
from unveil.images.stderr import without_libtiff_messages
from unveil.images.tiff import channels_of_tiff, jpeg_streams, too_many_channels
from unveil.images.transparency import transparent_color, with_alpha

# Formats that Pillow decodes itself: none that starts another program (EPS) or reads from a network.
IMAGE_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
MAX_COMPRESSED = 1 << 24  # bytes of a JPEG that are searched for its end, besides one per pixel
# The exceptions that Pillow's plugins raise for damaged files.
DAMAGE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, MemoryError)
# The first bytes of files in these formats.
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"RIFF", b"BM", b"GIF8")
# Modes whose values are used as they are, and the mode that any other one is converted to.
DIRECT = ("1", "L", "RGB", "RGBA", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
CONVERTED = {"LA": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
# The TIFF tags of a tile's width and height, and the pixels that a tile may have in any image.
TILE_TAGS, MIN_TILE_LIMIT = (322, 323), 1 << 22
ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


def decode_file(file: io.BufferedIOBase, name: str, max_pixels: int, channels: int | None = None) -> np.ndarray:
    """The pixels of an image file (h, w, channels), upright: gray, RGB or RGBA.

    Raises `ImageError`, also for a TIFF with `channels` (those that the classifier expects) of which some would be
    left out.
    """
    start = file.read(4096)
    file.seek(0)
    if not start:
        raise ImageError("an image file", f"{name}, which is empty (0 bytes)", "fetch the file again")
    samples, bits = channels_of_tiff(file)
    if samples > TiffImagePlugin.MAX_SAMPLESPERPIXEL:
        raise too_many_channels(name, samples, bits)
    with (
        _clear_errors(name, max_pixels, start, (samples, bits)),
        Pillow.open(cast(IO[bytes], file), formats=IMAGE_FORMATS) as image,
    ):
        _check_header(image, name, max_pixels)
        if image.format == "PNG" and (missing := missing_bytes(file)):
            raise EOFError(f"{missing} bytes of pixels are missing")
        if image.format in ("JPEG", "MPO") and _ends_early(image, file):
            raise EOFError("the data end before the last block")
        if image.format == "TIFF":
            _check_jpeg_streams(image, file)
            if samples > len(image.getbands()) and samples == channels:
                raise too_many_channels(name, samples, bits)
        return _to_array(image, name, max_pixels)


def _check_jpeg_streams(image: Pillow.Image, file: io.BufferedIOBase) -> None:
    """Raise `EOFError` if a JPEG inside a TIFF ends early: libjpeg fills what is missing with gray."""
    left = max(MIN_TILE_LIMIT, 4 * image.width * image.height)
    size = file.seek(0, io.SEEK_END)
    for content in jpeg_streams(getattr(image, "tag_v2", {}), file, size):
        try:
            part = Pillow.open(io.BytesIO(content), formats=["JPEG"])
        except UnidentifiedImageError:  # a kind of JPEG that only libtiff decodes
            continue
        with part:
            left -= part.width * part.height
            if left < 0:
                raise ValueError("parts that are larger than the image")
            if _ends_early(part, io.BytesIO(content)):
                raise EOFError("the data of a JPEG end before its last block")


def _ends_early(image: Pillow.Image, file: io.BufferedIOBase) -> bool:
    """True if the data of a JPEG end before its last block; loads the image."""
    image.load()
    file.seek(0)
    content = file.read(MAX_COMPRESSED + image.width * image.height)
    if b"\xff\xd9" not in content:  # the end of a picture
        return True
    if image.mode != "CMYK" and "progressive" not in image.info:
        corner = image.crop((image.width - 1, image.height - 1, *image.size)).convert("L").getpixel((0, 0))
        if not 120 <= cast(int, corner) <= 136:  # not the gray of a block without data
            return False
    if (longer := with_extra_data(content)) is None:
        return False
    with Pillow.open(io.BytesIO(longer), formats=["JPEG"]) as extended:
        extended.load()
        return ImageChops.difference(image, extended).getbbox() is not None


def decode_pil(image: Pillow.Image, name: str, max_pixels: int) -> np.ndarray:
    """The pixels of a PIL image, as those of a file that holds it; the image isn't changed. Raises `ImageError`."""
    with _clear_errors(name, max_pixels):
        return _to_array(image, name, max_pixels)


def reduce_colors(png: bytes, count: int = 256) -> bytes:
    """The PNG file of an opaque image with at most `count` colors (2 to 256): a third of the bytes for a photograph.

    The colors are chosen by median cut, and each pixel has the nearest one.
    """
    with Pillow.open(io.BytesIO(png), formats=("PNG",)) as image:
        reduced = image.convert("RGB").quantize(count, Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.NONE)
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def is_pil_image(source: object) -> bool:
    """True for an image of Pillow."""
    return isinstance(source, Pillow.Image)


@contextmanager
def _clear_errors(
    name: str, max_pixels: int, start: bytes = b"", tiff_channels: tuple[int, int] = (0, 0)
) -> Iterator[None]:
    """Turn whatever Pillow raises into one `ImageError`.

    `start` holds the first bytes of a file, `tiff_channels` the channels of a TIFF and the bits of each.
    """
    with warnings.catch_warnings():
        # Pillow warns about large images and odd metadata; sizes are checked before anything is decoded.
        warnings.simplefilter("ignore")
        try:
            yield
        except UnidentifiedImageError as error:
            if tiff_channels[0] > 1:
                raise too_many_channels(name, *tiff_channels) from error
            if start.startswith(SIGNATURES):
                got = f"{name}, which is damaged or cut off"
                raise ImageError("a whole image", got, "fetch the file again") from error
            expected = f"an image ({', '.join(IMAGE_FORMATS)})"
            raise ImageError(expected, f"{name}, {_guess_content(start)}", "convert it to PNG") from error
        except Pillow.DecompressionBombError as error:
            raise _too_large(name, _pixel_count(error), max_pixels) from error
        except DAMAGE_ERRORS as error:
            reason = first_line(error, None)
            if "raw mode" in reason and tiff_channels[0] > 1:
                raise too_many_channels(name, *tiff_channels) from error
            got = f"{name}, which is damaged or cut off ({reason})"
            raise ImageError("a whole image", got, "fetch the file again") from error


def _check_header(image: Pillow.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise too_small((height, width))
    if width * height > max_pixels:
        raise _too_large(name, f"{width}x{height}", max_pixels)
    if image.format == "TIFF" and getattr(image, "is_animated", False):
        do = "save the page you mean as a file of its own, or give a copy of it (image.seek(page); image.copy())"
        raise ImageError("a TIFF with one page", f"{name} with several", do)
    tile_width, tile_height = (getattr(image, "tag_v2", {}).get(tag, 0) for tag in TILE_TAGS)
    if tile_width * tile_height > max(MIN_TILE_LIMIT, 4 * width * height):
        got = f"{name}, which is damaged (tiles of {tile_width}x{tile_height} pixels)"
        raise ImageError("tiles about as large as the image", got, "save it without tiles")
    if image.mode not in (*DIRECT, *CONVERTED, "P", "La", "LAB"):
        raise ImageError("a common color mode", f"{name} with {image.mode}", 'convert it with image.convert("RGB")')


def _too_large(name: str, size: str, max_pixels: int) -> ImageError:
    limit = f"at most {max_pixels / 1e6:.0f} megapixels"
    return ImageError(f"an image of {limit}", f"{name} with {size} pixels", "scale it down or cut out a part")


def _pixel_count(error: Exception) -> str:
    # Pillow refuses the largest headers itself, and gives the number of pixels in its message only.
    return next((word for word in str(error).replace("(", " ").split() if word.isdecimal()), "far more")


def _to_array(image: Pillow.Image, name: str, max_pixels: int) -> np.ndarray:
    """The pixels of a PIL image, upright and channels last: gray, RGB or RGBA. The image isn't changed."""
    _check_header(image, name, max_pixels)
    color = transparent_color(image.info, image.mode, _stored_mode(image))
    with _silenced(image):
        image.load()
    if (turn := UPRIGHT.get(_orientation(image))) is not None:
        image = image.transpose(turn)
    values = np.asarray(_convert_mode(image))
    if image.mode.startswith("I"):
        # Pillow opens some 16-bit files as 32-bit integers.
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > 65535:
            do = "read it as an array and give value_range=(lowest, highest)"
            raise ImageError("at most 16 bits per pixel", f"{name} with values from {low} to {high}", do)
        values = values.astype(np.uint16)
    if color is not None:
        values = with_alpha(values, color)
    return values[..., None] if values.ndim == 2 else values


def _stored_mode(image: Pillow.Image) -> str | None:
    tiles = getattr(image, "tile", None)
    return tiles[0][3] if tiles and image.format == "PNG" and isinstance(tiles[0][3], str) else None


def _silenced(image: Pillow.Image) -> AbstractContextManager[None]:
    tiles = getattr(image, "tile", None) or []
    return without_libtiff_messages() if any(tile[0] == "libtiff" for tile in tiles) else nullcontext()


def _orientation(image: Pillow.Image) -> Any:
    # Viewers show files whose metadata can't be read, and show them as they are stored.
    try:
        return image.getexif().get(ORIENTATION)
    except (*DAMAGE_ERRORS, KeyError, OverflowError):
        return None


def _convert_mode(image: Pillow.Image) -> Pillow.Image:
    match image.mode:
        case "P":
            return image.convert("RGBA" if "transparency" in image.info else "RGB")
        case "La":
            return image.convert("LA").convert("RGBA")
        case "LAB":
            lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            transform = ImageCms.buildTransform(lab, rgb, "LAB", "RGB")
            return cast(Pillow.Image, ImageCms.applyTransform(image, transform))
        case mode:
            return image.convert(CONVERTED[mode]) if mode in CONVERTED else image


def _guess_content(start: bytes) -> str:
    if start[128:132] == b"DICM":
        return "a DICOM file, which this version can't read"
    if start[344:347] in (b"n+1", b"ni1") or start[:2] == b"\x1f\x8b":
        return "which may be a NIfTI volume: those are read from paths that end in .nii or .nii.gz"
    if b"\0" not in start and start.isascii():
        return "a text file"
    return "none of these"
