"""`unveil maximize`: files, JSON and errors."""

import json

import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

from unveil.classifiers import TorchClassifier, load_classifier
from unveil.maximization import Maximization, NetworkUnit, maximize


def test_the_files_hold_what_the_library_finds(shell: Shell):
    out = shell.folder / "max"
    words = (
        "maximize",
        "--model",
        "planted/demo",
        "--layer",
        "features.3.conv1",
        "--channel",
        7,
        "--steps",
        5,
        "--seed",
        3,
    )
    code, printed, err = shell(*words, "--out", out, "--json")
    assert code == 0, err
    classifier = load_classifier("planted/demo")
    assert isinstance(classifier, TorchClassifier)
    expected = maximize(classifier, NetworkUnit("features.3.conv1", 7), Maximization(steps=5), seed=3)
    with Pillow.open(out / "maximized.png") as opened:
        shown = np.asarray(opened.convert("RGB"))
    np.testing.assert_allclose(shown / 255, expected.pixels.transpose(1, 2, 0), atol=0.51 / 255)
    said, kept = json.loads(printed), json.loads((out / "maximized.json").read_text())
    assert said["score_end"] == pytest.approx(expected.scores[-1], rel=1e-5)
    assert kept["scores"] == pytest.approx(list(expected.scores), rel=1e-5)
    assert kept["classifier"]["fingerprint"] == classifier.fingerprint
    assert sorted(path.name for path in out.iterdir()) == ["figure.png", "maximized.json", "maximized.png"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--target", "rose"), "one of the classifier's 5 labels"), (("--layer", "nope", "--channel", "0"), "layers; got 'nope'"),
        ((), "expected"), (("--target", "poppy", "--steps", "0"), "steps"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_write_nothing(shell: Shell, words, told):
    code, printed, err = shell("maximize", "--model", "planted/demo", "--out", shell.folder / "max", *words)
    assert (code, printed) == (2, "")
    assert told in err or "Invalid value" in err
    assert not (shell.folder / "max").exists()


@pytest.mark.parametrize(
    "words", [("--target", "iris", "--layer", "0", "--channel", "1"), ("--target", "iris", "--channel", "1"), ("--layer", "0")]
)  # fmt: skip
def test_one_goal_is_asked_for(shell: Shell, words):
    code, _, err = shell("maximize", "--model", "planted/demo", *words, "--out", shell.folder / "max")
    assert code == 2
    assert "expected --target, or --layer with --channel; got --" in err
    assert len(err.strip().splitlines()) == 1


def test_numbers_never_lie_beside_pictures_of_another_call(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    out = shell.folder / "max"
    words = ("maximize", "--model", "planted/demo", "--steps", 1, "--out", out, "--target")
    assert shell(*words, "iris")[:2] == (0, "")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unveil.render.write_image", full)
    code, _, err = shell(*words, "oak")
    assert code == 2
    assert "No space left on device" in err
    assert not (out / "maximized.json").exists()


@pytest.mark.parametrize("name", ["figure.png", "maximized.json", "maximized.png"])
def test_a_file_that_can_t_be_replaced_leaves_no_part(shell: Shell, name):
    out = shell.folder / "max"
    (out / name / "inside").mkdir(parents=True)
    code, _, err = shell("maximize", "--model", "planted/demo", "--target", "iris", "--steps", 1, "--out", out)
    assert code == 2
    assert "a place to write" in err
    assert [path.name for path in out.iterdir() if "part" in path.name] == []


def test_an_interrupt_is_130_and_writes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    def stop(*_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("unveil.maximization.maximize", stop)
    code, _, err = shell("maximize", "--model", "planted/demo", "--target", "iris", "--out", shell.folder / "max")
    assert code == 130
    assert "stopped; nothing was written" in err
    assert not (shell.folder / "max").exists()
