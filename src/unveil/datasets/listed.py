"""Datasets whose samples are listed when they are opened; files are checked when a sample is accessed."""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import Dataset, DatasetError, Sample, without_traceback
from unveil.datasets.index import printable, unreadable_folder
from unveil.errors import ImageError

# The image files that `read_image` reads; other files in a folder are skipped.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".npy")


class ListedDataset(Dataset):
    """A dataset over a list of samples.

    When a sample is accessed, it gets an error if its image is missing or empty; the file isn't opened for that.
    Annotations in separate files are read at the same time, by `_annotated`.
    """

    def __init__(self, name: str, labels: Sequence[str], samples: Sequence[Sample]) -> None:
        """Make a dataset of samples with a name and the names of all labels."""
        self.name, self.labels, self._samples = name, tuple(labels), tuple(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def _sample(self, number: int) -> Sample:
        sample = self._samples[number]
        if sample.error is not None:
            return sample
        error = find_file_error(sample.path)
        if error is not None:
            return replace(sample, error=error)
        try:
            return self._annotated(sample)
        except DatasetError as damaged:
            return replace(sample, error=without_traceback(damaged))

    def _annotated(self, sample: Sample) -> Sample:
        """Add the annotation of a separate file to the sample. Raises `DatasetError`."""
        return sample


def find_file_error(path: Path) -> ImageError | None:
    """Return the error of a path that is missing, not a file, or empty; None otherwise. The file isn't opened."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ImageError("an image file", f"{printable(path)}, which does not exist", "check the path")
    except (OSError, ValueError) as error:
        got = f"{printable(path)}: {getattr(error, 'strerror', None) or error}"
        return ImageError("an image file", got, "check the path")
    if not stat.S_ISREG(status.st_mode):
        return ImageError("an image file", f"{printable(path)}, which is no file", "check the path")
    if status.st_size == 0:
        return ImageError("an image file", f"{printable(path)}, which is empty (0 bytes)", "fetch the file again")
    return None


def find_image_files(folder: Path) -> list[Path]:
    """Find all image files below a folder at any depth, in natural order; hidden files and folders are skipped.

    Links to folders are followed, but no folder is visited twice. Raises `DatasetError` for a folder that can't be
    read.
    """
    images: list[Path] = []
    visited: set[Path] = set()
    pending = [folder]
    while pending:
        current = pending.pop(0)
        if current.resolve() in visited:
            continue
        visited.add(current.resolve())
        folders, files = _folders_and_files(current)
        pending += folders
        images += [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    return natural_sort(images)


def _folders_and_files(folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        with os.scandir(folder) as entries:
            children = [(_is_folder(entry), Path(entry.path)) for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise unreadable_folder(folder, error) from error
    return natural_sort(path for is_folder, path in children if is_folder), [
        path for is_folder, path in children if not is_folder
    ]


def _is_folder(entry: os.DirEntry) -> bool:
    # The listing itself contains which entries are folders, which saves a system call for each of a million files.
    # For links `Path` is used, which treats dangling and circular ones as no folder and raises no error.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def natural_sort(paths: Iterable[Path]) -> list[Path]:
    """Sort paths in natural order, part by part."""
    return sorted(paths, key=lambda path: [natural_key(part) for part in path.parts])


def natural_key(text: str) -> tuple[list[tuple[int, str]], str]:
    """Make a sort key that compares digits by their value (`2.png` before `10.png`) and ignores case for unequal texts.

    >>> sorted(["b10", "b9", "B9", "a"], key=natural_key)
    ['a', 'B9', 'b9', 'b10']
    """
    parts = re.split(r"([0-9]+)", text.casefold())
    # Without leading zeros the longer number is the larger one; int() rejects numbers of thousands of digits. Texts
    # and numbers alternate, so elements of the same kind are compared.
    key = [(len(part.lstrip("0")), part.lstrip("0")) if place % 2 else (0, part) for place, part in enumerate(parts)]
    return key, text
