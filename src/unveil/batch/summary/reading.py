"""Reads the tables of an archive into the arrays that a summary is computed from. Masks themselves aren't read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unveil.batch.archive import Archive, read_archive
from unveil.batch.places import PLACES_BYTES
from unveil.batch.summary.columns import NO_GROUP, VERDICTS, ArchiveColumns, ImageColumns, ImageLabels, RegionColumns
from unveil.batch.summary.summarizing import ArchiveSummary, summarize_columns
from unveil.errors import BatchError

IMAGES = ("index", "sample", "status", "error_kind", "true_labels", "group", "predicted")
REGIONS = ("index", "number", "round", "target", "other_label", "verdict", "drop", "suspicion", "places")
FAILED = "failed"
NAME_DIGITS = 12  # of a hash, as in reports


def summarize_archive(folder: str | Path | Archive, *, anonymous: bool = False) -> ArchiveSummary:
    """What the tables of an archive say, of all images that are done so far.

    Args:
        folder: The folder of the archive, or the archive.
        anonymous: Whether names of images are replaced by the first 12 digits of the hashes of their pixels.

    Raises `BatchError` if there is no archive or a table is damaged.

    Example:
        >>> summary = summarize_archive("chest")  # doctest: +SKIP
        >>> [(place.label, place.where) for place in summary.shortcuts]  # doctest: +SKIP
        [('Effusion', 'upper left corner')]
    """
    archive = folder if isinstance(folder, Archive) else read_archive(folder)
    return summarize_columns(read_columns(archive, anonymous=anonymous))


def read_columns(archive: Archive, *, anonymous: bool = False) -> ArchiveColumns:
    """The tables of an `archive` as arrays; `anonymous` as in `summarize_archive`.

    A region has the label that it shows in place of its target, where there is one, and else its target.
    """
    images = archive.tables("images", [*IMAGES, *(["sha256"] if anonymous else [])])
    names = _Names()
    index = _numbers(images, "index").astype(np.int64)
    rows = _Rows(index)
    predicted = _pairs(images, "predicted", np.arange(len(index)), names)
    true = _pairs(images, "true_labels", np.arange(len(index)), names)
    rounds = archive.tables("rounds", ["index", "appeared"])
    appeared = _pairs(rounds, "appeared", rows.of(_numbers(rounds, "index")), names)
    regions = _regions(archive, rows, names)
    failed = np.array([status == FAILED for status in images.column("status").to_pylist()], bool)
    kinds = [kind or "unknown" for kind in images.column("error_kind").to_pylist()]
    return ArchiveColumns(
        labels=names.all,
        images=ImageColumns(
            index=index,
            samples=_samples(images, anonymous=anonymous),
            error_kinds=np.where(failed, np.array(kinds, object), ""),
            groups=_codes(images, "group")[0],
        ),
        regions=regions,
        predicted=predicted,
        later=_without(appeared, predicted, len(names.all)),
        true=true if len(true.image) else None,
        waiting=max(0, archive.item_count - len(index)),
    )


class _Names:
    """Numbers of labels in the order in which they are first needed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    def number(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self._numbers.setdefault(text, len(self._numbers)) for text in texts], int)


class _Rows:
    """Rows of images by the index of the item."""

    def __init__(self, index: np.ndarray) -> None:
        self._index = index

    def of(self, indices: np.ndarray) -> np.ndarray:
        rows = np.searchsorted(self._index, indices)
        if len(indices) and (rows.max() >= len(self._index) or (self._index[rows] != indices).any()):
            raise BatchError("tables of the same images", "an index that the table of images lacks", _DO)
        return rows


_DO = "make the archive again with the call that made it"


def _regions(archive: Archive, rows: _Rows, names: _Names) -> RegionColumns:
    table = archive.tables("regions", REGIONS)
    # Regions of an image are in the order in which they were found, whatever the table does.
    order = np.lexsort((_numbers(table, "number"), _numbers(table, "index")))
    target, targets = _codes(table, "target")
    other, others = _codes(table, "other_label")
    if (target < 0).any():
        raise BatchError("regions with a target", "a region without one", _DO)
    known = np.concatenate([names.number(targets), names.number(others)])
    label = known[np.where(other >= 0, len(targets) + other, target)] if len(known) else target
    verdict, verdicts = _codes(table, "verdict")
    numbers = np.array([*(_verdict_number(one) for one in verdicts), -1])
    columns = RegionColumns(
        image=rows.of(_numbers(table, "index").astype(np.int64)),
        label=label,
        round=_numbers(table, "round"),
        verdict=numbers[verdict],
        drop=_numbers(table, "drop"),
        suspicion=_numbers(table, "suspicion"),
        places=_places(table),
    )
    return columns.take(order)


def _verdict_number(verdict: str) -> int:
    if verdict not in VERDICTS:
        raise BatchError(f"verdicts of {', '.join(VERDICTS)}", repr(verdict), _DO)
    return VERDICTS.index(verdict)


def _places(table: Any) -> np.ndarray:
    empty = bytes(PLACES_BYTES)
    cells = [empty if one is None else one for one in table.column("places").to_pylist()]
    if any(len(one) != PLACES_BYTES for one in cells):
        raise BatchError(f"places of {PLACES_BYTES} bytes", "others", _DO)
    return np.frombuffer(b"".join(cells), np.uint8).reshape(-1, PLACES_BYTES)


def _samples(images: Any, *, anonymous: bool) -> np.ndarray:
    if not anonymous:
        return np.array(images.column("sample").to_pylist(), object)
    hashes = images.column("sha256").to_pylist()
    # An image that failed before it was read has no hash.
    return np.array([one[:NAME_DIGITS] if one else f"image {number}" for number, one in enumerate(hashes, 1)], object)


def _numbers(table: Any, name: str) -> np.ndarray:
    column = table.column(name)
    if column.null_count:
        raise BatchError(f"a column {name} without gaps", f"{column.null_count} empty values", _DO)
    return np.asarray(column.to_numpy())


def _codes(table: Any, name: str) -> tuple[np.ndarray, list[str]]:
    """A column of texts as numbers, −1 for none, and the texts that these stand for."""
    return _array_codes(table.column(name).combine_chunks())


def _array_codes(array: Any) -> tuple[np.ndarray, list[str]]:
    array = array.dictionary_encode()
    if hasattr(array, "unify_dictionaries"):
        array = array.unify_dictionaries().combine_chunks()
    codes = array.indices.fill_null(NO_GROUP).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, array.dictionary.to_pylist()


def _pairs(table: Any, name: str, rows: np.ndarray, names: _Names) -> ImageLabels:
    """A column of lists of labels: the row of the image with each of them."""
    lists = table.column(name).combine_chunks()
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    codes, texts = _array_codes(lists.flatten())
    known = codes >= 0
    return ImageLabels(np.repeat(rows, lengths)[known], names.number(texts)[codes[known]])


def _without(pairs: ImageLabels, others: ImageLabels, count: int) -> ImageLabels:
    """The pairs of the first that aren't among the others."""
    keys, left_out = (one.image.astype(np.int64) * count + one.label for one in (pairs, others))
    kept = ~np.isin(keys, left_out)
    return ImageLabels(pairs.image[kept], pairs.label[kept])
