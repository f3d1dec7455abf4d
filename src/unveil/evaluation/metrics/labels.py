"""What was measured on labels of images, summed by label: every label for itself, all together, and the labels'
mean."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

from unveil.evaluation.bootstrap import bounds, divided, percentiles, times_drawn


@dataclass(frozen=True)
class Item:
    """What a measurement belongs to: one label of one image. `group`: what is drawn as a whole for intervals, the image
    itself or its patient."""

    label: str
    group: Hashable


@dataclass(frozen=True, eq=False)
class Estimate:
    """Σ over / Σ under of every statistic, and the 95 % interval. NaN where there is nothing to divide by."""

    value: Float[np.ndarray, "*stats"]
    interval: Float[np.ndarray, "2 *stats"]

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """`name` and `name_95` for one row of statistics; None where a value is NaN."""
        found: dict[str, Any] = {}
        for number, name in enumerate(names):
            value = float(self.value[number])
            found[name] = None if np.isnan(value) else value
            found[f"{name}_95"] = bounds(self.interval[:, number])
        return found


@dataclass(frozen=True, eq=False)
class ByLabel:
    """`labels`: of every label, in the order in which they first come. `pooled`: all items as if of one label. `mean`:
    the mean over the labels that have a value, each counting alike. `items`: how many there are of each label."""

    labels: Mapping[str, Estimate]
    pooled: Estimate
    mean: Estimate
    items: Mapping[str, int]

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """A table: rows of labels, and `pooled` and `mean`."""
        return {
            "labels": [
                {"label": label, "items": self.items[label], **one.as_dict(names)} for label, one in self.labels.items()
            ],
            "pooled": {"items": sum(self.items.values()), **self.pooled.as_dict(names)},
            "mean": {"labels": len(self.labels), **self.mean.as_dict(names)},
        }


def by_label(
    items: Sequence[Item],
    over: Float[np.ndarray, "items *stats"],
    under: Float[np.ndarray, "items *stats"],
    seed: int = 0,
) -> ByLabel:
    """Ratios Σ over / Σ under with intervals by drawing groups with replacement, the same draws for all labels.

    A group brings all of its labels, so that a draw may lack a label; it is then left out for this label, and the mean
    of that draw is over the others.
    """
    counted = Counter(item.label for item in items)
    # One sparse matrix from items to labels: a thousand labels are no more work than a few.
    places = {label: at for at, label in enumerate(counted)}
    entries = (np.ones(len(items)), ([places[item.label] for item in items], np.arange(len(items))))
    to_labels = sparse.csr_array(entries, shape=(len(counted), len(items)))
    flat = (len(items), prod(over.shape[1:]))
    both = np.concatenate([over.reshape(flat), under.reshape(flat)], axis=1)
    drawn = np.stack([to_labels @ (times[:, None] * both) for times in _times([item.group for item in items], seed)])

    def ratios(sums: Float[np.ndarray, "*any both"]) -> Float[np.ndarray, "*any_stats"]:
        first, second = np.split(sums, 2, axis=-1)
        return divided(first, second).reshape(*sums.shape[:-1], *over.shape[1:])

    whole = to_labels @ both
    value, values = ratios(whole), ratios(drawn)
    return ByLabel(
        labels={label: Estimate(value[at], percentiles(values[:, at])) for label, at in places.items()},
        pooled=Estimate(ratios(whole.sum(axis=0)), percentiles(ratios(drawn.sum(axis=1)))),
        mean=Estimate(_mean(value, 0), percentiles(_mean(values, 1))),
        items=counted,
    )


def _times(groups: Sequence[Hashable], seed: int) -> Iterator[Float[np.ndarray, "items"]]:
    """How often every item comes, draw after draw; NaN for fewer than two groups, which say nothing of others."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    of_item = np.array([numbers[group] for group in groups], int)
    if len(numbers) < 2:
        yield np.full(len(groups), np.nan)
        return
    for times in times_drawn(len(numbers), seed):
        yield times[of_item]


def means(
    items: Sequence[Item], values: Sequence[Sequence[float | None]], names: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """The table of the means of what was measured: one row of `values` an item, None where it is absent."""
    rows = np.array([[np.nan if one is None else one for one in row] for row in values], float)
    known = ~np.isnan(rows).reshape(-1, len(names))
    over = np.where(known, rows.reshape(known.shape), 0.0)
    return by_label(items, over, known.astype(float), seed).as_dict(names)


def _mean(values: Float[np.ndarray, "*all"], axis: int) -> Float[np.ndarray, "*others"]:
    """The mean over an axis without what is NaN; NaN where all is."""
    known = ~np.isnan(values)
    return divided(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis).astype(np.float64))
