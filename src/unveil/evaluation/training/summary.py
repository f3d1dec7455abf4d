"""Means over seeds of the rows of the experiment, with intervals, and differences between arms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unveil.bootstrap import bounds, intervals

MEASURES = (
    "cues_used",
    "cues_needed",
    "accuracy",
    "accuracy_random_erased",
    "calibration_error",
    "foreign_follows",
    "foreign_moved",
    "foreign_accuracy",
    "probe_accuracy",
    "probe_chance",
)


def summarize_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each arm the mean of each measure over the seeds, with a 95 % bootstrap interval over the seeds.

    `…_gain` is the mean difference to the arm `none` of the same seed: the same number of steps, with nothing erased.
    Values are None where no row of the arm has the measure.
    """
    plain = {row["seed"]: row for row in rows if row["arm"] == "none"}
    summary = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        entry: dict[str, Any] = {"arm": arm, "seeds": len(own)}
        for name in MEASURES:
            values = [row[name] for row in own if name in row]
            gains = [
                row[name] - plain[row["seed"]][name]
                for row in own
                if name in row and name in plain.get(row["seed"], {})
            ]
            entry |= {**_mean(values, name), **_mean(gains, f"{name}_gain")}
        summary.append(entry)
    return summary


def _mean(values: Sequence[float], name: str) -> dict[str, Any]:
    if not values:
        return {name: None, f"{name}_95": None}
    numbers = np.array(values, dtype=float)
    interval = bounds(intervals(numbers, np.ones(len(numbers))))
    return {name: float(numbers.mean()), f"{name}_95": None if interval is None else list(interval)}
