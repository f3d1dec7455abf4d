"""A folder of images with one subfolder a label."""

from pathlib import Path

from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.index import existing_folder, listing, shown
from unveil.datasets.listed import SUFFIXES, Listed, image_files, in_order


class ImageFolder(Listed):
    """`root/LABEL/…/image.png`: every subfolder of `root` is a label, whatever lies deeper belongs to it.

    Labels and images are in natural order (2 before 10); an id is the path below `root` with `/`. Hidden files and
    files of other kinds are left out; an image beside the subfolders is a broken sample, because it has no label.
    Raises `DatasetError` where `root` is missing, has no subfolder, or no image in any.
    """

    def __init__(self, root: str | Path) -> None:
        folder = existing_folder(root, "a folder with one subfolder a label")
        inside = in_order(listing(folder))
        subfolders = [path for path in inside if path.is_dir()]
        beside = [path for path in inside if path.suffix.lower() in SUFFIXES and path not in subfolders]
        if not subfolders:
            raise DatasetError(
                "a folder with one subfolder a label",
                f"{shown(folder)} without subfolders",
                "put the images of each label in a folder with its name",
            )
        samples = [
            Sample(path.relative_to(folder).as_posix(), path, (subfolder.name,))
            for subfolder in subfolders
            for path in image_files(subfolder)
        ]
        if not samples:
            raise DatasetError(
                f"images ({', '.join(SUFFIXES)}) in the subfolders", f"none in {shown(folder)}", "check the path"
            )
        samples += [Sample(path.name, path, error=_without_label(path)) for path in beside]
        super().__init__(folder.resolve().name, [path.name for path in subfolders], samples)


def _without_label(path: Path) -> DatasetError:
    return DatasetError(
        "an image in the subfolder of its label", f"{shown(path)} beside the subfolders", "move it into one"
    )
