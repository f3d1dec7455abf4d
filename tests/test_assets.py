"""Real networks on real photographs and radiographs; skipped where they aren't at hand."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop as CaptumGuided

import unveil
from unveil.attribution import AttributionRequest, GuidedBackprop, SmoothGrad
from unveil.classifiers import Classifier, TorchClassifier
from unveil.recipes import Recipe, paper
from unveil.stopping import MaxRounds
from unveil.targets import TargetScore

pytestmark = pytest.mark.assets


@pytest.fixture(scope="session")
def resnet(assets: Path) -> Classifier:
    return unveil.load_classifier("torchvision/resnet18", assets / "weights/resnet18_imagenet.safetensors")


@pytest.fixture(scope="session")
def photographs(assets: Path) -> list[tuple[Path, int]]:
    with (assets / "imagenet/labels.csv").open(newline="", encoding="utf-8") as file:
        return [(assets / "imagenet" / row["file"], int(row["class_index"])) for row in csv.DictReader(file)]


def test_a_real_network_recognizes_real_photographs(resnet, photographs):
    assert len(photographs) >= 80
    right = 0
    for path, label in photographs[::3]:
        (text,) = resnet.predict(resnet.prepare(unveil.read_image(path)).pixels[None])
        right += label == text.leading(1)[0]
    assert right / len(photographs[::3]) > 0.5


def test_guided_backprop_agrees_with_captum_where_captum_is_right(resnet, photographs):
    prepared = resnet.prepare(unveil.read_image(photographs[10][0]))
    target = resnet.predict(prepared.pixels[None])[0].leading(1)[0]
    ours = GuidedBackprop().attribute(
        AttributionRequest(resnet, prepared.pixels, [TargetScore("top", ((target, 1.0),))], "key", 8)
    )

    class Whole(torch.nn.Module):
        def __init__(self, classifier: TorchClassifier) -> None:
            super().__init__()
            self.inner, self.prepare = classifier._module, classifier.preprocessing

        def forward(self, x):
            return self.inner(self.prepare.normalize(x))

    with pytest.warns(UserWarning):
        theirs = (
            CaptumGuided(Whole(resnet))
            .attribute(prepared.pixels[None].clone().requires_grad_(), target=target)[0]
            .detach()
        )
    error = float((ours.all.mean[0] - theirs).abs().max() / theirs.abs().max())
    assert error < 1e-5
    assert ours.rules is not None
    assert ours.rules.overridden == {"ReLU": 17}


def test_five_rounds_on_a_dog(resnet, photographs, tmp_path):
    path = next(path for path, _ in photographs if "golden_retriever" in path.name)
    recipe = Recipe(
        "quick", attribution=SmoothGrad(GuidedBackprop(), samples=8), selector=paper().selector, stop=MaxRounds(5)
    )
    run = unveil.find_regions(path, resnet, recipe)
    image = unveil.read_image(path)
    assert len(run.rounds) == 5
    covered = np.zeros(image.shape, bool)
    for region in run.regions:
        inside = region.mask.to_array()
        assert inside.shape == image.shape
        assert not (covered & inside).any(), "no pixel is found twice"
        covered |= inside
    first = run.first.leading(1)[0]
    assert run.rounds[-1].after.logits[first] < run.first.logits[first] - 2
    assert unveil.load_run(run.save(tmp_path / "run")) == run
    run.figure(tmp_path / "run.png")


def test_radiographs_are_read_in_gray(assets):
    paths = sorted(path for path in (assets / "chestxray14").rglob("*.png"))[:5]
    assert paths
    for path in paths:
        image = unveil.read_image(path)
        assert image.channels == 1
        assert min(image.shape) >= 300
        assert 0.1 < float(image.pixels.mean()) < 0.9
