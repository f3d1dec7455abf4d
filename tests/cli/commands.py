"""Calling the command line as `main` is called, and a small model for it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from unveil.cli import main

# As a terminal starts it. A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from unveil.cli import main; main()"
)

MODEL = """
import torch, unveil
from torch import nn

def make():
    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(96, 3))
    preprocessing = unveil.Preprocessing.square(32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    return unveil.TorchClassifier(module, preprocessing, ["cat", "dog", "Edema"], name="small")

def nan():
    class Nan(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) * float("nan")
    return Nan()
"""
RECIPE = """
name = "quick"
[attribution]
kind = "SmoothGrad"
samples = 4
[selector]
size_px = 5
passes = 1
[stop]
kind = "MaxRounds"
rounds = 2
"""


class Shell:
    """A folder to work in, and what a call printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._capsys, self._patch = folder, capsys, monkeypatch
        (folder / "net.py").write_text(MODEL)
        (folder / "quick.toml").write_text(RECIPE)
        self.common = (
            "--model",
            f"python/{folder / 'net.py'}:make",
            "--recipe",
            str(folder / "quick.toml"),
            "--out",
            str(folder / "out"),
        )

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one call."""
        self._patch.setattr(sys, "argv", ["unveil", *map(str, words)])
        self._capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def photograph(self, name: str, seed: int = 0) -> Path:
        """An image file of noise."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path, "PNG")
        return path
