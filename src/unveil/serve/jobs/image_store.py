"""Images that were uploaded: streamed to a file, checked, and kept under the hash of their bytes."""

import errno
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from unveil.atomic import FULL, written_atomically
from unveil.errors import DiskFullError, ImageError, RecordError, UnveilWarning
from unveil.images import Image, read_image
from unveil.leftovers import remove_leftovers
from unveil.serve.jobs.database import Connection, Database
from unveil.serve.jobs.errors import NotFoundError, UploadTooLargeError
from unveil.serve.jobs.event_log import EventLog
from unveil.serve.jobs.job import StoredImage
from unveil.serve.jobs.thumbnail import draw_thumbnail
from unveil.texts import escape_control

ID_DIGITS, MAX_NAME = 32, 200
NAMED_BY_CONTENT = ("", ".npy", ".nii")  # `read_image` knows arrays and volumes by the ends of their names
SELECT_IMAGES = "SELECT id, name, shape, channels, bytes, created, warning FROM images"


class ImageStore:
    """The images of a server, as files named by their id beside a table.

    A file gets its name when it is complete and readable, and its row after that; a file without a row is what a killed
    process left, and is removed.
    """

    def __init__(self, database: Database, log: EventLog, upload_limit_bytes: int, pixel_limit: int) -> None:
        """Keep images in the folder of `database`, and remove what an earlier process left."""
        self._database, self._log = database, log
        self._limit_bytes, self._limit_pixels = upload_limit_bytes, pixel_limit
        self._folder, self._previews, self._uploads = (
            database.folder / name for name in ("images", "previews", "uploads")
        )
        # One image is decoded at a time, so that many uploads take the memory of one.
        self._decoding = threading.Lock()
        self._clean()

    def add(self, name: str, chunks: Iterable[bytes]) -> StoredImage:
        """Store an image; equal bytes are stored once, under their first name.

        Raises `UploadTooLargeError` as soon as there are too many bytes, `ImageError` for what can't be read,
        `DiskFullError`, and whatever `chunks` raises. Nothing is left of an image that isn't stored.
        """
        name = _clean_name(name)
        with self._received(name, chunks) as (part, image_id):
            with suppress(NotFoundError):
                return self.find(image_id)
            with self._decoding:
                image = self._read(part, name, None)
                preview = draw_thumbnail(image)
                shape, channels, warning = json.dumps(image.shape), image.channels, image.warning
                del image  # others may be decoded while this one waits for the disk
            with written_atomically(self._previews / f"{image_id}.png", "a preview") as hidden:
                hidden.write_bytes(preview)
            size, target = part.stat().st_size, self._folder / f"{image_id}{part.suffix}"
            with _disk_errors(self._database.folder):
                part.replace(target)
            values = (image_id, name, shape, channels, size, time.time(), warning)

        def insert(connection: Connection) -> None:
            columns = "id, name, shape, channels, bytes, created, warning"
            query = f"INSERT OR IGNORE INTO images ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (constants)
            if connection.execute(query, values).rowcount:
                self._log.add(connection, None, "image", {"image": image_id})

        self._database.write(insert)
        self._log.wake()
        return self.find(image_id)

    def newest(self) -> list[StoredImage]:
        """All images, the newest first."""
        return [_stored(row) for row in self._database.rows(f"{SELECT_IMAGES} ORDER BY seq DESC")]

    def find(self, image_id: str) -> StoredImage:
        """One image. Raises `NotFoundError`."""
        rows = self._database.rows(f"{SELECT_IMAGES} WHERE id = ?", (image_id,))
        if not rows:
            raise NotFoundError("the id of an image", repr(image_id)[:40], "upload it again")
        return _stored(rows[0])

    def path(self, image_id: str) -> Path:
        """The file of an image. Raises `NotFoundError`."""
        self.find(image_id)
        for ending in NAMED_BY_CONTENT:
            path = self._folder / f"{image_id}{ending}"
            if path.is_file():
                return path
        raise NotFoundError("the file of an image", f"none for {image_id}", "upload it again")

    def read(self, image_id: str, channels: int | None) -> Image:
        """The image, under the name that it was given, for a classifier with so many channels.

        Raises `NotFoundError` and `ImageError`.
        """
        name, path = self.find(image_id).name, self.path(image_id)
        with self._decoding:
            return self._read(path, name, channels)

    def preview(self, image_id: str) -> bytes:
        """A small PNG of the image, drawn again if its file is gone. Raises `NotFoundError` and `ImageError`."""
        self.find(image_id)
        path = self._previews / f"{image_id}.png"
        try:
            return path.read_bytes()
        except OSError:
            content = draw_thumbnail(self.read(image_id, None))
        with suppress(RecordError), written_atomically(path, "a preview") as hidden:
            hidden.write_bytes(content)
        return content

    @contextmanager
    def _received(self, name: str, chunks: Iterable[bytes]) -> Iterator[tuple[Path, str]]:
        """A temporary file with all bytes of an upload, and their id; it is gone afterwards, unless it was moved."""
        part = self._uploads / secrets.token_hex(8)
        digest, start = hashlib.sha256(), b""
        try:
            with _disk_errors(self._database.folder), part.open("xb", buffering=0) as file:
                for chunk in self._limited(name, chunks):
                    start = start if len(start) >= 512 else start + chunk[:512]
                    digest.update(chunk)
                    _write_all(file.fileno(), chunk)
                os.fsync(file.fileno())
            part = part.rename(part.with_suffix(_ending(start)))
            yield part, digest.hexdigest()[:ID_DIGITS]
        finally:
            for ending in NAMED_BY_CONTENT:
                part.with_suffix(ending).unlink(missing_ok=True)

    def _limited(self, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in _sender_errors(chunks):
            size += len(chunk)
            if size > self._limit_bytes:
                expected = f"an image file of at most {self._limit_bytes / 1e6:.3g} MB"
                raise UploadTooLargeError(expected, f"{name} with more", "scale it down or cut out a part")
            yield chunk

    def _read(self, path: Path, name: str, channels: int | None) -> Image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnveilWarning)  # it is kept with the image
                image = read_image(path, channels=channels, max_pixels=self._limit_pixels)
        except ImageError as error:
            # The file's own path means nothing to whoever sent it.
            raise ImageError(error.expected, error.got.replace(str(path), name), error.do) from error
        return replace(image, source=name)

    def _clean(self) -> None:
        """Remove files without a row, rows without a file, and uploads that didn't end."""
        known = {image_id for (image_id,) in self._database.rows("SELECT id FROM images")}
        with _disk_errors(self._database.folder):
            shutil.rmtree(self._uploads, ignore_errors=True)
            for folder in (self._folder, self._previews, self._uploads):
                folder.mkdir(parents=True, exist_ok=True)
                remove_leftovers(folder)
            for path in [*self._folder.iterdir(), *self._previews.iterdir()]:
                if path.stem not in known:
                    path.unlink(missing_ok=True)
        gone = known - {path.stem for path in self._folder.iterdir()}

        def forget(connection: Connection) -> None:
            connection.executemany("DELETE FROM images WHERE id = ?", [(image_id,) for image_id in gone])

        if gone:
            self._database.write(forget)


