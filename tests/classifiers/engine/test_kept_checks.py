"""The precision check of a network is done once per machine, and again where anything differs."""

import json

import pytest
import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier, torch_module
from unveil.classifiers.engine.kept_checks import FILE, MAX_KEPT, cache_folder, keep_check, recall_check
from unveil.classifiers.engine.precision import PrecisionCheck

PREPROCESSING = Preprocessing.square(16, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A cache folder that doesn't exist yet."""
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def checked(monkeypatch):
    """The classifiers whose precision was checked, and results that are different each time."""
    monkeypatch.setattr(torch_module, "has_fast_bf16", lambda device: True)
    done = []

    def check(exact, reduced, preprocessing, device):
        done.append(preprocessing)
        return PrecisionCheck(0.9 + 0.01 * len(done), 0.5)

    monkeypatch.setattr(torch_module, "probe_precisions", check)
    return done


class Scaled(nn.Module):
    """Linear logits; `factor` is code and not a weight."""

    def __init__(self, factor: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear, self.factor = nn.Linear(3 * 16 * 16, 3), factor

    def forward(self, x):
        return self.factor * self.linear(x.flatten(1))


def decide(module: nn.Module, preprocessing: Preprocessing = PREPROCESSING) -> str:
    """The precision that a new classifier of this module chooses, in words."""
    return TorchClassifier(module, preprocessing, precision="auto").averaging_precision


def test_the_second_classifier_of_a_network_has_the_check_of_the_first(folder, checked):
    first, second = decide(Scaled()), decide(Scaled())
    assert first == second
    assert len(checked) == 1
    assert "(IoU 0.91;" in first


@pytest.mark.parametrize("other", ["weights", "code", "preprocessing", "threads"])
def test_another_network_or_machine_is_checked_anew(folder, checked, monkeypatch, other):
    decide(Scaled())
    module = {"weights": Scaled(seed=1), "code": Scaled(2.0)}.get(other, Scaled())
    if other == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    decide(module, Preprocessing.square(16, (0.4,) * 3, (0.25,) * 3) if other == "preprocessing" else PREPROCESSING)
    assert len(checked) == 2


def test_an_empty_variable_keeps_nothing(checked, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UNVEIL_CACHE", "")
    decide(Scaled())
    decide(Scaled())
    assert len(checked) == 2
    assert not list(tmp_path.iterdir())


def test_without_the_variable_the_folder_is_that_of_the_desktop_standard(monkeypatch, tmp_path):
    monkeypatch.delenv("UNVEIL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "unveil"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "unveil"


@pytest.mark.parametrize(
    "content",
    ["", "[1, 2]", '{"key": 3}', '{"key": [0.5]}', '{"key": [0.5, 1.5]}', '{"key": [0.5, NaN]}', '{"key": ["a", 0.5]}',
     '{"key": [true, 0.5]}', "[" * 100_000, '{"key": [0.5, 0.5], "long": "' + "x" * 200_000 + '"}'],
)  # fmt: skip
def test_a_damaged_file_counts_as_none_and_is_replaced(folder, content):
    folder.mkdir()
    (folder / FILE).write_text(content)
    assert recall_check("key") is None
    keep_check("key", PrecisionCheck(0.25, 0.75))
    assert recall_check("key") == PrecisionCheck(0.25, 0.75)


def test_the_latest_results_are_kept(folder):
    for number in range(MAX_KEPT + 5):
        keep_check(f"key {number}", PrecisionCheck(number / 1000, 1.0))
    keep_check("key 5", PrecisionCheck(0.5, 0.5))
    assert recall_check("key 4") is None
    assert recall_check("key 5") == PrecisionCheck(0.5, 0.5)
    assert recall_check("key 6") == PrecisionCheck(0.006, 1.0)
    assert len(json.loads((folder / FILE).read_text())) == MAX_KEPT


def test_a_folder_that_cannot_be_written_to_is_no_error(monkeypatch, tmp_path, checked):
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path / "file"))
    assert decide(Scaled()) != decide(Scaled())
    assert len(checked) == 2
