"""Measurements on labels of images, summed: for each label, for all labels pooled, and the mean over labels."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Float
from scipy import sparse

from unveil.bootstrap import Estimate, bounds, divided, percentiles, times_drawn


@dataclass(frozen=True)
class LabelMeasurement:
    """What a measurement belongs to: one label of one image.

    `label` is a label of the data set. `group` is the unit that intervals draw: the image itself or its patient.
    """

    label: str
    group: Hashable


@dataclass(frozen=True, eq=False)
class EstimateArray:
    """Ratios with intervals for an array of statistics; NaN where a denominator is 0.

    Attributes:
        value: Σ over / Σ under of every statistic.
        interval: The lower and the upper bound of its 95 % interval.
    """

    value: Float[np.ndarray, "*stats"]
    interval: Float[np.ndarray, "2 *stats"]

    def __getitem__(self, place: int | tuple[int, ...]) -> Estimate:
        """One statistic; its value is None where the array has NaN."""
        at = place if isinstance(place, tuple) else (place,)
        value = float(self.value[at])
        return Estimate(None if np.isnan(value) else value, bounds(self.interval[(slice(None), *at)]))


@dataclass(frozen=True, eq=False)
class LabelEstimates:
    """Estimates by label.

    `labels` holds one estimate per label, in the order in which the labels first occur. `pooled` treats all
    measurements as if they had one label. `mean` is the mean over the labels that have a value, each with the same
    weight. `counts` is the number of measurements per label.
    """

    labels: Mapping[str, EstimateArray]
    pooled: EstimateArray
    mean: EstimateArray
    counts: Mapping[str, int]


Row = TypeVar("Row", bound=tuple)  # a named tuple of estimates


@dataclass(frozen=True)
class LabelTable(Generic[Row]):
    """Estimates by label.

    Attributes:
        labels: One row per label.
        pooled: The row of all labels pooled.
        mean: The mean over the labels.
        counts: The number of measurements per label.
    """

    labels: Mapping[str, Row]
    pooled: Row
    mean: Row
    counts: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The table as it is written to JSON; every estimate `x` becomes `x` and `x_95`."""
        return {
            "labels": [
                {"label": label, "items": self.counts[label], **row_as_dict(row)} for label, row in self.labels.items()
            ],
            "pooled": {"items": sum(self.counts.values()), **row_as_dict(self.pooled)},
            "mean": {"labels": len(self.labels), **row_as_dict(self.mean)},
        }


def row_as_dict(row: Any) -> dict[str, Any]:
    """A named tuple as a dict, in which every `Estimate` `x` becomes `x` and `x_95`."""
    fields: dict[str, Any] = {}
    for name, value in row._asdict().items():
        fields |= value.as_dict(name) if isinstance(value, Estimate) else {name: value}
    return fields


def estimate_by_label(
    measurements: Sequence[LabelMeasurement],
    over: Float[np.ndarray, "measurements *stats"],
    under: Float[np.ndarray, "measurements *stats"],
    seed: int = 0,
) -> LabelEstimates:
    """Ratios Σ over / Σ under, with intervals by drawing groups with replacement; all labels share the same draws.

    A group brings all of its labels, so a draw may lack a label. Such a draw is left out for that label, and the mean
    of that draw is over the other labels.
    """
    counted = Counter(item.label for item in measurements)
    # One sparse matrix from measurements to labels: a thousand labels take no longer than a few.
    places = {label: at for at, label in enumerate(counted)}
    entries = (
        np.ones(len(measurements)),
        ([places[item.label] for item in measurements], np.arange(len(measurements))),
    )
    to_labels = sparse.csr_array(entries, shape=(len(counted), len(measurements)))
    flat = (len(measurements), prod(over.shape[1:]))
    both = np.concatenate([over.reshape(flat), under.reshape(flat)], axis=1)
    groups = [item.group for item in measurements]
    drawn = np.stack([to_labels @ (times[:, None] * both) for times in _times_by_measurement(groups, seed)])

    def ratios(sums: Float[np.ndarray, "*any both"]) -> Float[np.ndarray, "*any_stats"]:
        first, second = np.split(sums, 2, axis=-1)
        return divided(first, second).reshape(*sums.shape[:-1], *over.shape[1:])

    sums = to_labels @ both
    value, values = ratios(sums), ratios(drawn)
    return LabelEstimates(
        labels={label: EstimateArray(value[at], percentiles(values[:, at])) for label, at in places.items()},
        pooled=EstimateArray(ratios(sums.sum(axis=0)), percentiles(ratios(drawn.sum(axis=1)))),
        mean=EstimateArray(_nan_mean(value, 0), percentiles(_nan_mean(values, 1))),
        counts=counted,
    )


def estimate_means(
    measurements: Sequence[LabelMeasurement],
    values: Sequence[Sequence[float | None]],
    make_row: Callable[..., Row],
    seed: int = 0,
) -> LabelTable[Row]:
    """The table of the means of what was measured.

    `values` has one row per measurement, with None where a value is absent. `make_row` is the named tuple of the
    table's rows: one `Estimate` per column of `values`.
    """
    columns = len(make_row._fields)  # type: ignore[attr-defined]
    rows = np.array([[np.nan if value is None else value for value in row] for row in values], float)
    known = ~np.isnan(rows).reshape(-1, columns)
    over = np.where(known, rows.reshape(known.shape), 0.0)
    estimates = estimate_by_label(measurements, over, known.astype(float), seed)

    def as_row(estimate: EstimateArray) -> Row:
        return make_row(*(estimate[column] for column in range(columns)))

    return LabelTable(
        labels={label: as_row(estimate) for label, estimate in estimates.labels.items()},
        pooled=as_row(estimates.pooled),
        mean=as_row(estimates.mean),
        counts=estimates.counts,
    )


def _times_by_measurement(groups: Sequence[Hashable], seed: int) -> Iterator[Float[np.ndarray, "measurements"]]:
    """How often every measurement is drawn, per draw; NaN for fewer than two groups, which give no interval."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of = np.array([numbers[group] for group in groups], int)
    if len(numbers) < 2:
        yield np.full(len(groups), np.nan)
        return
    for times in times_drawn(len(numbers), seed):
        yield times[group_of]


def _nan_mean(values: Float[np.ndarray, "*all"], axis: int) -> Float[np.ndarray, "*others"]:
    """The mean over an axis of the values that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    return divided(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis).astype(np.float64))
