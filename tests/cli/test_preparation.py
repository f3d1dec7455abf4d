"""Options of `unveil run` that change the preprocessing: applied, recorded, compared on resuming, or refused at once."""

import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

import unveil
from unveil.classifiers import PreprocessingChanges
from unveil.cli.preparation import parse_changes

NETWORK = """
import torch
from torch import nn

def make():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(144, 2))
"""


@pytest.fixture
def call(shell: Shell) -> tuple:
    (shell.folder / "gray.py").write_text(NETWORK)
    values = (np.random.default_rng(0).random((56, 56)) * 4096).astype(np.uint16)
    Pillow.fromarray(values).save(shell.folder / "scan.png")
    return (
        "run",
        shell.folder / "scan.png",
        "--model",
        f"python/{shell.folder / 'gray.py'}:make",
        *shell.common[2:],
        "--figure",
        "none",
    )


OPTIONS = ("--size", "28", "--channels", "1", "--mean", "0.13", "--std", "0.31", "--value-range", "0,4095")


def test_every_option_is_applied_and_recorded(shell: Shell, call: tuple):
    code, _, err = shell(*call)
    assert code == 2
    assert "images of 3x224x224" in err
    code, _, err = shell(*call, *OPTIONS)
    assert (code, "warning" in err) == (0, False)
    run = unveil.load_run(shell.folder / "out" / "scan")
    preprocessing = run.classifier.preprocessing
    assert preprocessing is not None
    names = ("crop", "mean", "std", "value_range")
    assert [preprocessing[name] for name in names] == [[28, 28], [0.13], [0.31], [0, 4095]]
    assert run.source.value_range == (0, 4095)
    changes = PreprocessingChanges((28, 28), 1, (0.13,), (0.31,), (0, 4095))
    classifier = unveil.load_classifier(f"python/{shell.folder / 'gray.py'}:make", preprocessing=changes)
    image = unveil.read_image(shell.folder / "scan.png", value_range=(0, 4095))
    again = unveil.find_regions(image, classifier, shell.folder / "quick.toml")
    assert run.rounds == again.rounds


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--mean", "0.2"), "preprocessing.mean [0.13] (now [0.2])"),
        (("--std", "0.3"), "preprocessing.std [0.31] (now [0.3])"),
        (("--value-range", "0,2047"), "value range (0.0, 4095.0) (now (0.0, 2047.0))"),
    ],
)
def test_another_preparation_is_another_record(shell: Shell, call: tuple, changed: tuple, told: str):
    assert shell(*call, *OPTIONS)[0] == 0
    code, _, err = shell(*call, *OPTIONS)
    assert (code, "(kept)" in err) == (0, True)
    code, _, err = shell(*call, *OPTIONS, *changed)
    assert code == 1
    assert told in " ".join(err.split())


def test_twelve_bits_are_noticed(shell: Shell, call: tuple):
    code, _, err = shell(*call, *OPTIONS[:-2])
    assert code == 0
    assert err.count("warning") == 1
    assert "--value-range 0,4095" in " ".join(err.split())


def test_the_same_remark_about_many_images_is_printed_for_the_first_and_counted(shell: Shell, call: tuple):
    scans = []
    for number in range(3):
        values = (np.random.default_rng(number).random((28, 28)) * 4096).astype(np.uint16)
        Pillow.fromarray(values).save(shell.folder / f"scan{number}.png")
        scans.append(shell.folder / f"scan{number}.png")
    code, _, err = shell("run", *scans, *call[2:], *OPTIONS[:-2])
    text = " ".join(err.split())
    assert code == 0
    assert text.count("warning") == 2
    assert "scan0.png: 16-bit pixels" in text
    assert "3 images in all: 16-bit pixels" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "big"), "--size in px; got 'big'"),
        (("--size", "-28"), "--size in px"),
        (("--size", "3"), "sides of 8 to 8192 px"),
        (("--size", "28x"), "--size in px"),
        (("--size", "9" * 400), "--size in px"),
        (("--channels", "0"), "1 to 1024 channels"),
        (("--mean", "a,b"), "--mean with numbers"),
        (("--mean", "123.7,116.3,103.5"), "divide means of 0 … 255 by 255"),
        (("--mean", ""), "--mean with numbers"),
        (("--std", "0"), "deviations above 0"),
        (("--mean", "0.1,0.2", "--std", "0.1,0.2,0.3"), "as many means and deviations as channels"),
        (("--value-range", "4095"), "a value range (lowest, highest)"),
        (("--value-range", "4095,0"), "a value range (lowest, highest)"),
        (("--value-range", "0;4095"), "--value-range with two numbers"),
        (("--value-range", "nan,1"), "a value range"),
    ],
)
def test_bad_values_are_one_line_before_a_model_is_loaded(shell: Shell, call: tuple, words: tuple, told: str):
    (shell.folder / "gray.py").write_text("raise SystemExit('the model was loaded')")
    code, _, err = shell(*call, *words)
    assert code == 2
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    assert not (shell.folder / "out").exists()


def test_texts_of_options():
    assert parse_changes(None, None, None, None, None).is_empty
    assert parse_changes("224", None, None, None, None).size == (224, 224)
    assert parse_changes("16x32X64", None, None, None, None).size == (16, 32, 64)
    changes = parse_changes(None, 2, "0.1, 0.2", "1e-1", "-1000,4e2")
    assert changes == PreprocessingChanges(None, 2, (0.1, 0.2), (0.1,), (-1000.0, 400.0))
