"""Finds the image files that runs were made of, by the hash of their content."""

import warnings
from collections.abc import Collection
from pathlib import Path

from unveil.errors import ImageError, UnveilWarning
from unveil.images.image import Image
from unveil.images.reading import read_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".npy", ".nii", ".gz")


def find_originals(folder: str | Path, hashes: Collection[str]) -> dict[str, Image]:
    """The images below a `folder` whose `sha256` is among these `hashes`, by their hash; stops when all are found.

    Files that aren't images, or can't be read, are left out: they can't be the original of a run. Names don't matter.

    Raises `ImageError` for a `folder` that isn't one.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ImageError("the folder of the images", str(folder), "check the path")
    wanted, found = set(hashes), {}
    for path in sorted(root.rglob("*")):
        if len(found) == len(wanted):
            break
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnveilWarning)  # the run itself has warned
                image = read_image(path)
        except ImageError:
            continue
        if image.sha256 in wanted:
            found.setdefault(image.sha256, image)
    return found
