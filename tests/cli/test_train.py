"""`unveil train`: a folder of images to weights that `--weights` takes; every wrong input is one clear error."""

import csv
import json

import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

from unveil import load_classifier
from unveil.planted import LABELS, draw_scene

pytest.importorskip("lightning")
QUICK = ("--epochs", 1, "--steps", 2, "--batch", 4, "--rounds", 1, "--searched", 4, "--recipe", "demo")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Scenes with one label each as PNG files, with a table."""
    folder = tmp_path_factory.mktemp("scenes")
    rows = [["path", "labels"]]
    counts = dict.fromkeys(LABELS, 0)
    for seed in range(200_000, 200_400):
        scene = draw_scene(seed)
        if len(scene.labels) == 1 and counts[scene.labels[0]] < 6:
            counts[scene.labels[0]] += 1
            pixels = np.round(scene.pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
            Pillow.fromarray(pixels).save(folder / f"{seed}.png")
            rows.append([f"{seed}.png", scene.labels[0]])
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "table.csv"


def test_weights_of_a_training_are_taken_by_other_commands(shell: Shell, table):
    out = shell.folder / "trained"
    code, printed, err = shell("train", table, "--model", "planted/demo", *QUICK, "--out", out, "--json")
    assert code == 0, err
    said = json.loads(printed)
    assert said["best_epoch"] == 1
    assert said["history"][0]["searched"] == 4
    trained = load_classifier("planted/demo", weights=said["weights"])
    assert trained.fingerprint != load_classifier("planted/demo").fingerprint
    assert trained.labels == LABELS


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--erase", "all"), "none, random, found, mix"),
        (("--epochs", 0), "epochs: at least 1"),
        (("--steps", 0), "steps: at least 1"),
        (("--rate", -1), "learning_rate: above 0"),
        (("--recipe", "black-box"), "SmoothGrad over gradients"),
        (("--match", "absent.json"), "fix the file of --match"),
        (("--data", "elsewhere"), "DATA once"),
    ],
)
def test_wrong_input_is_one_error(shell: Shell, table, words, told):
    given = [*QUICK, *words] if words[0] != "--recipe" else [*QUICK[:-2], *words]
    code, _, err = shell("train", table, "--model", "planted/demo", *given, "--out", shell.folder / "out")
    assert code != 0
    assert told in " ".join(err.split())
    assert "Traceback" not in err


def test_data_and_model_are_needed(shell: Shell, table):
    assert "DATA once" in " ".join(shell("train", "--model", "planted/demo")[2].split())
    assert "--model" in shell("train", table)[2]


def test_labels_that_do_not_match_are_named(shell: Shell, table):
    text = table.read_text()
    for label in LABELS:
        text = text.replace(f",{label}", f",other {label}")
    other = table.with_name("other.csv")
    other.write_text(text)
    code, _, err = shell("train", other, "--model", "planted/demo", *QUICK, "--out", shell.folder / "out")
    assert code != 0
    assert "labels of the data that the classifier has" in " ".join(err.split())
    matches = table.with_name("match.json")
    matches.write_text(json.dumps({f"other {label}": label for label in LABELS}))
    words = ("train", other, "--model", "planted/demo", *QUICK, "--match", matches, "--out", shell.folder / "out")
    code, _, err = shell(*words)
    assert code == 0, err


def test_a_classifier_without_weights_is_refused(shell: Shell, table):
    factory = shell.folder / "fixed.py"
    factory.write_text(
        "import torch\nclass Fixed(torch.nn.Module):\n    def forward(self, x):\n        return x.amax((2, 3))\n"
        "def build():\n    return Fixed()\n"
    )
    labels = shell.folder / "labels.txt"
    labels.write_text("\n".join(LABELS[:3]) + "\n")
    words = ("train", table, "--model", f"python/{factory}:build", "--labels", labels, "--output", "sigmoid")
    code, _, err = shell(*words, *QUICK, "--out", shell.folder / "out")
    assert code != 0
    assert "a classifier with weights to train" in " ".join(err.split())


@pytest.mark.parametrize("words", [("--weights", "w.safetensors"), ("--match", "m.json"), ("--split", "train")])
def test_scenes_take_nothing_that_would_be_ignored(shell: Shell, words):
    code, _, err = shell("train", "planted", *words, "--out", shell.folder / "out")
    assert code != 0
    assert f"got {words[0]}" in " ".join(err.split())
