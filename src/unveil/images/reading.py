"""`read_image` for files, bytes, file objects, PIL images, arrays and tensors."""

import io
import os
import re
from pathlib import Path
from typing import Any

from unveil.errors import ImageError
from unveil.images.decoding import decode_file, decode_pil, is_pil_image
from unveil.images.image import Image
from unveil.images.nifti import MAX_VOXELS, is_nifti, read_nifti
from unveil.images.npy import is_npy, read_npy
from unveil.images.scaling import checked_range

MAX_PIXELS = 100_000_000


def read_image(
    source: Any,
    *,
    value_range: tuple[float, float] | None = None,
    channels: int | None = None,
    max_pixels: int | None = None,
) -> Image:
    """Read an image, or a volume, from any common source.

    Args:
        source: A path (PNG, JPEG, TIFF, WebP, BMP, GIF; `.npy` arrays; `.nii` and `.nii.gz` volumes); the content of
            an image file as `bytes` or as a binary file object, which is read from its position to its end and isn't
            closed; a `PIL.Image.Image`, which isn't changed; an array or a tensor as `Image.from_array` takes it; or
            an `Image`, which is returned as it is.
        value_range: The values `(low, high)` that become 0 and 1; values beyond are clipped. Default: the full range of
            the pixels' type; for a NIfTI volume its own smallest and largest value. A radiograph with 12 bits in a
            16-bit file needs `(0, 4095)`; a warning says so.
        channels: The number of channels that the classifier expects, as in `Image.from_array`.
        max_pixels: The largest number of pixels or voxels. Default: 100 million for images, 2^28 for volumes.

    A PIL image is converted exactly as the file that holds it: EXIF orientation is applied; palettes, CMYK, YCbCr,
    HSV and CIELAB become RGB; transparency is composited onto white, be it an alpha channel, a palette or one
    transparent color. Opaque gray stays gray, and 16-bit gray keeps its 16 bits; Pillow reduces 16-bit color to 8
    bits. The first frame of an animated file is read, the current frame of a PIL image; a TIFF with several pages is
    refused. The axes of a volume become depth, height, width and begin at the patient's head, front and right side
    (docs/volumes.md).

    Peak memory is about 20 bytes per pixel, whatever the file: 2 GB at the default limit.

    Raises `ImageError` for a source that isn't one complete image of 8x8 (8x8x8) to `max_pixels` pixels; size and
    type are checked before any pixel is decoded. A file whose data end early is refused, even if its end is marked
    properly, and so are JPEG data inside a TIFF that do. A TIFF with other channels than gray, RGB or RGBA isn't read;
    a `.npy` file is.

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
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        _check_path(path)
        if is_nifti(path):
            return read_nifti(path, str(source), value_range, MAX_VOXELS if max_pixels is None else max_pixels)
    values, name = _read_values(source, MAX_PIXELS if max_pixels is None else max_pixels, channels)
    last = None if values is source or is_npy(name) else True
    return Image.from_array(values, source=name, channels_last=last, value_range=value_range, channels=channels)


def _read_values(source: Any, max_pixels: int, channels: int | None) -> tuple[Any, str]:
    """The original values of an image, and the name of the source; an array or a tensor as it is."""
    if is_pil_image(source):
        name = _name(getattr(source, "filename", ""), "PIL image")
        return decode_pil(source, name, max_pixels), name
    if isinstance(source, bytes | bytearray):
        return decode_file(io.BytesIO(source), "bytes", max_pixels, channels), "bytes"
    if isinstance(source, str | os.PathLike):
        try:
            with Path(source).open("rb") as file:
                if is_npy(str(source)):
                    return read_npy(file, str(source), max_pixels), str(source)
                return decode_file(file, str(source), max_pixels, channels), str(source)
        except OSError as error:
            raise ImageError("an image file that can be read", f"{source}: {error}", "check the path") from error
    if hasattr(source, "read"):
        name = _name(getattr(source, "name", ""), "file object")
        return decode_file(_read_content(source, name), name, max_pixels, channels), name
    return source, "array"


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