class _SenderError(Exception):
    """What a sender raised, so that it isn't taken for an error of our disk."""


def _sender_errors(chunks: Iterable[bytes]) -> Iterator[bytes]:
    iterator = iter(chunks)
    while True:
        try:
            chunk = next(iterator)
        except StopIteration:
            return
        except OSError as error:
            raise _SenderError from error
        yield chunk


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except _SenderError as error:
        raise error.__cause__ or error from None
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError("space for an image", os.strerror(errno.ENOSPC), "free some space") from error
        raise RecordError(f"a folder for images in {folder}", f"{error.strerror}", "check the folder") from error


def _write_all(number: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(number, left) :]


def _ending(start: bytes) -> str:
    """The end of the name under which `read_image` reads a file that starts with these bytes."""
    if start.startswith(b"\x93NUMPY"):
        return ".npy"
    nifti = start[344:347] in (b"n+1", b"ni1") or start[4:7] in (b"n+2", b"ni2")
    return ".nii" if nifti or start.startswith(b"\x1f\x8b") else ""


def _clean_name(name: str) -> str:
    """The last part of a name from outside, printable and short."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].strip()
    return escape_control(last)[:MAX_NAME] or "image"


def _stored(row: tuple) -> StoredImage:
    image_id, name, shape, *rest = row
    return StoredImage(image_id, name, tuple(json.loads(shape)), *rest)
