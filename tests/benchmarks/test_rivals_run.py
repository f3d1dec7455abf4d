"""The runner: all methods on the same scenes, by rivals whose scores are known."""

import json

import numpy as np
import pytest
import run
import torch
from asking import Answer, Rival
from rex import RexError

from unveil import load_classifier
from unveil.planted import draw_scene
from unveil.planted.scenes.suites import suite_scene


class Perfect(Rival):
    """Knows the scene from its pixels, and marks every cue of the label."""

    def __init__(self, scenes=()) -> None:
        scenes = scenes or [draw_scene(seed) for seed in range(100_000, 100_004)]
        self.scenes = {scene.pixels.tobytes(): scene for scene in scenes}

    def find(self, pixels, classifier, label_index):
        scene = self.scenes[pixels.numpy().tobytes()]
        label = classifier.labels[label_index]
        return Answer([cue.inside for cue in scene.cues if cue.label == label], 3, 2, 0.5)


class Everywhere(Rival):
    def find(self, pixels, classifier, label_index):
        return Answer([np.ones(tuple(pixels.shape[1:]), bool)], 1, 0, 0.25)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(run, "rivals", lambda python: {"perfect": Perfect(), "everywhere": Everywhere()})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_rows_beside_each_other(known, capsys):
    run.main(["--scenes", "4", "--json"])
    result = json.loads(capsys.readouterr().out)
    ours, perfect, everywhere = result["rows"]
    scenes = [draw_scene(seed) for seed in range(100_000, 100_004)]
    cues = sum(len(scene.cues) for scene in scenes)
    assert (result["scenes"], result["first_seed"], result["network"]) == (4, 100_000, "planted/demo")
    assert [one["method"] for one in result["rows"]] == ["rounds", "perfect", "everywhere"]
    assert {one["counts"]["cues"] for one in result["rows"]} == {cues}
    assert ours["recall"] > 0.5
    assert ours["ours_at_its_area"] == ours["recall"]
    assert ours["seconds_per_label"] > 0
    assert (perfect["recall"], perfect["precision"], perfect["false_region_rate"]) == (1, 1, 0)
    assert perfect["seconds_per_label"] == 0.5
    assert (perfect["forward_passes_per_label"], perfect["backward_passes_per_label"]) == (3, 2)
    assert (everywhere["recall"], everywhere["false_region_rate"]) == (1, 1)
    assert everywhere["area_px_per_label"] == 128 * 128
    assert everywhere["recall_equal_area"] == 1, "the mark that reaches our area is still taken"


def test_scenes_of_suites(known, monkeypatch, capsys):
    drawn = [suite_scene(suite, seed) for suite in ("usual", "overlap") for seed in (700_000, 700_001)]
    knows = Perfect(drawn)
    monkeypatch.setattr(run, "rivals", lambda python: {"perfect": knows})
    run.main(["--network", "planted/convnet-average", "--suites", "usual", "overlap", "--scenes", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["suites"], result["scenes"], result["first_seed"]) == (["usual", "overlap"], 2, 700_000)
    classifier = load_classifier("planted/convnet-average")
    cues = 0
    for scene in drawn:
        (answer,) = classifier.predict(torch.from_numpy(scene.pixels)[None])
        asked = {classifier.labels[index] for index in answer.predicted()}
        cues += sum(cue.label in asked for cue in scene.cues)
    perfect = result["rows"][1]["counts"]
    assert perfect["cues"] == perfect["found"] == cues > 4


class Broken(Rival):
    def find(self, pixels, classifier, label_index):
        raise RexError("explanations", "none", "try another")


def test_a_stopped_run_goes_on_after_its_notes_and_failures_are_counted(known, monkeypatch, capsys, tmp_path):
    notes = ["--notes", str(tmp_path / "notes"), "--json"]
    run.main(["--scenes", "2", *notes])
    capsys.readouterr()
    # What is noted isn't asked for again; the other scenes are.
    monkeypatch.setattr(run, "rivals", lambda python: {"perfect": Broken(), "everywhere": Everywhere()})
    run.main(["--scenes", "4", *notes])
    said = capsys.readouterr()
    _, perfect, everywhere = json.loads(said.out)["rows"]
    scenes = [draw_scene(seed) for seed in range(100_000, 100_004)]
    assert perfect["counts"]["found"] == sum(len(scene.cues) for scene in scenes[:2])
    assert perfect["counts"]["failed"] == sum(len(scene.labels) for scene in scenes[2:]) > 0
    assert said.err.count("expected explanations; got none") == perfect["counts"]["failed"]
    assert everywhere["counts"]["found"] == sum(len(scene.cues) for scene in scenes)
    assert len((tmp_path / "notes").read_text().splitlines()) == 4 * 3


def test_a_choice_of_rivals_as_a_table(known, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    run.main(["--scenes", "2", "--only", "everywhere"])
    out = capsys.readouterr().out
    assert "everywhere" in out
    assert "perfect" not in out


def test_all_rivals_have_settings_that_json_can_hold(tmp_path):
    known = run.rivals(tmp_path / "python")
    assert list(known) == ["sis", "sis-gradient", "sag", "sag-all", "rex", "rex-scaled"]
    assert "rex" not in run.rivals(None)
    told = {name: json.loads(json.dumps(run.settings(one))) for name, one in known.items()}
    assert told["sag"]["roots"] == 3
    assert told["rex"]["causal"]["min_box_size"] == 10
    assert told["rex-scaled"]["explanation"]["spatial"]["spatial_initial_radius"] == round(25 * 128 / 224)
