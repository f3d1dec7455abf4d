"""A table of images: one row an image, in a CSV file."""

from pathlib import Path

from unveil.datasets.base import DatasetError, Sample
from unveil.datasets.boxed import with_boxes
from unveil.datasets.index import Row, existing_folder, read_table, samples_of, shown
from unveil.datasets.listed import Listed, natural

BOX_COLUMNS = ("path", "label", "x", "y", "width", "height")


class CsvDataset(Listed):
    """Images by the rows of a CSV file with a header.

    `image`, `labels`, `group`: names of columns; `labels` or `group` of None: there is none. Labels in a cell are
    parted by `separator`, None for one label a cell; spaces around them don't count, an empty cell has none. `root`:
    the folder that relative paths start from, by default that of the table. The table is the user's own, so paths may
    be absolute or lead elsewhere. An id is the cell of the image. The dataset's labels are in natural order.

    `boxes`: a second table, one row a box, with the columns of `BOX_COLUMNS`: `path` as in the first table, a label,
    and x, y, width, height in pixels of the image. By default NAME.boxes.csv beside NAME.csv, where there is one.

    A row that can't be understood is a broken sample. Raises `DatasetError` for a table that can't.
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
            raise DatasetError("a separator of labels", "an empty text", "say None for one label a cell")
        file = Path(path)
        folder = file.parent if root is None else existing_folder(root, "the folder that the images lie in")

        def make(row: Row) -> Sample:
            cells = dict(zip(columns, row.cells, strict=True))
            name = cells[image]
            if not name:
                raise row.wrong("the path of an image", f"an empty cell {image!r}")
            found = _parts(cells[labels], separator) if labels else ()
            belongs = cells[group] if group else None
            # Without its group an image could end up on both sides of a split.
            error = row.wrong("a group", f"an empty cell {group!r}") if belongs == "" else None
            return Sample(name, folder / name, found, group=belongs or None, error=error)

        columns = tuple(dict.fromkeys([image, *(name for name in (labels, group) if name)]))
        samples = samples_of(read_table(file, columns), make)
        beside = file.with_suffix(".boxes.csv")
        if boxes is not None or beside.exists():
            samples, strays = with_boxes(samples, Path(boxes or beside), BOX_COLUMNS, _box_label, _stray)
            samples += strays
        named = [label for sample in samples for label in (*sample.labels, *(box.label for box in sample.boxes))]
        super().__init__(file.stem, sorted(set(named), key=natural), samples)


def _parts(cell: str, separator: str | None) -> tuple[str, ...]:
    parts = [cell] if separator is None else cell.split(separator)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _box_label(row: Row) -> str:
    if not row.cells[1]:
        raise row.wrong("a label", "an empty cell 'label'")
    return row.cells[1]


def _stray(row: Row) -> DatasetError:
    return row.wrong("an image of the table", shown(row.cells[0]))
