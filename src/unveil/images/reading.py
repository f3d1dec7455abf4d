"""`read_image`, and the one door to Pillow."""

import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from unveil.errors import ImageError
from unveil.images.image import Image
from unveil.images.nifti import MAX_VOXELS, is_nifti, read_nifti

# Formats that Pillow decodes itself: none that starts another program (EPS) or reads from a network.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
MAX_PIXELS = 100_000_000
# What Pillow's plugins raise for damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError)


def read_image(source: Any, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = None) -> Image:
    """An image from a file (PNG, JPEG, TIFF, WebP, BMP, GIF; NIfTI volumes), an array, a tensor, or an `Image`.

    Gray stays gray; 16-bit gray keeps its 16 bits, 16-bit color is reduced to 8 bits by Pillow. JPEG orientation is
    applied, a palette becomes color, CMYK becomes RGB, transparency is composited onto white. A file with several
    pages is refused; of an animation the first frame is taken. A volume's axes become depth, height, width with the
    head, the front and the patient's right first (docs/volumes.md).

    `value_range`: the values that become 0 and 1, what is beyond is cut; by default the full range of the pixels' type,
    for a NIfTI the volume's own smallest and largest value. Raises `ImageError` for anything that isn't a whole image
    of 8x8 (8x8x8) to `max_pixels` pixels: 100 million if not given, 2^28 for volumes.
    """
    if isinstance(source, Image):
        return source
    if not isinstance(source, str | os.PathLike):
        return Image.from_array(source, value_range=value_range)
    path = Path(source)
    _check_file(path)
    if is_nifti(path):
        return read_nifti(path, str(source), value_range, MAX_VOXELS if max_pixels is None else max_pixels)
    values = _read_pixels(path, MAX_PIXELS if max_pixels is None else max_pixels)
    return Image.from_array(values, source=str(source), channels_last=True, value_range=value_range)


def _read_pixels(path: Path, max_pixels: int) -> np.ndarray:
    with warnings.catch_warnings():
        # Pillow warns of large images; the size is checked here, before anything is decoded.
        warnings.simplefilter("ignore")
        try:
            with Pillow.open(path, formats=FORMATS) as opened:
                _check_header(opened, path, max_pixels)
                return _decode(opened)
        except UnidentifiedImageError as error:
            raise ImageError(
                f"an image ({', '.join(FORMATS)})", f"{path}, {_guess(path)}", "convert it to PNG"
            ) from error
        except Pillow.DecompressionBombError as error:
            raise _too_large(path, _digits(error), max_pixels) from error
        except DAMAGED as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            got = f"{path}, which is damaged or cut off ({said})"
            raise ImageError("a whole image", got, "fetch the file again") from error


def _check_file(path: Path) -> None:
    try:
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


def _check_header(opened: Pillow.Image, path: Path, max_pixels: int) -> None:
    width, height = opened.size
    if width * height > max_pixels:
        raise _too_large(path, f"{width}x{height}", max_pixels)
    if opened.format == "TIFF" and getattr(opened, "n_frames", 1) > 1:
        pages = getattr(opened, "n_frames", 1)
        raise ImageError("a TIFF with one page", f"{path} with {pages}", "save the page you mean as a file of its own")


def _too_large(path: Path, size: str, max_pixels: int) -> ImageError:
    limit = f"at most {max_pixels / 1e6:.0f} megapixels"
    return ImageError(f"an image of {limit}", f"{path} with {size} pixels", "scale it down or cut out a part")


def _digits(error: Exception) -> str:
    # Pillow refuses the largest headers itself, and says how many pixels in its message only.
    return next((word for word in str(error).replace("(", " ").split() if word.isdecimal()), "far more")


def _decode(opened: Pillow.Image) -> np.ndarray:
    opened.load()
    image = ImageOps.exif_transpose(opened)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    if image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        image = image.convert("RGB")
    values = np.asarray(image)
    if image.mode.startswith("I"):
        # Pillow opens some 16-bit files as 32-bit integers.
        if values.min() < 0 or values.max() > 65535:
            got = f"values from {values.min()} to {values.max()}"
            raise ImageError(
                "at most 16 bits a pixel", got, "read it as an array and say value_range=(lowest, highest)"
            )
        values = values.astype(np.uint16)
    return values[..., None] if values.ndim == 2 else values


def _guess(path: Path) -> str:
    try:
        start = path.read_bytes()[:4096]
    except OSError as error:
        return str(error)
    if start[128:132] == b"DICM":
        return "a DICOM file, which this version can't read"
    if b"\0" not in start and start.isascii():
        return "a text file"
    return "none of these"
