"""`unveil benchmark train` in small: the table, the figure and the results say the same, and rows are kept."""

import json
from dataclasses import replace

import pytest
from commands import Shell

from unveil.evaluation.training.experiment import TrainingPlan

pytest.importorskip("lightning")
WORDS = ("benchmark", "train", "--seeds", 2, "--scenes", 24, "--tests", 20, "--steps", 1)


@pytest.fixture
def short(monkeypatch):
    """One epoch per arm, and two arms."""
    sized, arms = TrainingPlan.sized, TrainingPlan.arms

    def smaller(*sizes):
        plan = sized(*sizes)
        base = replace(plan.base, epochs=1, batch_size=4)
        further = replace(plan.further, epochs=1, batch_size=4, searched=4, rounds=1)
        return replace(plan, unveiled=2, base=base, further=further)

    monkeypatch.setattr(TrainingPlan, "sized", staticmethod(smaller))
    monkeypatch.setattr(TrainingPlan, "arms", lambda plan: [arm for arm in arms(plan) if arm[0] in ("none", "found")])


def test_table_figure_and_results(shell: Shell, short):
    out = shell.folder / "trainings"
    code, printed, err = shell(*WORDS, "--out", out, "--json")
    assert code == 0, err
    results = json.loads(printed)
    assert results == json.loads((out / "results.json").read_text())
    assert [(row["seed"], row["arm"]) for row in results["rows"]] == [
        (seed, arm) for seed in (0, 1) for arm in ("base", "none", "found")
    ]
    for entry in results["summary"]:
        own = [row["cues_used"] for row in results["rows"] if row["arm"] == entry["arm"]]
        assert entry["cues_used"] == sum(own) / 2
        assert entry["arm"] in err
    assert (out / "figure.png").read_bytes()[:4] == b"\x89PNG"
    weights = [path.stat().st_mtime_ns for path in sorted(out.rglob("model.safetensors"))]
    assert len(weights) == 6
    again = json.loads(shell(*WORDS, "--out", out, "--json")[1])
    assert again["rows"] == results["rows"]
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob("model.safetensors"))] == weights


def test_wrong_sizes_are_one_error(shell: Shell):
    assert shell("benchmark", "train", "--seeds", 0)[0] == 2
    assert shell("benchmark", "train", "--scenes", 3)[0] == 2
