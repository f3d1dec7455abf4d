"""Means over seeds: the intervals are those of a textbook, gains are paired by seed."""

import numpy as np
import pytest
from scipy import stats

from unveil.evaluation.training.figure import save_training_figure
from unveil.evaluation.training.summary import MEASURES, student_interval, summarize_rows

ROWS = [
    {"seed": seed, "arm": arm, "cues_used": used, "accuracy": right, "cues_robust": 0.5, "probe_accuracy": probe}
    for seed, arm, used, right, probe in (
        (0, "none", 1.0, 0.9, 0.2),
        (0, "found", 2.0, 0.8, 0.3),
        (1, "none", 1.2, 0.7, None),
        (1, "found", 2.6, 0.9, None),
    )
]


def test_intervals_are_those_of_a_t_test():
    values = [0.3, 0.9, 0.4, 0.7, 0.35]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(student_interval(values), (expected.low, expected.high))
    assert student_interval([0.3]) is None


def test_about_one_interval_in_twenty_misses_the_mean():
    rng = np.random.default_rng(0)
    intervals = [student_interval(rng.normal(2.0, 0.5, 5).tolist()) for _ in range(2000)]
    missed = np.mean([interval is None or not interval[0] <= 2.0 <= interval[1] for interval in intervals])
    assert 0.035 < missed < 0.065


def test_gains_are_paired_by_seed():
    none, found = summarize_rows(ROWS)
    assert (none["arm"], found["arm"], found["seeds"]) == ("none", "found", 2)
    assert none["cues_used"] == pytest.approx(1.1)
    assert none["cues_used_gain"] == 0
    assert found["cues_used_gain"] == pytest.approx((1.0 + 1.4) / 2)
    assert found["accuracy_gain"] == pytest.approx((-0.1 + 0.2) / 2)
    assert found["probe_accuracy"] == pytest.approx(0.3), "of the seed that has one"
    assert found["probe_accuracy_95"] is None
    assert found["foreign_follows"] is None
    assert {f"{name}{end}" for name in MEASURES for end in ("", "_95", "_gain", "_gain_95")} <= set(found)


def test_the_figure_is_drawn_with_gaps(tmp_path):
    save_training_figure(summarize_rows(ROWS), ROWS, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
