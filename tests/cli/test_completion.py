"""Shell completion: values that exist, and without waiting for torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torchvision.models

from unveil.classifiers import loading
from unveil.classifiers.loading import choose_precision
from unveil.cli.completion import (
    DEVICES,
    OUTPUTS,
    PRECISIONS,
    RECIPES,
    SOURCES,
    complete_model,
    complete_recipe,
    torchvision_names,
)
from unveil.predictions import Output
from unveil.recipes import NAMED

COMPLETE = "import sys\nfrom unveil.cli import main\ntry: main()\nfinally: print(*{'torch', 'torchvision'} & set(sys.modules), file=sys.stderr)"


def complete(folder: Path, *words: str) -> tuple[list[str], str]:
    """What bash is offered for the last word, and which heavy libraries were imported for it."""
    environment = {
        **os.environ,
        "_UNVEIL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("unveil", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.split(), done.stderr.strip()


def test_the_lists_are_those_of_the_package():
    """They are written twice, because the modules that have them import torch."""
    assert tuple(NAMED) == RECIPES
    assert set(SOURCES) == set(loading.SOURCES)
    assert tuple(Output) == OUTPUTS
    for precision in PRECISIONS:
        assert choose_precision(precision) == precision


def test_torchvision_names_are_those_that_torchvision_lists():
    assert torchvision_names() == sorted(torchvision.models.list_models(module=torchvision.models))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "--recipe", ""), [*RECIPES, "mine.toml", "more/"]),
        (("run", "--recipe", "more/"), ["more/other.toml"]),
        (("run", "--recipe", "re"), ["recommended"]),
        (("run", "--model", "torchv"), ["torchvision/"]),
        (("run", "--model", "torchvision/resnet1"), [f"torchvision/resnet{n}" for n in (101, 152, 18)]),
        (("run", "--model", "python/n"), ["python/net.py"]),
        (("run", "--device", ""), list(DEVICES)),
        (("demo", "--precision", "b"), ["bf16"]),
        (("run", "--output", "si"), ["sigmoid"]),
        (("run", "--figure", ""), ["png", "svg", "pdf", "none"]),
        (("recipe", "show", "p"), ["paper"]),
        (("benchmark", "paper", "x", "--model", "planted"), ["planted/"]),
    ],
)
def test_values_complete_in_the_shell(tmp_path, words, expected):
    (tmp_path / "more").mkdir()
    for name in ("mine.toml", "more/other.toml", "net.py", ".hidden.toml", "notes.txt"):
        (tmp_path / name).write_text("")
    assert complete(tmp_path, *words) == (expected, "")


def test_nothing_completes_where_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complete_model("nowhere/x") == complete_model("timm/") == []
    assert complete_recipe("no/such/folder/") == []
