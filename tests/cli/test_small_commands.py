"""`unveil demo`, `recipe`, `models`, help and version."""

import json
import sys

import numpy as np
import pytest
from commands import Shell

import unveil
from unveil.evaluation.planted.cue_recall import count_cues
from unveil.planted import draw_scene
from unveil.planted.networks.architectures import NAMES
from unveil.recipes import NAMED, Recipe, paper


def test_the_demo_counts_what_its_records_hold(shell: Shell):
    """The numbers that it prints, counted again from the records on the disk."""
    out = shell.folder / "demo"
    code, printed, err = shell("demo", "--scenes", 6, "--figures", 1, "--out", out, "--json", "--seed", 3)
    assert code == 0
    said = json.loads(printed)
    assert said == json.loads((out / "demo.json").read_text())
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    assert len(folders) == 6
    cues = found1 = found5 = regions = false = 0
    for folder in folders:
        run, scene = unveil.load_run(folder), draw_scene(int(folder.name.removeprefix("scene-")))
        names = {run.classifier.labels[index] for index in np.flatnonzero(run.first.logits >= 0)}
        for cue in (cue for cue in scene.cues if cue.label in names):
            cues += 1
            for rounds in (1, 5):
                covered = np.zeros(cue.inside.shape, bool)
                for one in run.rounds[:rounds]:
                    for region in one.regions:
                        covered |= region.mask.to_array() & (region.target == cue.label)
                hit = 2 * np.count_nonzero(covered & cue.inside) >= np.count_nonzero(cue.inside)
                found1, found5 = found1 + (hit and rounds == 1), found5 + (hit and rounds == 5)
        for region in run.regions:
            inside = region.mask.to_array()
            regions += 1
            false += 10 * np.count_nonzero(inside & scene.inside(region.target)) < np.count_nonzero(inside)
    assert (said["cues"], said["regions"], said["false_regions"]) == (cues, regions, false)
    assert said["recall_round1"] == found1 / cues
    assert said["recall_final"] == found5 / cues
    assert said["false_region_rate"] == false / regions
    assert all(word in err for word in ("present", "found after", "false"))
    assert len(list(out.rglob("figure.png"))) <= 1


def test_the_demo_finds_the_cues():
    """Iterating finds nearly all of them, a first map far fewer; and hardly anything else."""
    from unveil.classifiers import load_classifier  # noqa: PLC0415
    from unveil.evaluation.planted.cue_recall import CueTally  # noqa: PLC0415
    from unveil.images import Image  # noqa: PLC0415

    total, classifier = CueTally(), load_classifier("planted/demo")
    for seed in range(300_000, 300_020):
        scene = draw_scene(seed)
        total += count_cues(unveil.find_regions(Image.from_array(scene.pixels), classifier, "demo"), scene, 5)
    first, final, false = total.recall(1), total.recall(5), total.false_region_rate
    assert first is not None
    assert final is not None
    assert false is not None
    assert final >= 0.9
    assert first <= final - 0.2
    assert false <= 0.1


def test_a_demo_into_a_file_is_one_line(shell: Shell):
    (shell.folder / "demo").write_text("a file")
    code, out, err = shell("demo", "--scenes", 1, "--out", shell.folder / "demo")
    assert (code, out) == (2, "")
    assert err.startswith("error expected")
    assert err.count("\n") == 1


def test_recipes_are_listed_shown_and_checked(shell: Shell):
    code, out, _ = shell("recipe", "list")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == list(NAMED)
    for name in NAMED:
        code, out, _ = shell("recipe", "show", name)
        assert (code, Recipe.from_toml(out)) == (0, NAMED[name]())
    _, text, _ = shell("recipe", "show", "paper")
    (shell.folder / "mine.toml").write_text(text.replace("size_px = 11", "size_px = 7"))
    code, _, err = shell("recipe", "check", shell.folder / "mine.toml")
    assert code == 0
    assert "size_px=7" in err
    (shell.folder / "mine.toml").write_text(text.replace("size_px = 11", "size_px = 8"))
    code, _, err = shell("recipe", "check", shell.folder / "mine.toml")
    assert code == 2
    assert "an odd box size of at least 1 px; got 8" in err
    assert Recipe.from_toml(text) == paper()


def test_models_are_listed_by_part_of_their_name(shell: Shell):
    code, out, err = shell("models", "resnet50")
    assert code == 0
    assert {"torchvision/resnet50", "timm/resnet50", "torchxrayvision/resnet50-res512-all"} <= set(out.splitlines())
    assert all("resnet50" in line for line in out.splitlines())
    assert "python/FILE.py:FACTORY" in err
    _, out, _ = shell("models", "planted", "--json")
    assert json.loads(out) == [f"planted/{name}" for name in ("demo", *NAMES)]


def test_models_of_hugging_face_are_named_by_what_can_be_given(shell: Shell, monkeypatch):
    code, out, err = shell("models", "huggingface")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["huggingface/NAME", "huggingface/FOLDER"]
    assert {"beit", "convnext", "resnet", "swin", "vit"} <= set(err.replace("\n", " ").replace(",", "").split())
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'unveil[hf]'" in shell("models", "huggingface")[2]


def test_models_say_which_library_is_missing(shell: Shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    code, out, err = shell("models", "resnet50")
    assert code == 0
    assert "torchvision/resnet50" in out and "timm/" not in out
    assert "without those of timm: run: pip install 'unveil[timm]'" in err


@pytest.mark.parametrize("command", [(), ("run",), ("demo",), ("recipe",), ("models",), ("recipe", "show")])
def test_help_says_what_a_command_does(shell: Shell, command):
    code, out, err = shell(*command, "--help")
    assert code == 0
    assert "Usage" in out + err
    if command == ("run",):
        for word in (
            "--model",
            "--weights",
            "--target",
            "--recipe",
            "--out",
            "--device",
            "--precision",
            "--seed",
            "--json",
            "unveil run dog.jpg",
        ):
            assert word in out + err


def test_version(shell: Shell):
    assert shell("--version") == (0, f"{unveil.__version__}\n", "")


def test_a_command_that_is_none(shell: Shell):
    code, _, err = shell("unvail")
    assert code == 2
    assert "unvail" in err
