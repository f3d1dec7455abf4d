"""Stand-ins for archives: a small network in a file, images in files with damaged ones, and archives of them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from unveil.attribution import Gradient
from unveil.batch import Archive, BatchPlan, ModelSpec, make_plan, open_archive
from unveil.batch.base import Outcome
from unveil.batch.work import work
from unveil.datasets import Sample
from unveil.fills import Mean
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds
from unveil.targets import Predicted

SIDE = 16
TABLES = ("images", "rounds", "regions", "labels")
# The logit of a channel is twenty times the largest of its 4 x 4 means, minus 12. The pixel in the upper left corner
# says what becomes of the process: 255 in red and 1 in blue ends it, 2 in blue raises, 3 in blue takes a while.
NETWORK = """
import os
import signal
import time

import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier


class Brightest(nn.Module):
    def __init__(self, scale=20.0):
        super().__init__()
        self.mean = nn.Conv2d(3, 3, 4, 4, groups=3, bias=False)
        self.scale = nn.Conv2d(3, 3, 1, groups=3)
        with torch.no_grad():
            self.mean.weight.fill_(1 / 16)
            self.scale.weight.fill_(scale)
            self.scale.bias.fill_(-12)

    def forward(self, x):
        return self.scale(self.mean(x)).amax((2, 3))


class Special(TorchClassifier):
    def prepare(self, image):
        red, _, blue = (image.pixels[:, 0, 0] * 255).round()
        if red == 255 and blue == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if red == 255 and blue == 2:
            raise ZeroDivisionError("a network\\nthat fails")
        if red == 255 and blue == 3:
            time.sleep(float(os.environ.get("UNVEIL_TEST_SLOW_S", "0.2")))
        return super().prepare(image)


def make(scale=20.0):
    size = Preprocessing.square(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Special(Brightest(scale), size, LABELS, output="sigmoid", name="brightest")


LABELS = ("red", "green", "blue")
"""
KINDS = {"killing": 1, "failing": 2, "slow": 3}
RECIPE = Recipe(
    "quick",
    target=Predicted(),
    attribution=Gradient(),
    selector=SmoothedThreshold(size_px=3, passes=1, threshold=RelativeToMax(0.3)),
    fill=Mean(),
    stop=MaxRounds(2),
    trust=None,
)


def write_network(folder: Path, text: str = NETWORK) -> ModelSpec:
    """The file of the network, and the model that it is."""
    path = folder / "network.py"
    path.write_text(text, encoding="utf-8")
    return ModelSpec(f"python/{path}:make")


def write_image(path: Path, seed: int, kind: str = "") -> Path:
    """Squares of 4 x 4 px on dark noise, with a `kind` of `KINDS`; "dark" has no square, "damaged" is half a file."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 30, (SIDE, SIDE, 3), dtype=np.uint8)
    for _ in range(0 if kind == "dark" else 2):
        y, x = (4 * rng.integers(0, 4, 2)).tolist()
        pixels[y : y + 4, x : x + 4, rng.integers(0, 3)] = 255
    pixels[0, 0] = (255, 0, KINDS[kind]) if kind in KINDS else (20, 20, 20)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    if kind == "damaged":
        path.write_bytes(path.read_bytes()[:-200])
    # A time that doesn't depend on when the test runs.
    os.utime(path, (1_700_000_000 + seed, 1_700_000_000 + seed))
    return path


def write_samples(folder: Path, count: int, kinds: dict[int, str] | None = None, start: int = 0) -> list[Sample]:
    """Images NNN.png with labels; `kinds` says which of them are special, by their number."""
    numbers = range(start, start + count)
    chosen = kinds or {}
    return [
        Sample(f"{number:03d}", write_image(folder / f"{number:03d}.png", number, chosen.get(number, "")), ("red",))
        for number in numbers
    ]


def quick_plan(model: ModelSpec, recipe: Recipe = RECIPE, **settings) -> BatchPlan:
    """A plan with shards of four items."""
    return make_plan(model, recipe, **{"shard_size": 4, **settings})


def quick_archive(folder: Path, count: int = 10, kinds: dict[int, str] | None = None, **settings) -> Archive:
    """A new archive of images, with its data beside it."""
    model, samples = write_network(folder), write_samples(folder / "data", count, kinds)
    return open_archive(folder / "out", quick_plan(model, **settings), samples)


def do_all(archive: Archive, shards: Sequence[str] | None = None) -> list[Outcome]:
    """Do what is missing, in this process."""
    classifier = archive.plan.load_classifier()
    names = archive.missing() if shards is None else shards
    return [work(archive.folder, archive.plan, name, classifier=classifier) for name in names]


def finished(archive: Archive) -> Archive:
    """Do everything, and write the tables."""
    do_all(archive)
    assert archive.compact() == []
    return archive


def content(folder: Path) -> dict[str, list[dict]]:
    """The rows of the compacted tables, but for the seconds that workers took."""
    tables = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in TABLES}
    for row in tables["images"]:
        row.pop("worker_seconds")
    return tables
