"""`unveil maximise`: files, JSON and errors."""

import json

import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

from unveil.classifiers import TorchClassifier, load_classifier
from unveil.maximisation import Maximisation, Unit, maximise


def test_the_files_hold_what_the_library_finds(shell: Shell):
    out = shell.folder / "max"
    words = (
        "maximise",
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
    expected = maximise(classifier, Unit("features.3.conv1", 7), Maximisation(steps=5), seed=3)
    with Pillow.open(out / "maximised.png") as opened:
        shown = np.asarray(opened.convert("RGB"))
    np.testing.assert_allclose(shown / 255, expected.pixels.transpose(1, 2, 0), atol=0.51 / 255)
    said, kept = json.loads(printed), json.loads((out / "maximised.json").read_text())
    assert said["score_end"] == pytest.approx(expected.scores[-1], rel=1e-5)
    assert kept["scores"] == pytest.approx(list(expected.scores), rel=1e-5)
    assert kept["classifier"]["fingerprint"] == classifier.fingerprint
    assert sorted(path.name for path in out.iterdir()) == ["figure.png", "maximised.json", "maximised.png"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--target", "rose"), "one of the classifier's 5 labels"), (("--layer", "nope", "--channel", "0"), "layers; got 'nope'"),
        ((), "expected"), (("--target", "poppy", "--steps", "0"), "steps"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_write_nothing(shell: Shell, words, told):
    code, printed, err = shell("maximise", "--model", "planted/demo", "--out", shell.folder / "max", *words)
    assert (code, printed) == (2, "")
    assert told in err or "Invalid value" in err
    assert not (shell.folder / "max").exists()
