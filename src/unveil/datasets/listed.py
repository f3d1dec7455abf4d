"""Datasets whose samples are known when they are opened; files are looked at when a sample is asked for."""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import Dataset, DatasetError, Sample, as_value
from unveil.datasets.index import shown, unreadable
from unveil.errors import ImageError

# What `read_image` reads; other files in a folder of images are none.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")


class Listed(Dataset):
    """A dataset over a list of samples.

    A sample that is asked for and has no error yet gets one where its image is missing or empty; that costs one look
    at the file and doesn't open it. Annotations in files of their own are read then too, by `_annotated`.
    """

    def __init__(self, name: str, labels: Sequence[str], samples: Sequence[Sample]) -> None:
        self.name, self.labels, self._samples = name, tuple(labels), tuple(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def _sample(self, number: int) -> Sample:
        sample = self._samples[number]
        if sample.error is not None:
            return sample
        error = file_error(sample.path)
        if error is not None:
            return replace(sample, error=error)
        try:
            return self._annotated(sample)
        except DatasetError as damaged:
            return replace(sample, error=as_value(damaged))

    def _annotated(self, sample: Sample) -> Sample:
        """The sample with what a file of its own says. Raises `DatasetError`."""
        return sample


def file_error(path: Path) -> ImageError | None:
    """Why this can't be an image file: missing, no file, or empty; None where it may be one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ImageError("an image file", f"{shown(path)}, which does not exist", "check the path")
    except (OSError, ValueError) as error:
        got = f"{shown(path)}: {getattr(error, 'strerror', None) or error}"
        return ImageError("an image file", got, "check the path")
    if not stat.S_ISREG(status.st_mode):
        return ImageError("an image file", f"{shown(path)}, which is no file", "check the path")
    if status.st_size == 0:
        return ImageError("an image file", f"{shown(path)}, which is empty (0 bytes)", "fetch the file again")
    return None


def image_files(folder: Path) -> list[Path]:
    """All image files below a folder at any depth, in natural order; hidden files and folders are left out.

    Links to folders are followed, but no folder is entered twice. Raises `DatasetError` for one that can't be read.
    """
    found: list[Path] = []
    entered: set[Path] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop(0)
        if here.resolve() in entered:
            continue
        entered.add(here.resolve())
        folders, files = _folders_and_files(here)
        waiting += folders
        found += [path for path in files if path.suffix.lower() in SUFFIXES]
    return in_order(found)


def _folders_and_files(folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        with os.scandir(folder) as entries:
            seen = [(_is_folder(entry), Path(entry.path)) for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise unreadable(folder, error) from error
    return in_order(path for is_folder, path in seen if is_folder), [path for is_folder, path in seen if not is_folder]


def _is_folder(entry: os.DirEntry) -> bool:
    # The listing itself says which names are folders, which saves a look at each of a million files. Links are looked
    # at by `Path`, for which one that leads nowhere or to itself is no folder and no error.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Paths in natural order, part by part."""
    return sorted(paths, key=lambda path: [natural(part) for part in path.parts])


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts digits by their value: `2.png` before `10.png`; capitals don't matter unless all else is equal.

    >>> sorted(["b10", "b9", "B9", "a"], key=natural)
    ['a', 'B9', 'b9', 'b10']
    """
    parts = re.split(r"([0-9]+)", text.casefold())
    # Without leading zeros the longer number is the larger one; int() refuses numbers of thousands of digits.
    # Texts and numbers alternate, so that like is compared with like.
    key = [(len(part.lstrip("0")), part.lstrip("0")) if place % 2 else (0, part) for place, part in enumerate(parts)]
    return key, text
