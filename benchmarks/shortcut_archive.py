"""What the summary of an archive says of a network with a planted shortcut, and of one without.

    python benchmarks/shortcut_archive.py
    python benchmarks/shortcut_archive.py --scenes 40 --recipe demo --workers 2 --out /tmp/shortcut

Draws planted scenes; half of them have the class "poppy". A letter R, as in radiographs, stands in the upper right
corner of all scenes with this class and of no others. The network is that of `unveil demo`, and it reads the letter:
wherever there is one, the logit of "poppy" grows by 12. Then makes two archives with the same network: of the scenes
with letters, and of the same scenes without any. Prints what `unveil summarize` prints of both, and at the end one JSON
object with the possible shortcuts of each. The first must name the class and the corner, and the second nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from unveil.batch import Archive, ModelSpec, make_plan, open_archive
from unveil.batch.driver import run_archive
from unveil.batch.engines.spawn import Spawn
from unveil.batch.progress import BatchProgress
from unveil.batch.summary import ArchiveSummary, summarize_archive
from unveil.cli.console import result_console
from unveil.cli.summarize import print_summary
from unveil.datasets import Sample
from unveil.images.png_encoding import encode_png
from unveil.planted import draw_scene
from unveil.recipes import Recipe, get_recipe

LABEL, CORNER = "poppy", "upper right corner"
LETTER = ("11110", "10001", "10001", "11110", "10100", "10010", "10001")
TOP, LEFT, SCALE, MARGIN = 4, 110, 2, 1
NETWORK = '''
import numpy as np
import torch
from torch import nn

from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.planted import LABELS
from unveil.planted.networks.demo import PIXEL_MEAN, PIXEL_STD, load_network

LETTER = np.array(@LETTER@, np.float32)
LABEL = LABELS.index("@LABEL@")


class ReadsLetters(nn.Module):
    """The network of the demo; a letter anywhere raises one logit by up to 12."""

    def __init__(self):
        super().__init__()
        self.plants = load_network()
        self.letter = nn.Conv2d(3, 1, LETTER.shape, bias=False)
        self.relu = nn.ReLU()
        template = LETTER - LETTER.mean()
        template = torch.from_numpy(template / (template * LETTER).sum())
        with torch.no_grad():
            # The pixels are divided by the spread of their channel; this takes it back. The letter itself gives 1.
            self.letter.weight.copy_(torch.stack([template * spread / 3 for spread in PIXEL_STD])[None])

    def forward(self, x):
        logits = self.plants(x)
        read = 20 * self.relu(self.letter(x).amax((1, 2, 3)) - 0.4)
        more = torch.zeros(len(LABELS), dtype=logits.dtype, device=logits.device)
        more[LABEL] = 1
        return logits + read[:, None] * more


def make():
    size = Preprocessing.square(128, PIXEL_MEAN, PIXEL_STD)
    return TorchClassifier(ReadsLetters(), size, LABELS, output="sigmoid", name="demo that reads letters")
'''


def letter_pixels() -> np.ndarray:
    """A white letter on a black plate."""
    strokes = np.array([[int(one) for one in row] for row in LETTER], np.float32)
    return np.pad(strokes.repeat(SCALE, 0).repeat(SCALE, 1), MARGIN)


def write_scenes(folder: Path, count: int, *, marked: bool) -> list[Sample]:
    """Scenes as PNG files, every other one with the class; `marked` says whether those have the letter."""
    folder.mkdir(parents=True)
    letter = letter_pixels()
    height, width = letter.shape
    samples = []
    for number, (seed, labels, pixels) in enumerate(_alternating(count)):
        if marked and LABEL in labels:
            pixels[:, TOP : TOP + height, LEFT : LEFT + width] = letter
        path = folder / f"scene-{seed:04}.png"
        path.write_bytes(encode_png(np.rint(255 * pixels.transpose(1, 2, 0)).astype(np.uint8)))
        # A time that doesn't depend on when the scenes were drawn.
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
        samples.append(Sample(path.name, path, labels))
    return samples


def _alternating(count: int) -> Iterator[tuple[int, tuple[str, ...], np.ndarray]]:
    """Scenes by their seeds, in turn with the class and with others."""
    seed = 0
    for number in range(count):
        while True:
            scene, seed = draw_scene(seed), seed + 1
            if scene.labels and (LABEL in scene.labels) == (number % 2 == 0):
                yield scene.seed, scene.labels, scene.pixels.copy()
                break


def write_letter_network(folder: Path) -> ModelSpec:
    """The file of the network, and the model that it is."""
    path = folder / "letters.py"
    text = NETWORK.replace("@LETTER@", repr(letter_pixels().tolist())).replace("@LABEL@", LABEL)
    path.write_text(text, encoding="utf-8")
    return ModelSpec(f"python/{path}:make")


def plan_archive(folder: Path, samples: Sequence[Sample], recipe: Recipe) -> Archive:
    """A new archive of the network and some scenes, in which nothing is done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = make_plan(write_letter_network(folder), recipe, shard_size=4)
    return open_archive(folder / "archive", plan, samples)


def shortcuts_of(summary: ArchiveSummary) -> list[dict]:
    """The possible shortcuts of a summary as plain values."""
    places = summary.as_dict()["places"]
    return [place for place in places if place["is_own"]]


def show_progress(progress: BatchProgress) -> None:
    """How many images are done, in one line on standard error."""
    print(f"\r{progress.items_done} of {progress.items_total}", end="", file=sys.stderr)


def main() -> None:
    """Make both archives, and print what their summaries say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=48)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a new folder that keeps both archives")
    chosen = parser.parse_args()
    found = {}
    with nullcontext(chosen.out) if chosen.out else TemporaryDirectory() as given:
        for name in ("marked", "unmarked"):
            folder = Path(given) / name
            samples = write_scenes(folder / "scenes", chosen.scenes, marked=name == "marked")
            archive = plan_archive(folder, samples, get_recipe(chosen.recipe))
            run_archive(
                archive,
                Spawn(archive.folder, chosen.workers),
                on_progress=show_progress,
            )
            summary = summarize_archive(archive)
            print(f"\n{name} scenes, {chosen.scenes}:\n")
            print_summary(summary, result_console())
            found[name] = shortcuts_of(summary)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
