"""`unveil patterns`: the same patterns as the library's, also after a stop; bad images are left out and named."""

import json
import sys

import numpy as np
import pytest
import torch
from commands import Shell

import unveil
from unveil.attribution import PatternAttribution
from unveil.classifiers import TorchClassifier
from unveil.patterns import Estimation, load_patterns
from unveil.recipes import Recipe


def model(shell: Shell) -> tuple[str, TorchClassifier]:
    name = f"python/{shell.folder / 'net.py'}:make"
    (shell.folder / "net.py").write_text(
        "import torch, unveil\nfrom torch import nn\ndef make():\n    torch.manual_seed(3)\n"
        "    module = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(96, 3))\n"
        "    return unveil.TorchClassifier(module, unveil.Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3), ['a', 'b', 'c'])\n"
    )
    classifier = unveil.load_classifier(name)
    assert isinstance(classifier, TorchClassifier)
    return name, classifier


def test_the_file_holds_what_the_library_estimates(shell: Shell):
    name, classifier = model(shell)
    paths = [shell.photograph(f"{number}.png", number) for number in range(5)]
    bad = shell.folder / "bad.png"
    bad.write_text("no image")
    out = shell.folder / "p.safetensors"
    code, printed, err = shell("patterns", *paths[:2], bad, *paths[2:], "-m", name, "-o", out, "--json")
    assert code == 1
    assert "1 of 6 images failed" in err
    said = json.loads(printed)
    assert (said["images"], said["layers"], said["units"]) == (5, 2, 9)
    estimation = Estimation(classifier)
    for path in paths:
        estimation.add(classifier.prepare(unveil.read_image(path)).pixels[None])
    expected = estimation.patterns().by_layer
    found = load_patterns(out).by_layer
    assert all(torch.allclose(found[key], expected[key], rtol=1e-6) for key in expected)
    assert [path.name for path in shell.folder.iterdir() if "sums" in path.name] == []
    run = unveil.find_regions(paths[0], classifier, Recipe(attribution=PatternAttribution(str(out))))
    assert np.isfinite(run.rounds[0].maps[0].saliency).all()


def test_a_stopped_estimation_goes_on_where_it_was(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    name, _ = model(shell)
    paths = [shell.photograph(f"{number}.png", number) for number in range(6)]
    out, straight = shell.folder / "p.safetensors", shell.folder / "straight.safetensors"
    assert shell("patterns", *paths, "-m", name, "-o", straight)[0] == 0
    monkeypatch.setattr(sys.modules["unveil.cli.patterns"], "KEEP_EVERY", 2)
    real, calls = Estimation.add, []

    def stopping(self, pixels):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(self, pixels)

    monkeypatch.setattr(Estimation, "add", stopping)
    code, _, err = shell("patterns", *paths, "-m", name, "-o", out)
    assert code == 130
    assert "continues from there" in err
    assert not out.exists()
    code, _, err = shell("patterns", *paths, "-m", name, "-o", out)
    assert code == 0
    assert "continuing after 4 images" in err
    assert len(calls) == 6 + 2
    for key, pattern in load_patterns(straight).by_layer.items():
        assert torch.allclose(load_patterns(out).by_layer[key], pattern, rtol=1e-6)


def test_an_unknown_estimator_and_no_image_at_all(shell: Shell):
    name, _ = model(shell)
    code, _, err = shell(
        "patterns", shell.photograph("a.png"), "-m", name, "-o", shell.folder / "p", "--estimator", "mean"
    )
    assert code == 2
    assert "two-component or linear; got mean" in err
    (shell.folder / "none.png").write_text("no image")
    code, _, err = shell("patterns", shell.folder / "none.png", "-m", name, "-o", shell.folder / "p")
    assert code == 2
    assert "at least one image; got none" in err
