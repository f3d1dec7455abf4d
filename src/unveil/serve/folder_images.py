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

    def listed(self) -> list[FolderImage]:
        """The images in the order of their names, with numbers in them as numbers; at most `MOST_IMAGES`."""
        return sorted(self._images(), key=lambda image: _by_number(image.name))[:MOST_IMAGES]

    def has(self, image_id: str) -> bool:
        """True if an image of the folder has this id."""
        return any(image.id == image_id for image in self._images())

    def chunks(self, image_id: str) -> tuple[str, Iterator[bytes]]:
        """The name and the bytes of an image. Raises `NotFoundError`."""
        name = self._name(image_id)
        return name, _read(self.folder / name)

    def preview(self, image_id: str) -> bytes:
        """A small PNG of an image. Raises `NotFoundError`, and `ImageError` for what can't be read."""
        return self._thumbnail(self._name(image_id), image_id)

    def _name(self, image_id: str) -> str:
        name = next((image.name for image in self._images() if image.id == image_id), None)
        if name is None:
            raise NotFoundError("an image of the folder", "another id", "list the images again")
        return name

    def _images(self) -> Iterator[FolderImage]:
        for path in self.folder.iterdir():
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            try:
                if path.is_file() and path.resolve().is_relative_to(self.folder):
                    yield _describe(path)
            except OSError:
                continue

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
