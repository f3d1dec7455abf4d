"""The preview beside a record: a PNG file that isn't part of the record's seal."""

import warnings
from pathlib import Path

from unveil.errors import ImageError, UnveilWarning
from unveil.images.preview import MAX_PREVIEW_BYTES, Preview, preview_shape
from unveil.records import Run

PREVIEW_FILE = "preview.png"


def write_preview(run: Run, folder: Path) -> None:
    """Write the preview of a run into the folder of its record, if it has one."""
    if run.preview is not None:
        (folder / PREVIEW_FILE).write_bytes(run.preview.png)


def read_preview(folder: Path, shape: tuple[int, ...]) -> Preview | None:
    """The preview in the folder of a record whose source has this `shape`; None if there is none.

    A preview that can't be read, or has another shape, is a warning and None: the record is complete without it.
    """
    path = folder / PREVIEW_FILE
    try:
        if not path.is_file():
            return None
        if (size := path.stat().st_size) > MAX_PREVIEW_BYTES:
            raise ImageError(f"a preview of at most {MAX_PREVIEW_BYTES} bytes", str(size), "delete it")
        preview = Preview(path.read_bytes())
        if len(shape) != 2 or preview.shape != preview_shape(shape):
            raise ImageError(f"a preview of a source of {shape}", f"one of {preview.shape}", "delete it")
    except (ImageError, OSError) as error:
        warnings.warn(f"{path}: {error}", UnveilWarning, stacklevel=3)
        return None
    return preview
