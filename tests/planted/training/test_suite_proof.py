"""The proof by intervention: it counts what it says, and it can fail."""

import numpy as np
import pytest
import torch
from torch import nn

from unveil.planted.scenes.signs import BENCHMARK
from unveil.planted.scenes.suites import SUITES, suite_scene
from unveil.planted.training.suite_proof import Interventions, ProofCounts, prove_suite

SCENE = suite_scene("many", 830_000)
(LABEL,) = SCENE.labels


class Always(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full((len(x), len(BENCHMARK.labels)), self.value)


def test_interventions_remove_the_named_cues():
    tried = Interventions.on("many", SCENE, LABEL)
    indices = [cue.index for cue in SCENE.cues]
    whole, *others, none = tried.scenes
    assert len(others) == 2 * len(indices) == 2 * tried.cues
    for index, less, alone in zip(indices, others[: tried.cues], others[tried.cues :], strict=True):
        assert {cue.index for cue in less.cues} == set(indices) - {index}
        assert {cue.index for cue in alone.cues} == {index}
    assert whole is SCENE
    assert none.cues == ()


def test_interventions_keep_cues_of_other_labels():
    scene = next(scene for scene in (suite_scene("several", 830_000 + n) for n in range(9)) if len(scene.labels) > 1)
    tried = Interventions.on("several", scene, scene.labels[0])
    others = sum(cue.label != scene.labels[0] for cue in scene.cues)
    assert all(sum(cue.label != scene.labels[0] for cue in one.cues) == others for one in tried.scenes)


def counted(logits: list[float], cues: int) -> dict:
    proof = ProofCounts()
    proof.add(Interventions("many", LABEL, cues, ()), np.array(logits))
    return proof.as_dict()


def test_evidence_that_adds_up():
    result = counted([6, 4, 2, 0, 2, 0.2, 0.4, -2], 3)  # without each: 4, 2, 0; alone: 2, 0.2, 0.4; none: −2
    rates = {name: result[name]["rate"] for name in ("alone_predicts", "none_loses", "used", "adds", "hidden")}
    assert rates == {"alone_predicts": 1, "none_loses": 1, "used": 1, "adds": 1, "hidden": 0}
    assert result["drop_quartiles"] == [2, 4, 6]


def test_evidence_that_hides():
    result = counted([5, 3, 5.05, 5, 5, 3, -0.1, -1], 3)  # the first decides; the second is weaker, the third too weak
    rates = {name: result[name]["rate"] for name in ("alone_predicts", "none_loses", "used", "adds", "hidden")}
    assert rates["alone_predicts"] == pytest.approx(2 / 3, abs=1e-4)
    assert rates["used"] == 1
    assert rates["adds"] == pytest.approx(1 / 3, abs=1e-4)
    assert rates["hidden"] == 1


def test_a_cue_that_is_not_used():
    assert counted([2, 1.8, -0.5, 2, -0.5, -0.7], 2)["used"] == {"rate": 0.5, "low": 0.0945, "high": 0.9055, "n": 2}
    assert counted([1, -1, 1, 0.5], 1)["none_loses"]["rate"] == 0


def test_networks_that_predict_nothing_or_everything_fail():
    calls = []
    proofs = prove_suite({"no": Always(-1.0), "yes": Always(1.0)}, 1, lambda done, total: calls.append((done, total)))
    no, yes = (proofs[name].as_dict() for name in ("no", "yes"))
    assert (no["exact"]["rate"], no["alone_predicts"]["rate"], no["none_loses"]["rate"]) == (round(1 / 15, 4), 0, 1)
    assert (yes["exact"]["rate"], yes["alone_predicts"]["rate"], yes["none_loses"]["rate"]) == (0, 1, 0)
    assert no["used"]["rate"] == yes["used"]["rate"] == 0
    assert set(no["used_by_suite"]) == set(SUITES) - {"absent"}
    assert calls[-1] == (15, 15)
