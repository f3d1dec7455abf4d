"""Attach the boxes of one table (one box per row) to the samples of another."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import DatasetError, LabeledBox, Sample, without_traceback
from unveil.datasets.index import IndexRow, read_table


def attach_boxes(
    samples: Sequence[Sample],
    path: Path,
    columns: tuple[str, ...],
    label_of: Callable[[IndexRow], str],
    unmatched_error: Callable[[IndexRow], DatasetError],
) -> tuple[list[Sample], list[Sample]]:
    """Return the samples with their boxes, and a sample with an error for every row that belongs to no sample.

    Args:
        samples: Samples whose ids are the first column of the table.
        path: The table of boxes.
        columns: The names of the columns of image, label, x, y, width and height.
        label_of: Reads the label of a row, or raises `DatasetError`.
        unmatched_error: Makes the error of a row whose image isn't among the samples.

    The sample of an image with an invalid box has an error. Raises `DatasetError` for a table that can't be read.
    """
    index_of = {sample.id: index for index, sample in enumerate(samples)}
    boxed, unmatched = list(samples), []
    for row in read_table(path, columns):
        index = index_of.get(row.cells[0]) if row.cells else None
        try:
            if row.error is not None:
                raise row.error
            if index is None:
                raise unmatched_error(row)
            box = _box(row, label_of(row))
        except DatasetError as error:
            if index is None:
                unmatched.append(row.broken_sample(error))
            elif boxed[index].error is None:
                boxed[index] = replace(boxed[index], error=without_traceback(error))
        else:
            boxed[index] = replace(boxed[index], boxes=(*boxed[index].boxes, box))
    return boxed, unmatched


def _box(row: IndexRow, label: str) -> LabeledBox:
    try:
        x, y, width, height = map(float, row.cells[2:])
    except ValueError as error:
        raise row.error_for("four numbers x, y, width, height", ", ".join(row.cells[2:])[:300]) from error
    try:
        return LabeledBox(label, y, x, height, width)
    except DatasetError as error:
        raise row.locate(error) from error
