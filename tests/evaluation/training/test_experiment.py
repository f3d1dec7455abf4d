"""The experiment in small: one row per seed and arm, kept and made again when the plan changes."""

import json
from dataclasses import replace

import pytest

from unveil.evaluation.training.experiment import TrainingPlan, iter_rows
from unveil.training import Erasing

pytest.importorskip("lightning")
SMALL = TrainingPlan(24, 8, 12)
SMALL = replace(
    SMALL,
    base=replace(SMALL.base, epochs=1, steps=2, batch_size=4),
    further=replace(SMALL.further, epochs=1, steps=2, batch_size=4, searched=6, rounds=1, samples=4),
)


def test_rows(tmp_path):
    told = []
    rows = list(iter_rows(SMALL, range(1), tmp_path, lambda *work: told.append(work[0])))
    assert [row["arm"] for row in rows] == ["base", "none", "random", "found", "mix", "found, one fill"]
    assert {row["seed"] for row in rows} == {0}
    for row in rows:
        assert 0 <= row["cues_used"] <= 3
        assert 0 <= row["calibration_error"] <= 1
    assert "training" in told
    told.clear()
    assert list(iter_rows(SMALL, range(1), tmp_path, lambda *work: told.append(work[0]))) == rows
    assert not told, "rows are kept"
    path = tmp_path / "seed-0" / "found" / "row.json"
    path.write_text(json.dumps({"key": "of another plan", "content": {"seed": 0, "arm": "found"}}))
    again = list(iter_rows(SMALL, range(1), tmp_path))
    assert again == rows, "made again, from weights that were kept, with the same result"


def test_arms_differ_in_one_setting():
    plan = TrainingPlan()
    for name, settings in plan.arms():
        usual = replace(plan.further, erase=settings.erase)
        assert settings == (replace(usual, fills=settings.fills) if "fill" in name else usual)
    assert [settings.erase for _, settings in plan.arms()] == [*Erasing, Erasing.FOUND]
