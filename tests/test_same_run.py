"""The same call gives the same run: in any order of the images, in one process or in several, resumed or not."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import nn

from tiny_runs import RECIPES, differences
from unveil import Run, load_run, run_images
from unveil.attribution import SmoothGrad
from unveil.classifiers import Preprocessing, TorchClassifier, torch_module
from unveil.recipes import TrustSettings
from unveil.targets import Top

RECIPE = replace(
    RECIPES["guided, joint, top 2"],
    attribution=SmoothGrad(samples=4),
    target=Top(1),
    trust=TrustSettings(placements=3, samples=2),
)


class Steps(nn.Module):
    """Linear for an image without contrast, where bf16 changes nothing; else it depends on digits that bf16 doesn't have.

    By the rule "the first image decides", a constant first image would have put all later images into bf16.
    """

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(3, 32, 32, generator=rng))

    def forward(self, x):
        contrast = x.detach().flatten(1).std(1) > 0.2
        linear, fine = ((self.weight * values).sum((1, 2, 3)) for values in (x, torch.sin(3e3 * x)))
        logit = torch.where(contrast, fine, linear)
        return torch.stack([logit, logit - 1e4, logit - 2e4], 1)


def network() -> TorchClassifier:
    """A new classifier of fixed weights, as each process makes one."""
    preprocessing = Preprocessing.square(32, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3))
    return TorchClassifier(Steps(), preprocessing, ("a", "b", "c"), name="steps", precision="auto")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """As if this processor were fast at bf16, whatever it is: there is something to decide."""
    monkeypatch.setattr(torch_module, "has_fast_bf16", lambda device: True)


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """A constant image, a smooth one, and one of noise."""
    y, x = np.mgrid[:40, :50]
    smooth = np.stack([y * 3, x * 2, y + x], 2).astype(np.uint8)
    images = {
        "constant": np.full((40, 50, 3), (128, 102, 76), np.uint8),
        "smooth": smooth,
        "noise": np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8),
    }
    paths = []
    for name, pixels in images.items():
        paths.append(tmp_path / f"{name}.png")
        Pillow.fromarray(pixels).save(paths[-1])
    return paths


def runs(paths: list[Path], classifier: TorchClassifier, out: Path) -> dict[str, Run]:
    """The runs of these images, by name."""
    results = list(run_images(paths, classifier, RECIPE, out=out, figure="none"))
    assert all(result.run is not None for result in results), [result.error for result in results]
    return {result.image.stem: result.run for result in results if result.run is not None}


def same(first: dict[str, Run], second: dict[str, Run]) -> None:
    """Equal in every value, type and bit, but for what a run took."""
    assert first.keys() == second.keys()
    for name, run in first.items():
        assert run == second[name]
        lines = differences(run, second[name], name)
        assert [line for line in lines if ".seconds" not in line and ".passes" not in line] == []


def test_the_order_of_the_images_and_what_ran_before_do_not_matter(paths, tmp_path):
    expected = runs(paths, network(), tmp_path / "first")
    assert any(run.regions for run in expected.values())
    for number, order in enumerate(permutations(paths)):
        same(expected, runs(list(order), network(), tmp_path / f"order-{number}"))
    used = network()
    for number in range(2):
        same(expected, runs(paths[::-1], used, tmp_path / f"used-{number}"))


def test_each_image_alone_is_the_same(paths, tmp_path):
    expected = runs(paths, network(), tmp_path / "together")
    for path in paths:
        same({path.stem: expected[path.stem]}, runs([path], network(), tmp_path / "alone"))


def test_a_resumed_call_is_the_same(paths, tmp_path):
    expected = runs(paths, network(), tmp_path / "whole")
    half = run_images(paths, network(), RECIPE, out=tmp_path / "resumed", figure="none")
    next(half)
    half.close()  # type: ignore[attr-defined] (a generator)
    resumed = list(run_images(paths, network(), RECIPE, out=tmp_path / "resumed", figure="none"))
    assert [str(result.status) for result in resumed] == ["kept", "done", "done"]
    same(expected, {result.image.stem: load_run(result.folder) for result in resumed})


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
import test_same_run
torch.set_num_threads(1)  # as in these tests: sums of other threads are rounded otherwise
test_same_run.torch_module.has_fast_bf16 = lambda device: True
test_same_run.runs([Path(name) for name in sys.argv[3:]], test_same_run.network(), Path(sys.argv[2]))
"""


def test_several_processes_write_the_same_records(paths, tmp_path):
    """One image each, at the same time and into one folder."""
    expected = runs(paths, network(), tmp_path / "here")
    here = str(Path(__file__).parent)
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, here, str(tmp_path / "there"), str(path)]) for path in paths
    ]
    assert [child.wait(timeout=300) for child in children] == [0] * 3
    same(expected, {path.stem: load_run(tmp_path / "there" / path.stem) for path in paths})
    manifest = json.loads((tmp_path / "there" / "noise" / "run.json").read_text())
    assert manifest["classifier"]["averaging_precision"] == expected["smooth"].classifier.averaging_precision


def test_the_old_rule_would_have_decided_by_the_first_image(paths):
    """Not a toy that passes anyway: the check gives another answer for the constant image than for the others."""
    from unveil.classifiers.engine.precision import compare_precisions  # noqa: PLC0415
    from unveil.images import read_image  # noqa: PLC0415

    classifier = network()
    half = classifier.in_bf16()
    checks = {}
    for path in paths:
        pixels = classifier.prepare(read_image(path)).pixels
        check = compare_precisions(classifier.logits, lambda x: classifier.logits_of(half, x), pixels)
        checks[path.stem] = check.passed
    assert set(checks.values()) == {True, False}, checks
