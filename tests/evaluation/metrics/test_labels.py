"""Ratios by label with intervals: by hand, and against a bootstrap written out draw by draw."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from unveil.bootstrap import Estimate, draws, intervals, percentiles
from unveil.evaluation.metrics.labels import LabelMeasurement, estimate_by_label, estimate_means

ITEMS = [
    LabelMeasurement("cat", 1),
    LabelMeasurement("dog", 1),
    LabelMeasurement("cat", 2),
    LabelMeasurement("cat", 3),
    LabelMeasurement("dog", 3),
]
OVER = np.array([1.0, 0, 2, 0, 3])[:, None]
UNDER = np.array([2.0, 1, 2, 1, 4])[:, None]


def test_by_hand():
    result = estimate_by_label(ITEMS, OVER, UNDER)
    assert result.labels["cat"].value[0] == 3 / 5
    assert result.labels["dog"].value[0] == 3 / 5
    assert result.pooled.value[0] == 6 / 10
    assert result.mean.value[0] == pytest.approx((3 / 5 + 3 / 5) / 2)
    assert dict(result.counts) == {"cat": 3, "dog": 2}
    assert result.labels["cat"][0].value == 0.6


def test_the_intervals_against_groups_drawn_one_by_one():
    """The same draws, in exact fractions: which groups come how often, then every sum anew."""
    rng, groups, resamples = np.random.default_rng(4), [1, 2, 3], 1000
    by_hand = {"cat": [], "dog": [], "pooled": [], "mean": []}
    for _ in range(resamples):
        drawn = [groups[place] for place in rng.integers(0, 3, 3)]
        sums = {label: [Fraction(0), Fraction(0)] for label in ("cat", "dog")}
        for group in drawn:
            for item, over, under in zip(ITEMS, OVER[:, 0], UNDER[:, 0], strict=True):
                if item.group == group:
                    sums[item.label][0] += Fraction(over)
                    sums[item.label][1] += Fraction(under)
        ratios = {label: over / under for label, (over, under) in sums.items() if under}
        for label, value in ratios.items():
            by_hand[label].append(float(value))
        by_hand["pooled"].append(float(sum(one[0] for one in sums.values()) / sum(one[1] for one in sums.values())))
        by_hand["mean"].append(float(sum(ratios.values()) / len(ratios)))
    assert len(by_hand["dog"]) < resamples, "some draws lack the dogs"
    result = estimate_by_label(ITEMS, OVER, UNDER, seed=4)
    for one, values in (
        (result.labels["cat"], by_hand["cat"]),
        (result.labels["dog"], by_hand["dog"]),
        (result.pooled, by_hand["pooled"]),
        (result.mean, by_hand["mean"]),
    ):
        np.testing.assert_allclose(one.interval[:, 0], np.quantile(values, [0.025, 0.975]), rtol=1e-12)


def test_one_label_has_the_interval_of_the_plain_ratio():
    over, under = np.arange(6.0)[:, None], np.full((6, 1), 7.0)
    result = estimate_by_label([LabelMeasurement("one", place) for place in range(6)], over, under, seed=2)
    for one in (result.labels["one"], result.pooled, result.mean):
        np.testing.assert_array_equal(one.interval, intervals(over, under, seed=2))


class Means(NamedTuple):
    iou: Estimate
    hit: Estimate


def test_absent_values_are_none():
    items = [LabelMeasurement("cat", 1), LabelMeasurement("dog", 1)]
    table = estimate_means(items, [(0.5, None), (None, None)], Means)
    cat, dog = table.labels["cat"], table.labels["dog"]
    assert (cat.iou.value, cat.hit.value, dog.iou.value, dog.hit.value) == (0.5, None, None, None)
    assert cat.iou.interval is None, "one group gives no interval"
    assert table.mean.iou.value == 0.5, "the mean over the labels that have one"
    assert table.pooled.hit.value is None
    assert estimate_means([], [], Means).as_dict()["pooled"] == {
        "items": 0, "iou": None, "iou_95": None, "hit": None, "hit_95": None
    }  # fmt: skip


def test_the_table_as_json():
    items = [LabelMeasurement("cat", 1), LabelMeasurement("cat", 2)]
    table = estimate_means(items, [(0.5, True), (0.5, False)], Means).as_dict()
    assert table["labels"] == [
        {"label": "cat", "items": 2, "iou": 0.5, "iou_95": [0.5, 0.5], "hit": 0.5, "hit_95": [0.0, 1.0]}
    ]
    assert table["mean"]["labels"] == 1


def test_draws_do_not_depend_on_the_sums():
    first, second = np.random.default_rng(0).normal(size=(2, 9, 3))
    together = draws(np.stack([first, second], axis=1), seed=5)
    np.testing.assert_allclose(together[:, 0], draws(first, seed=5), rtol=1e-12)
    np.testing.assert_allclose(together[:, 1], draws(second, seed=5), rtol=1e-12)


def test_percentiles_leave_out_nan():
    values = np.array([[np.nan, np.nan], [1.0, np.nan], [3.0, np.nan]])
    np.testing.assert_allclose(percentiles(values), [[1.05, np.nan], [2.95, np.nan]])
