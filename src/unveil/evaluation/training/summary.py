"""Means over seeds of the rows of the experiment, with intervals over them, and differences between arms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

MEASURES = (
    "cues_used",
    "cues_robust",
    "cues_invented",
    "rounds_recall_round1",
    "rounds_recall",
    "rounds_false_regions",
    "rounds_supported",
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
    """For each arm the mean of each measure over the seeds, with its 95 % interval (`student_interval`).

    `…_gain` is the mean difference to the arm `none` of the same seed: the same number of steps, with nothing erased.
    Values are None where no row of the arm has the measure.
    """
    plain = {row["seed"]: row for row in rows if row["arm"] == "none"}
    summary = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        entry: dict[str, Any] = {"arm": arm, "seeds": len(own)}
        for name in MEASURES:
            pairs = [(row.get(name), plain.get(row["seed"], {}).get(name)) for row in own]
            values = [value for value, _ in pairs if value is not None]
            gains = [value - base for value, base in pairs if value is not None and base is not None]
            entry |= {**_mean(values, name), **_mean(gains, f"{name}_gain")}
        summary.append(entry)
    return summary


def _mean(values: Sequence[float], name: str) -> dict[str, Any]:
    return {name: float(np.mean(values)) if values else None, f"{name}_95": student_interval(values)}


def student_interval(values: Sequence[float]) -> list[float] | None:
    """The 95 % interval of the mean of a few independent values: mean ± t · s / √n (Student 1908).

    s is the sample's standard deviation, and t the 97.5 % quantile of Student's distribution with n − 1 degrees of
    freedom. Resampling is too narrow for five values. None for fewer than two.

    >>> [round(bound, 2) for bound in student_interval([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    if len(values) < 2:
        return None
    half = float(stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [float(np.mean(values)) - half, float(np.mean(values)) + half]
