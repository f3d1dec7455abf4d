"""Boxes from a table of their own, one row a box, laid onto the samples of another."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from unveil.datasets.base import DatasetError, LabeledBox, Sample, as_value
from unveil.datasets.index import Row, read_table


def with_boxes(
    samples: Sequence[Sample],
    path: Path,
    columns: tuple[str, ...],
    label_of: Callable[[Row], str],
    stray: Callable[[Row], DatasetError],
) -> tuple[list[Sample], list[Sample]]:
    """The samples with their boxes, and a broken sample for every row of the table that belongs to none.

    `columns`: image, label, x, y, width, height. `label_of` reads a row's label or raises; `stray` says what is wrong
    with a row whose image isn't among the samples. A bad box breaks the sample of its image. Raises `DatasetError`
    for a table that can't be read.
    """
    places = {sample.id: place for place, sample in enumerate(samples)}
    boxed, strays = list(samples), []
    for row in read_table(path, columns):
        place = places.get(row.cells[0]) if row.cells else None
        try:
            if row.error is not None:
                raise row.error
            if place is None:
                raise stray(row)
            box = _box(row, label_of(row))
        except DatasetError as error:
            if place is None:
                strays.append(row.broken(error))
            elif boxed[place].error is None:
                boxed[place] = replace(boxed[place], error=as_value(error))
        else:
            boxed[place] = replace(boxed[place], boxes=(*boxed[place].boxes, box))
    return boxed, strays


def _box(row: Row, label: str) -> LabeledBox:
    try:
        x, y, width, height = map(float, row.cells[2:])
    except ValueError as error:
        raise row.wrong("four numbers x, y, width, height", ", ".join(row.cells[2:])[:300]) from error
    try:
        return LabeledBox(label, y, x, height, width)
    except DatasetError as error:
        raise row.located(error) from error
