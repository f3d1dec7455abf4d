"""How the cost of a run grows: image side, box, samples, rounds, targets, batch, images; one is changed at a time.

    python benchmarks/speed_sweep.py --json > sweep.json
    python benchmarks/speed_sweep.py --images 100          # fewer than 1000

ResNet-18 with random weights (times don't depend on them) or `--weights FOLDER`, plain gradients, two rounds of 16
samples where nothing else is said. `rss_mib` is the resident memory after each row, `kept_mib` the same once the
allocator has given back what nobody uses (`malloc_trim`, on Linux): over the rows of images it says whether anything is
kept.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from measuring import kept_mib, machine, rss_mib, timed
from speed import fast, set_up

import unveil
from unveil import Image
from unveil.planted import draw_scene
from unveil.regions import SmoothedThreshold

SIDES, BOXES = (224, 512, 1024, 2048), (3, 11, 51, 201)
SAMPLES, ROUNDS, TARGETS, BATCHES = (8, 16, 32, 64), (1, 2, 5, 10), (1, 2, 4, 8, 14), (1, 4, 8, 16, 32)
GIVEN_BACK = ("images",)  # elsewhere the time to get memory back would be part of the next row


@dataclass
class Rows:
    """What was timed so far."""

    rows: list[dict] = field(default_factory=list)

    def add(self, what: str, value: int, work: Callable[[], object]) -> None:
        """Time it once."""
        seconds = timed(work)
        row = {"what": what, "value": value, "seconds": round(seconds, 4), "rss_mib": rss_mib()}
        self.rows.append({**row, "kept_mib": kept_mib() if what in GIVEN_BACK else None})
        print(self.rows[-1], file=sys.stderr, flush=True)


def scene(seed: int) -> Image:
    """A planted scene."""
    return Image.from_array(draw_scene(seed).pixels.transpose(1, 2, 0))


def runs(options: argparse.Namespace, into: Rows) -> None:
    """Whole runs, without trust cards."""
    setup = set_up("resnet18", options.weights)
    classifier, image = setup.classifier("auto"), setup.images[0]
    small = fast("gradient", 2, 16)
    ask = partial(unveil.find_regions, classifier=classifier, trust=False)
    ask(image, recipe=small)  # what is done once is done here
    pixels = (np.random.default_rng(0).random((2048, 2048, 3)) * 255).astype(np.uint8)
    for side in SIDES:
        into.add("image side", side, partial(ask, Image.from_array(pixels[:side, :side]), recipe=small))
    for samples in SAMPLES:
        into.add("samples", samples, partial(ask, image, recipe=fast("gradient", 2, samples)))
    for rounds in ROUNDS:
        into.add("rounds", rounds, partial(ask, image, recipe=fast("gradient", rounds, 16)))
    for targets in TARGETS:
        into.add("targets", targets, partial(ask, image, recipe=small, target=unveil.Top(targets)))
    for size in BATCHES:
        into.add("batch size", size, partial(ask, image, recipe=fast("gradient", 2, 32), batch_size=size))
    one = fast("gradient", 1, 8)
    counts = [count for count in (0, 1, 10, 100, 250, 500, 750, 1000) if count <= options.images]
    for start, stop in pairwise(counts):
        seeds = range(start, stop)
        into.add("images", stop, lambda seeds=seeds: [ask(scene(seed), recipe=one) for seed in seeds])


def regions(into: Rows) -> None:
    """Finding regions alone, in maps of every side and with boxes of every size."""
    rng = np.random.default_rng(0)
    for side in SIDES:
        saliency = rng.random((side, side), dtype=np.float32) ** 8
        nothing = np.zeros(saliency.shape, dtype=bool)
        for size in BOXES:
            into.add(f"regions, box {size}", side, partial(SmoothedThreshold(size).select, saliency, nothing))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="folder with resnet18.safetensors")
    parser.add_argument("--images", type=int, default=1000, help="as many as this in a row")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    into = Rows()
    regions(into)
    runs(options, into)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": into.rows}, indent=1))


if __name__ == "__main__":
    main()
