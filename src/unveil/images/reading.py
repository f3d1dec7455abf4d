"""`read_image` for files, bytes, file objects, PIL images, arrays and tensors. Pillow is imported only here."""

import io
import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from PIL import Image as Pillow
from PIL import ImageChops, ImageCms, UnidentifiedImageError

from unveil.errors import ImageError
from unveil.images.image import MIN_SIDE, Image, too_small
from unveil.images.jpeg import with_extra_data
from unveil.images.nifti import MAX_VOXELS, is_nifti, read_nifti
from unveil.images.png import missing_bytes
from unveil.images.scaling import checked_range
from unveil.images.stderr import without_libtiff_messages
from unveil.images.transparency import transparent_color, with_alpha

# Formats that Pillow decodes itself: none that starts another program (EPS) or reads from a network.
IMAGE_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
MAX_PIXELS = 100_000_000
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


def read_image(source: Any, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = None) -> Image:
    """Read an image, or a volume, from any common source.

    Args:
        source: A path (PNG, JPEG, TIFF, WebP, BMP, GIF; `.nii` and `.nii.gz` volumes); the content of an image file
            as `bytes` or as a binary file object, which is read from its position to its end and isn't closed; a
            `PIL.Image.Image`, which isn't changed; an array or a tensor as `Image.from_array` takes it; or an `Image`,
            which is returned as it is.
        value_range: The values `(low, high)` that become 0 and 1; values beyond are clipped. Default: the full range of
            the pixels' type; for a NIfTI volume its own smallest and largest value. A radiograph with 12 bits in a
            16-bit file needs `(0, 4095)`; a warning says so.
        max_pixels: The largest number of pixels or voxels. Default: 100 million for images, 2^28 for volumes.

    A PIL image is converted exactly as the file that holds it: EXIF orientation is applied; palettes, CMYK, YCbCr,
    HSV and CIELAB become RGB; transparency is composited onto white, be it an alpha channel, a palette or one
    transparent color. Opaque gray stays gray, and 16-bit gray keeps its 16 bits; Pillow reduces 16-bit color to 8
    bits. The first frame of an animated file is read, the current frame of a PIL image; a TIFF with several pages is
    refused. The axes of a volume become depth, height, width and begin at the patient's head, front and right side
    (docs/volumes.md).

    Peak memory is about 20 bytes per pixel, whatever the file: 2 GB at the default limit. The pixels themselves take
    12 bytes for color and 4 for gray.

    Raises `ImageError` for a source that isn't one complete image of 8x8 (8x8x8) to `max_pixels` pixels; size and
    type are checked before any pixel is decoded. A file whose data end early is refused, even if its end is marked
    properly; only JPEG data inside a TIFF can end early unnoticed.

    >>> from PIL import Image
    >>> photo = Image.new("CMYK", (32, 16))
    >>> image = read_image(photo)
    >>> image.shape, image.channels, float(image.pixels.max())
    ((16, 32), 3, 1.0)
    """
    if isinstance(source, Image):
        if value_range is not None:
            got = "one that is scaled already, and a value_range"
            raise ImageError("an image whose values aren't scaled yet", got, "give the value_range where it is read")
        return source
    if value_range is not None:
        value_range = checked_range(value_range)
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    if isinstance(source, Pillow.Image):
        name = _name(getattr(source, "filename", ""), "PIL image")
        with _clear_errors(name, limit):
            values = _to_array(source, name, limit)
    elif isinstance(source, bytes | bytearray):
        name, values = "bytes", _decode(io.BytesIO(source), "bytes", limit)
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        name = str(source)
        _check_path(path)
        if is_nifti(path):
            return read_nifti(path, name, value_range, MAX_VOXELS if max_pixels is None else max_pixels)
        with _clear_errors(name, limit), path.open("rb") as file:
            values = _decode(file, name, limit)
    elif hasattr(source, "read"):
        name = _name(getattr(source, "name", ""), "file object")
        values = _decode(_read_content(source, name), name, limit)
    else:
        return Image.from_array(source, value_range=value_range)
    return Image.from_array(values, source=name, channels_last=True, value_range=value_range)


def _name(name: Any, default: str) -> str:
    # Files that were opened by number have a number as their name.
    return os.fsdecode(name) if name and isinstance(name, str | bytes | os.PathLike) else default


def _read_content(file: Any, name: str) -> io.BufferedIOBase:
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise ImageError("a file object that can be read", f"{name}: {error}", "open the file again") from error
    if not isinstance(content, bytes | bytearray):
        got = f"{name}, which gives {type(content).__name__}"
        raise ImageError("a binary file object", got, 'open the file with mode "rb"')
    return io.BytesIO(content)


def _decode(file: io.BufferedIOBase, name: str, max_pixels: int) -> np.ndarray:
    start = file.read(4096)
    file.seek(0)
    if not start:
        raise ImageError("an image file", f"{name}, which is empty (0 bytes)", "fetch the file again")
    with _clear_errors(name, max_pixels, start), Pillow.open(cast(IO[bytes], file), formats=IMAGE_FORMATS) as image:
        _check_header(image, name, max_pixels)
        if image.format == "PNG" and (missing := missing_bytes(file)):
            raise EOFError(f"{missing} bytes of pixels are missing")
        if image.format in ("JPEG", "MPO") and _ends_early(image, file):
            raise EOFError("the data end before the last block")
        return _to_array(image, name, max_pixels)


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


@contextmanager
def _clear_errors(name: str, max_pixels: int, start: bytes = b"") -> Iterator[None]:
    """Turn whatever Pillow raises into one `ImageError`; `start` holds the first bytes of a file."""
    with warnings.catch_warnings():
        # Pillow warns about large images and odd metadata; sizes are checked before anything is decoded.
        warnings.simplefilter("ignore")
        try:
            yield
        except UnidentifiedImageError as error:
            if start.startswith(SIGNATURES):
                got = f"{name}, which is damaged or cut off"
                raise ImageError("a whole image", got, "fetch the file again") from error
            expected = f"an image ({', '.join(IMAGE_FORMATS)})"
            raise ImageError(expected, f"{name}, {_guess_content(start)}", "convert it to PNG") from error
        except Pillow.DecompressionBombError as error:
            raise _too_large(name, _pixel_count(error), max_pixels) from error
        except DAMAGE_ERRORS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            got = f"{name}, which is damaged or cut off ({reason})"
            raise ImageError("a whole image", got, "fetch the file again") from error


def _check_path(path: Path) -> None:
    try:
        if re.match(r"https?:/", str(path)):
            raise ImageError("the path of a file", f"the address {path}", "download the image first")
        if path.is_dir():
            raise ImageError("an image file", f"the folder {path}", "name the files in it")
        if not path.exists():
            raise ImageError("an image file", f"{path}, which does not exist", "check the path")
        if path.stat().st_size == 0:
            raise ImageError("an image file", f"{path}, which is empty (0 bytes)", "fetch the file again")
        if not os.access(path, os.R_OK):
            raise ImageError("an image file", f"{path}, which may not be read", "check its permissions")
    except (OSError, ValueError) as error:
        raise ImageError("an image file", f"{str(path)[:100]!r}: {error}", "check the path") from error


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
