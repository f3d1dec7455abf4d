"""The images of a folder of the user's, which are read when they are used."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unveil.errors import ImageError
from unveil.serve.jobs import NotFoundError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".npy", ".nii", ".gz")
MOST_IMAGES = 2000
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FolderImage:
    """A file of the folder.

    Attributes:
        id: 32 hexadecimal digits, made from its name.
        name: Its name in the folder.
        size_bytes: Its size.
        created: When it was changed, in seconds since 1970.
    """

    id: str
    name: str
    size_bytes: int
    created: float


class FolderImages:
    """The image files of one folder, without those in folders below it. Links that leave the folder are left out."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`. Raises `ImageError` unless it is a folder that can be read."""
        try:
            self.folder = folder.resolve(strict=True)
            next(self.folder.iterdir(), None)
        except OSError as error:
            got = f"{folder}: {error.strerror or error}"
            raise ImageError("a folder of images", got, "check --images") from error

    def listed(self) -> list[FolderImage]:
        """The newest images first, at most `MOST_IMAGES`."""
        images = [_describe(path) for path in self._files()]
        return sorted(images, key=lambda image: (-image.created, image.name))[:MOST_IMAGES]

    def has(self, image_id: str) -> bool:
        """True if an image of the folder has this id."""
        return any(_id_of(path.name) == image_id for path in self._files())

    def chunks(self, image_id: str) -> tuple[str, Iterator[bytes]]:
        """The name and the bytes of an image. Raises `NotFoundError`."""
        path = next((path for path in self._files() if _id_of(path.name) == image_id), None)
        if path is None:
            raise NotFoundError("an image of the folder", "another id", "list the images again")
        return path.name, _read(path)

    def _files(self) -> Iterator[Path]:
        for path in self.folder.iterdir():
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            try:
                if path.is_file() and path.resolve().is_relative_to(self.folder):
                    yield path
            except OSError:
                continue


def _describe(path: Path) -> FolderImage:
    status = path.stat()
    return FolderImage(_id_of(path.name), path.name, status.st_size, status.st_mtime)


def _id_of(name: str) -> str:
    return hashlib.sha256(b"folder/" + name.encode("utf-8", errors="surrogateescape")).hexdigest()[:32]


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
