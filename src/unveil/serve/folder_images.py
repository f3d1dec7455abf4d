"""The images of a folder of the user's, which are read when they are used."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from unveil.errors import ImageError
from unveil.images import read_image
from unveil.serve.jobs import NotFoundError
from unveil.serve.jobs.thumbnail import draw_thumbnail

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".npy", ".nii", ".gz")
MOST_IMAGES = 2000
THUMBNAIL_PX, KEPT_THUMBNAILS = 512, 64
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FolderImage:
    """A file of the folder.

    Attributes:
        id: 32 hexadecimal digits.
        name: Its name in the folder.
        size_bytes: Its size.
        created: When it was changed, in seconds since 1970.
    """

    id: str
    name: str
    size_bytes: int
    created: float


class FolderImages:
    """The image files of one folder, without those in folders below it. Links that leave the folder are left out.

    The id of an image is made from its name, its size and the time of its last change.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`. Raises `ImageError` unless it is a folder that can be read."""
        try:
            self.folder = folder.resolve(strict=True)
            next(self.folder.iterdir(), None)
        except OSError as error:
            got = f"{folder}: {error.strerror or error}"
            raise ImageError("a folder of images", got, "check --images") from error
        self._thumbnail = lru_cache(KEPT_THUMBNAILS)(self._draw)
        self._names: dict[str, str] = {}  # by id, as they were last seen; a page asks for every one of them

    def listed(self) -> list[FolderImage]:
        """The images in the order of their names, with numbers in them as numbers; at most `MOST_IMAGES`."""
        return sorted(self._images(), key=lambda image: _by_number(image.name))[:MOST_IMAGES]

    def has(self, image_id: str) -> bool:
        """True if an image of the folder has this id."""
        return self._find(image_id) is not None

    def chunks(self, image_id: str) -> tuple[str, Iterator[bytes]]:
        """The name and the bytes of an image. Raises `NotFoundError`."""
        name = self._name(image_id)
        return name, _read(self.folder / name)

    def preview(self, image_id: str) -> bytes:
        """A small PNG of an image. Raises `NotFoundError`, and `ImageError` for what can't be read."""
        return self._thumbnail(self._name(image_id), image_id)

    def _name(self, image_id: str) -> str:
        name = self._find(image_id)
        if name is None:
            raise NotFoundError("an image of the folder", "another id", "list the images again")
        return name

    def _find(self, image_id: str) -> str | None:
        """The name of the image with this id: a file that was seen before is looked at again, and not the others."""
        name = self._names.get(image_id)
        image = None if name is None else self._image(self.folder / name)
        if image is None or image.id != image_id:
            self._names = {image.id: image.name for image in self._images()}
        return self._names.get(image_id)

    def _images(self) -> Iterator[FolderImage]:
        return (image for image in map(self._image, self.folder.iterdir()) if image is not None)

    def _image(self, path: Path) -> FolderImage | None:
        """The image at a path of the folder; None for anything else."""
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            return None
        try:
            return _describe(path) if path.is_file() and path.resolve().is_relative_to(self.folder) else None
        except OSError:
            return None

    def _draw(self, name: str, image_id: str) -> bytes:
        return draw_thumbnail(read_image(self.folder / name), THUMBNAIL_PX)


def _describe(path: Path) -> FolderImage:
    status = path.stat()
    facts = f"{status.st_size} {status.st_mtime_ns} ".encode() + path.name.encode("utf-8", errors="surrogateescape")
    return FolderImage(hashlib.sha256(facts).hexdigest()[:32], path.name, status.st_size, status.st_mtime)


def _by_number(name: str) -> list[tuple[int, str]]:
    """`scan2` before `scan10`."""
    return [(int(part) if part.isdecimal() else -1, part.casefold()) for part in re.split("([0-9]+)", name)]


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
