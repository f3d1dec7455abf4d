"""Targets: what they resolve to, how labels are found by name, and what they read as text."""

import subprocess
import sys

import numpy as np
import pytest

from unveil.errors import TargetError
from unveil.predictions import Output, Prediction
from unveil.targets import Class, Margin, Predicted, TargetScore, Top, find_label, parse_target

LABELS = ("No Finding", "Edema", "Pleural_Thickening", "edema ", "Mass")
FIRST = Prediction(np.array([0.1, 3.0, -2.0, 1.0, 2.0]), Output.SIGMOID)
NOW = Prediction(np.array([0.1, -3.0, 2.0, -1.0, 1.0]), Output.SIGMOID)


def names(target, output: Output = Output.SIGMOID) -> list[str]:
    first, now = (Prediction(one.logits, output) for one in (FIRST, NOW))
    return [target_score.name for target_score in target.resolve(first, now, LABELS)]


def test_targets_resolve_to_their_scores():
    assert names(Class("Mass")) == ["Mass"]
    assert names(Class(2)) == ["Pleural_Thickening"]
    assert names(Top(2)) == ["Edema", "Mass"]
    assert names(Predicted()) == ["Pleural_Thickening", "Mass", "No Finding"]
    assert names(Predicted(0.8)) == ["Pleural_Thickening"]
    assert names(Predicted(0.99)) == []
    assert names(Predicted(), Output.SOFTMAX) == ["Pleural_Thickening"]
    assert names(Margin("Edema", 4)) == ["Edema − Mass"]


def test_scores_are_sums_of_logits():
    (margin,) = Margin("Edema", "Mass").resolve(FIRST, NOW, LABELS)
    assert margin.of(FIRST.logits) == pytest.approx(1.0)
    np.testing.assert_allclose(margin.of(np.stack([FIRST.logits, NOW.logits])), [1.0, -4.0])
    assert margin.class_index is None
    (one,) = Class("Edema").resolve(FIRST, NOW, LABELS)
    assert (one.class_index, one.of(NOW.logits)) == (1, -3.0)
    assert TargetScore("twice", ((1, 2.0),)).class_index is None


def test_labels_are_found_by_name():
    assert find_label("Edema", LABELS) == 1
    assert find_label("pleural thickening", LABELS) == 2
    assert find_label("MASS", LABELS) == 4
    assert find_label("3", LABELS) == 3
    assert find_label("7", ("1", "7")) == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Class("Oedema"), r"one of the classifier's 5 labels; got 'Oedema'; try 'Edema'"),
        (
            Class("EDEMA"),
            "a label that only one class has; got 'EDEMA', which 2 classes have; give the index: 1 or 3",
        ),  # two names that differ in case only
        (Class("zzz"), "try 'No Finding', 'Mass', or an index"),
        (Class(5), "a class index from 0 to 4; got 5"),
        (Top(6), r"got Top\(6\)"),
        (Margin("Mass", 4), "two different classes"),
    ],
)
def test_unknown_targets_are_refused(target, message):
    with pytest.raises(TargetError, match=message):
        target.resolve(FIRST, NOW, LABELS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Class(-1), "a class index from 0 on; got -1"),
        (lambda: Margin("Mass", -2), "a class index from 0 on; got -2"),
        (lambda: Margin(3, 3), "two different classes for a margin; got 3 twice"),
        (lambda: Top(0), r"Top\(1\) to Top\(1000\); got Top\(0\)"),
    ],
)
def test_targets_that_no_classifier_has_are_refused_when_they_are_made(make, message):
    with pytest.raises(TargetError, match=message):
        make()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("predicted", Predicted()),
        ("predicted:0.3", Predicted(0.3)),
        ("top", Top()),
        ("top:3", Top(3)),
        ("class:Top:3", Class("Top:3")),
        ("Edema", Class("Edema")),
        ("margin:Edema, Mass", Margin("Edema", "Mass")),
        ("PREDICTED", Predicted()),
        ("207", Class("207")),
        ("golden retriever", Class("golden retriever")),
    ],
)
def test_targets_as_text(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "  ", "predicted:often", "top:x"])
def test_invalid_texts_of_targets_are_refused(text):
    with pytest.raises(TargetError, match=r"expected predicted\[:P\], top\[:K\]"):
        parse_target(text)


@pytest.mark.parametrize("threshold", [0.0, -0.5, 2.0, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(TargetError, match="a threshold above 0, and at most 1; got "):
        Predicted(threshold)
    with pytest.raises(TargetError, match="a threshold above 0, and at most 1; got "):
        parse_target(f"predicted:{threshold}")


def test_settings_of_targets_have_the_type_they_need():
    """In a process of its own, without the checker of signatures, as users have it."""
    code = """
import numpy as np, torch
from unveil.errors import TargetError
from unveil.targets import Predicted, Top
print(Top(np.int64(2)), Top(torch.tensor(3)), Predicted(np.float32(0.25)), Predicted(1))
for make in (lambda: Top("2"), lambda: Top(2.0), lambda: Top(True), lambda: Predicted("0.3"), lambda: Predicted(None)):
    try:
        print(make())
    except TargetError as error:
        print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert first == "Top(count=2) Top(count=3) Predicted(threshold=0.25) Predicted(threshold=1.0)"
    assert len(others) == 5
    assert all(line.startswith("refused: expected") for line in others)
