"""A run, or a failure, as rows of the tables of an archive. Numbers are those of the record, bit for bit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from unveil.batch.columns import TABLE_COLUMNS, TABLES
from unveil.batch.items import Item
from unveil.batch.places import place_bits
from unveil.errors import UnveilError, named_line
from unveil.export import run_rows
from unveil.masks import Mask
from unveil.predictions import Prediction
from unveil.records import Region, Round, Run
from unveil.texts import escape_control

Row = dict[str, Any]
Rows = dict[str, list[Row]]

LEADING = 5
DONE, FAILED, KILLED = "done", "failed", "Killed"
MAX_ERROR_CHARS = 1000
# Places in memory, which differ from process to process.
_ADDRESS = re.compile("0x[0-9a-fA-F]{6,16}")


def no_rows() -> Rows:
    """Empty tables, to be extended."""
    return {name: [] for name in TABLES}


def run_as_rows(run: Run, item: Item, attempts: int, seconds: float) -> Rows:
    """The rows of a run: one in `images`, and one for each round, region and label.

    Args:
        run: The run.
        item: The item that it is of.
        attempts: How many times the item was tried, with this one.
        seconds: How long the worker took; the one value that isn't a function of the image and the plan.
    """
    indices = run.first.predicted()
    leading = run.first.leading(1)[0]
    shape = run.source.geometry.source_shape
    image = {
        **_head(item, DONE, attempts, seconds),
        "sha256": run.source.sha256,
        **_sides(shape),
        "channels": run.source.channels,
        **_named(run, indices, run.first, "predicted", "probabilities"),
        "predicted_index": list(indices),
        "first_label": run.classifier.labels[leading],
        "first_index": leading,
        "first_probability": float(run.first.probabilities[leading]),
        "rounds": len(run.rounds),
        "regions": len(run.regions),
        "stop": "; ".join(stop.text for stop in run.stops.values()),
    }
    index = {"index": item.index}
    return {
        "images": [image],
        "rounds": [index | _round(run, one) for one in run.rounds],
        "regions": [index | row for row in _regions(run)],
        "labels": [index | row for row in _labels(run)],
    }


def failure_as_rows(item: Item, kind: str, text: str, attempts: int, seconds: float) -> Rows:
    """The row of an item that failed.

    Args:
        item: The item.
        kind: The class of the error; `KILLED` for an item that killed its worker.
        text: Why, in one line: control characters become escapes, and what is too long is cut.
        attempts: How many times the item was tried, with this one.
        seconds: How long the worker took.
    """
    line = _ADDRESS.sub("0x…", escape_control(" ".join(text.split())))[:MAX_ERROR_CHARS]
    rows = no_rows()
    rows["images"].append({**_head(item, FAILED, attempts, seconds), "error_kind": kind, "error": line})
    return rows


def describe_error(error: BaseException) -> tuple[str, str]:
    """The class of an error, and its text.

    >>> describe_error(ZeroDivisionError("division by zero"))
    ('ZeroDivisionError', 'ZeroDivisionError: division by zero')
    """
    return type(error).__name__, str(error) if isinstance(error, UnveilError) else named_line(error)


def _head(item: Item, status: str, attempts: int, seconds: float) -> Row:
    return {
        "index": item.index,
        "sample": item.sample,
        "path": item.shown_path,
        "status": status,
        "attempts": attempts,
        "true_labels": list(item.labels),
        "group": item.group,
        "worker_seconds": seconds,
    }


def _sides(shape: tuple[int, ...]) -> Row:
    """Height and width of an image, and the depth of a volume."""
    return {"height": shape[-2], "width": shape[-1], "depth": shape[0] if len(shape) == 3 else None}


def _named(run: Run, indices: Iterable[int], prediction: Prediction, labels: str, probabilities: str) -> Row:
    """Labels by their indices, and their probabilities, as two columns of these names."""
    values, chosen = prediction.probabilities, list(indices)
    return {
        labels: [run.classifier.labels[index] for index in chosen],
        probabilities: [float(values[index]) for index in chosen],
    }


def _round(run: Run, round_: Round) -> Row:
    empty = [one for one in round_.maps if one.reason is not None]
    return {
        "track": round_.track,
        "round": round_.index,
        "coverage": float(round_.coverage),
        "appeared": list(run.appeared(round_)),
        "disappeared": list(run.disappeared(round_)),
        **_named(run, round_.before.leading(LEADING), round_.before, "before_labels", "before_probabilities"),
        **_named(run, round_.after.leading(LEADING), round_.after, "after_labels", "after_probabilities"),
        "empty_targets": [one.target for one in empty],
        "empty_reasons": [one.reason for one in empty],
    }


def _regions(run: Run) -> Iterable[Row]:
    measured = [row for row in run_rows(run) if row["number"] is not None]
    for region, row in zip(run.regions, measured, strict=True):
        kept = {name: value for name, value in row.items() if name in TABLE_COLUMNS["regions"]}
        label = region.label_index
        yield kept | {
            "target_index": region.target_score.class_index,
            "label_index": label,
            "appeared_later": None if label is None else label not in run.first.predicted(),
            "runs": list(region.mask.runs),
            **_sides(region.mask.shape),
            **_shares(region),
            "places": place_bits(region.mask),
        }


def _shares(region: Region) -> Row:
    """The box as shares of the image, from 0 to 1; none for a region between the source's pixels."""
    mask: Mask = region.mask
    if mask.box is None:
        return {}
    axes = "dyx"[-len(mask.shape) :]
    ends = zip(axes, mask.box.start, mask.box.stop, mask.shape, strict=True)
    return {f"{axis}{end}": at / side for axis, start, stop, side in ends for end, at in ((0, start), (1, stop))}


def _labels(run: Run) -> Iterable[Row]:
    first = run.first.predicted()
    for card in run.labels:
        yield {
            "label": card.name,
            "class_index": card.class_index,
            "verdict": str(card.verdict),
            "reason": card.reason,
            "first_round": card.round,
            "gain": card.gain,
            "appeared_later": card.class_index not in first,
            "regions": [place + 1 for place in card.regions],
        }
