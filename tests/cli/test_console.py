"""Standard output holds results alone, whatever the network and the file that makes it print, in every command."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from commands import Shell
from PIL import Image as Pillow
from published import dogs

from unveil.cli import app
from unveil.cli.console import add_command, write_result

PRINTING = """
import torch, unveil
from torch import nn

print("the file runs")

class Printing(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 2))

    def forward(self, x):
        print("the network runs")
        return 100 * x.mean((2, 3))[:, :2] + self.body(x)

def make():
    print("the factory runs")
    torch.manual_seed(0)
    preprocessing = unveil.Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3)
    return unveil.TorchClassifier(Printing(), preprocessing, ["Chihuahua", "Cardigan"])
"""
# What each command needs besides --model, --out and --json.
WORDS = {
    ("run",): ("a.png", "--recipe", "quick.toml", "--figure", "none"),
    ("maximize",): ("--target", "Cardigan", "--steps", "2"),
    ("patterns",): ("a.png",),
    ("benchmark", "mosaics"): (
        "colors",
        "--kinds",
        "pasted",
        "--mosaics",
        "1",
        "--half",
        "all",
        "--methods",
        "quick.toml",
    ),
    ("what-if",): ("a.png", "drawing.json", "--recipe", "quick.toml"),
    ("batch",): ("colors", "--recipe", "quick.toml", "-j", "1"),
    ("train",): ("many", "--recipe", "quick.toml", "--erase", "none", "--epochs", "1", "--steps", "1", "--batch", "2"),
    ("benchmark", "paper"): ("dogs", "--recipe", "quick.toml", "--split", "all"),
}


def colors(folder, count=1):
    """Red photographs of the first label, and green ones of the second, as the network says."""
    for channel, label in enumerate(("Chihuahua", "Cardigan")):
        (folder / label).mkdir(parents=True)
        pixels = np.zeros((40, 40, 3), np.uint8)
        pixels[..., channel] = 255
        for number in range(count):
            Pillow.fromarray(pixels).save(folder / label / f"{number}.png")


def with_model(group, path=()):
    """The words of all commands that take --model and print results."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from with_model(command, (*path, name))
        elif {"--model", "--json"} <= {word for item in command.params for word in item.opts}:
            yield (*path, name)


@pytest.mark.parametrize("path", list(with_model(typer.main.get_command(app))), ids=" ".join)
def test_what_a_network_prints_is_not_among_the_results(shell: Shell, path, monkeypatch):
    monkeypatch.chdir(shell.folder)
    shell.photograph("a.png")
    dogs(shell.folder / "dogs")
    colors(shell.folder / "colors")
    colors(shell.folder / "many", 12)
    (shell.folder / "printing.py").write_text(PRINTING)
    brush = {"kind": "brush", "width_px": 8, "points": [[16, 16]]}
    Path("drawing.json").write_text(json.dumps({"format": "unveil drawing", "version": 1, "strokes": [brush]}))
    assert path in WORDS, "name what a new command needs"
    code, out, err = shell(*path, *WORDS[path], "--model", "python/printing.py:make", "--out", "out", "--json")
    assert code == 0, err
    assert json.loads(out)
    for text in ("the file runs", "the factory runs", "the network runs"):
        assert text in err
        assert text not in out


def test_a_command_that_fails_leaves_standard_output_as_it_was(capsys):
    def fail():
        """Print and fail."""
        print("lost")  # noqa: T201
        write_result("found")
        raise OSError("broken")

    group = typer.Typer()
    group.callback()(lambda: None)
    add_command(group, fail, "breaks")
    with pytest.raises(OSError, match="broken"):
        group(["breaks"], standalone_mode=False)
    print("outside")  # noqa: T201
    write_result("outside too")
    assert capsys.readouterr() == ("found\noutside\noutside too\n", "lost\n")
