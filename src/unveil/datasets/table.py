"""A table of images in a CSV file: one image per row."""

from pathlib import Path

from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.boxed import attach_boxes
from unveil.datasets.index import IndexRow, make_samples, printable, read_table, require_folder
from unveil.datasets.listed import ListedDataset, natural_key

CSV_BOX_COLUMNS = ("path", "label", "x", "y", "width", "height")


class CsvDataset(ListedDataset):
    """Images in the rows of a CSV file with a header.

    Args:
        path: The table. It belongs to the user, so its paths may be absolute or contain `..`.
        image: The name of the column of image paths, which are also the ids of the samples.
        labels: The name of the column of labels; None if there is none.
        separator: What separates the labels of a cell; None for one label per cell. Surrounding spaces are ignored.
        group: The name of the column of groups; None if there is none.
        root: The folder that relative paths start from. Default: the folder of the table.
        boxes: A second table with one box per row and the columns of `CSV_BOX_COLUMNS`: `path` as in the first table, a
            label, and x, y, width and height in pixels of the image. Default: NAME.boxes.csv beside NAME.csv, if it
            exists.

    The dataset's labels are in natural order. A row that can't be parsed gives a sample with an error. Raises
    `DatasetError` for a table that can't be read.
    """

    def __init__(
        self,
        path: str | Path,
        image: str = "path",
        labels: str | None = "labels",
        separator: str | None = "|",
        group: str | None = None,
        root: str | Path | None = None,
        boxes: str | Path | None = None,
    ) -> None:
        if separator == "":
            raise DatasetError("a separator of labels", "an empty text", "give None for one label per cell")
        file = Path(path)
        folder = file.parent if root is None else require_folder(root, "the folder of the images")

        def make(row: IndexRow) -> Sample:
            cells = dict(zip(columns, row.cells, strict=True))
            name = cells[image]
            if not name:
                raise row.error_for("the path of an image", f"an empty cell {image!r}")
            image_labels = _split_labels(cells[labels], separator) if labels is not None else ()
            group_name = None if group is None else cells[group]
            # Without a group, images of one patient could end up on both sides of a split.
            error = row.error_for("a group", f"an empty cell {group!r}") if group_name == "" else None
            return Sample(name, folder / name, image_labels, group=group_name or None, error=error)

        columns = tuple(dict.fromkeys([image, *(name for name in (labels, group) if name is not None)]))
        samples = make_samples(read_table(file, columns), make)
        beside = file.with_suffix(".boxes.csv")
        if boxes is not None or beside.exists():
            samples, unmatched = attach_boxes(
                samples, Path(beside if boxes is None else boxes), CSV_BOX_COLUMNS, _box_label, _unmatched_error
            )
            samples += unmatched
        names = [label for sample in samples for label in (*sample.labels, *(box.label for box in sample.boxes))]
        super().__init__(file.stem, sorted(set(names), key=natural_key), samples)


def _split_labels(cell: str, separator: str | None) -> tuple[str, ...]:
    parts = [cell] if separator is None else cell.split(separator)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _box_label(row: IndexRow) -> str:
    if not row.cells[1]:
        raise row.error_for("a label", "an empty cell 'label'")
    return row.cells[1]


def _unmatched_error(row: IndexRow) -> DatasetError:
    return row.error_for("an image of the table", printable(row.cells[0]))
