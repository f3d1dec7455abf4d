"""Folders of images: with one subfolder per label, or without labels."""

from pathlib import Path

from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.index import list_folder, printable, require_folder
from unveil.datasets.listed import IMAGE_SUFFIXES, ListedDataset, find_image_files, natural_sort


class ImageFolder(ListedDataset):
    """Images in `root/LABEL/…/image.png`: every subfolder of `root` is a label, whose images may lie at any depth.

    Labels and images are in natural order (2 before 10). The id of a sample is its path below `root`, with `/`. Hidden
    files and files that aren't images are skipped; an image beside the subfolders is a sample with an error, because
    it has no label. Raises `DatasetError` if `root` is missing or has no subfolder with an image.
    """

    def __init__(self, root: str | Path) -> None:
        folder = require_folder(root, "a folder with one subfolder per label")
        entries = natural_sort(list_folder(folder))
        subfolders = [path for path in entries if path.is_dir()]
        beside = [path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES and path not in subfolders]
        if not subfolders:
            raise DatasetError(
                "a folder with one subfolder per label",
                f"{printable(folder)} without subfolders",
                "put the images of each label in a folder with its name",
            )
        samples = [
            Sample(path.relative_to(folder).as_posix(), path, (subfolder.name,))
            for subfolder in subfolders
            for path in find_image_files(subfolder)
        ]
        if not samples:
            raise DatasetError(
                f"images ({', '.join(IMAGE_SUFFIXES)}) in the subfolders",
                f"none in {printable(folder)}",
                "check the path",
            )
        samples += [Sample(path.name, path, error=_without_label(path)) for path in beside]
        super().__init__(folder.resolve().name, [path.name for path in subfolders], samples)


class ImageFiles(ListedDataset):
    """All images below a folder, at any depth, without labels.

    They are in natural order. The id of a sample is its path below `root`, with `/`. Hidden files and files that aren't
    images are skipped. Raises `DatasetError` if `root` is missing or has no image.
    """

    def __init__(self, root: str | Path) -> None:
        folder = require_folder(root, "a folder with images")
        samples = [Sample(path.relative_to(folder).as_posix(), path) for path in find_image_files(folder)]
        if not samples:
            got = f"none in {printable(folder)}"
            raise DatasetError(f"images ({', '.join(IMAGE_SUFFIXES)})", got, "check the path")
        super().__init__(folder.resolve().name, (), samples)


def _without_label(path: Path) -> DatasetError:
    return DatasetError(
        "an image in the subfolder of its label", f"{printable(path)} beside the subfolders", "move it into one"
    )
