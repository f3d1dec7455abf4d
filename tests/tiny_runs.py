"""Small real runs, and a comparison of everything in them, for the tests of records."""

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unveil.attribution import Gradient, GuidedBackprop, SmoothGrad
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.images import Image
from unveil.predictions import Output
from unveil.recipes import Recipe
from unveil.records import Run
from unveil.regions import SmoothedThreshold
from unveil.rounds import find_regions
from unveil.stopping import MaxRounds, TargetLost
from unveil.targets import Class, Margin, Predicted, Top

LABELS = ("Edema", "Ödem — 浮腫", 'mass/"quoted"')
SMALL = SmoothedThreshold(size_px=3, passes=2, split=True, min_area_share=0.002, max_regions=3)
RECIPES = {
    "guided, joint, top 2": Recipe(
        attribution=SmoothGrad(GuidedBackprop(), samples=4),
        target=Top(2),
        selector=SMALL,
        stop=MaxRounds(3) | TargetLost(),
    ),
    "plain, separate tracks": Recipe(
        attribution=SmoothGrad(samples=4), target=Top(3), selector=SMALL, stop=MaxRounds(2), joint=False
    ),
    "no noise, a margin": Recipe(attribution=Gradient(), target=Margin("Edema", 1), selector=SMALL, stop=MaxRounds(2)),
    "no region": Recipe(attribution=Gradient(), target=Class(0), stop=MaxRounds(2)),
    "nothing predicted": Recipe(attribution=Gradient(), target=Predicted(0.999999), stop=MaxRounds(2)),
}


def image(spacing_mm: tuple[float, ...] | None = None, source: str = "array") -> Image:
    """40 x 50 color pixels of noise."""
    pixels = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return Image.from_array(pixels, spacing_mm=spacing_mm, source=source)


def classifier(output: Output = Output.SOFTMAX, *, blind: bool = False) -> TorchClassifier:
    """A small convolutional network with fixed weights; blind: the same answer to every image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(96, 3)
    if blind:
        nn.init.zeros_(layers[-1].weight)
    # 36 px, of which the middle 32 are seen: the geometry has an offset.
    preprocessing = Preprocessing((32, 32), (0.5, 0.4, 0.3), (0.2, 0.2, 0.3), resize=36)
    return TorchClassifier(nn.Sequential(*layers), preprocessing, LABELS, output=output, name="tiny")


@cache
def run(recipe: str = "guided, joint, top 2", output: Output = Output.SOFTMAX, *, spacing: bool = False) -> Run:
    """A real run; made once."""
    requested = classifier(output, blind=recipe == "no region")
    source = image((0.7, 0.1) if spacing else None, "scans/浮腫 \udcff.png" if spacing else "array")
    return find_regions(source, requested, RECIPES[recipe], seed=7)


def differences(one: Any, other: Any, place: str = "run") -> list[str]:
    """Every place where two values differ, in type, order or bits; also in fields that `==` leaves out."""
    if type(one) is not type(other):
        return [f"{place}: {type(one).__name__} and {type(other).__name__}"]
    if dataclasses.is_dataclass(one):
        names = [item.name for item in dataclasses.fields(one)]
        return [
            line for name in names for line in differences(getattr(one, name), getattr(other, name), f"{place}.{name}")
        ]
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        return [] if same else [f"{place}: arrays"]
    if isinstance(one, dict):
        if list(one) != list(other):
            return [f"{place}: keys {list(one)} and {list(other)}"]
        return [line for key in one for line in differences(one[key], other[key], f"{place}[{key!r}]")]
    if isinstance(one, tuple | list):
        if len(one) != len(other):
            return [f"{place}: {len(one)} and {len(other)} items"]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{place}[{index}]")]
    return [] if one == other else [f"{place}: {one!r} and {other!r}"]


def manifest_of(folder: Path) -> dict:
    """The manifest of a record, as it is in the file."""
    return json.loads((folder / "run.json").read_text())
