"""A table with a target, and if wanted a pixel size, of its own for each image."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unveil.errors import TargetError
from unveil.images.nifti import is_nifti
from unveil.targets import Predicted, Target, parse_target

KNOWN = ("image", "target", "threshold", "spacing")
MAX_TABLE_BYTES = 1 << 26
DO = "write one row per image, with the columns image and target, and threshold or spacing if they are needed"


@dataclass(frozen=True)
class ImageSettings:
    """What is special to one of many images.

    Attributes:
        target: Its target.
        spacing_mm: The size of its pixels along y and x in mm; None for what its file says.
    """

    target: Target
    spacing_mm: tuple[float, float] | None = None


def read_targets(table: Path, images: Sequence[Path]) -> list[ImageSettings]:
    """The settings of each of the images, in their order, from a CSV table with one row per image.

    The columns are `image` (a path, from here or from the table's folder), `target` (as on the command line),
    `threshold` (the smallest probability for the target `predicted`) and `spacing` (mm per pixel: one number, or those
    of y and x).

    Args:
        table: The CSV file, in UTF-8.
        images: The paths of the images.

    Raises `TargetError` for a table that can't be read, unknown columns, rows that can't be used or are there twice,
    images without a row and rows without an image.
    """
    wanted = {_full(path): path for path in images}
    found: dict[str, ImageSettings] = {}
    for number, row in _rows(table):
        name = row.get("image", "")
        key = next((full for full in (_full(Path(name)), _full(table.parent / name)) if full in wanted), None)
        if not name or key is None or key in found:
            got = "is there twice" if key in found else "isn't among the images"
            raise _refused(f"images of the command, each in one row of {table}", f"row {number}, {name!r}, which {got}")
        try:
            found[key] = _settings(row, wanted[key])
        except ValueError as error:
            raise _refused("numbers as threshold and spacing", f"row {number} of {table}: {error}") from error
    missing = [path for full, path in wanted.items() if full not in found]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise _refused(f"a row for each image in {table}", f"none for {missing[0]}{more}")
    return [found[_full(path)] for path in images]


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if table.stat().st_size > MAX_TABLE_BYTES:
            raise _refused(f"a table of at most {MAX_TABLE_BYTES} bytes", str(table))
        reader = csv.reader(io.StringIO(table.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        rows = [[cell.strip() for cell in cells] for cells in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise _refused("a CSV table in UTF-8", f"{table}: {error}") from error
    head = rows[0] if rows else []
    if not {"image", "target"} <= set(head) or not set(head) <= set(KNOWN) or len(set(head)) < len(head):
        raise _refused(f"a table with columns of {', '.join(KNOWN)}", f"{table} with {', '.join(head) or 'none'}")
    filled = [(number, cells) for number, cells in enumerate(rows[1:], start=2) if any(cells)]
    for number, cells in filled:
        if len(cells) != len(head):
            raise _refused(f"{len(head)} cells per row", f"{len(cells)} in row {number} of {table}")
    return [(number, dict(zip(head, cells, strict=True))) for number, cells in filled]


def _settings(row: dict[str, str], image: Path) -> ImageSettings:
    text, threshold, spacing = row["target"], row.get("threshold", ""), row.get("spacing", "")
    if threshold and text not in ("", "predicted"):
        raise _refused("a threshold for the target predicted alone", f"{threshold} for {text!r}")
    target = Predicted(float(threshold)) if threshold else parse_target(text)
    if not spacing:
        return ImageSettings(target)
    values = tuple(float(value) for value in spacing.split())
    values = values * 2 if len(values) == 1 else values
    if len(values) != 2 or not all(0 < value < float("inf") for value in values):
        raise _refused("a spacing of one or two sizes in mm above 0", repr(spacing))
    if is_nifti(image):
        raise _refused("no spacing for a volume, whose file has one", f"{spacing} for {image}")
    return ImageSettings(target, (values[0], values[1]))


def _full(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (Path.absolute keeps "..")


def _refused(expected: str, got: str) -> TargetError:
    return TargetError(expected, got, DO)
