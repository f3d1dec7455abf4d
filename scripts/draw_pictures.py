"""Draw the pictures of the README and the docs that need nothing from outside.

python scripts/draw_pictures.py            # into docs/pictures
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image as Pillow  # noqa: TID251 (a sheet of arrays, written once)
from scipy import ndimage

from unveil import Image, find_regions, load_classifier
from unveil.planted import Scene, draw_scene
from unveil.planted.scenes.suites import SUITES, suite_scene

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SCENE = 100_019  # four signs of one class, and several things that mean nothing
SUITE_SEEDS = range(860_020, 860_022)
YELLOW = (1.0, 0.9, 0.1)


def main() -> None:
    """The demo's figure and the sheet of suites, at a size for a page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    scene = draw_scene(SCENE)
    image = Image.from_array(scene.pixels, source=f"planted scene {SCENE}")
    run = find_regions(image, load_classifier("planted/demo"), "demo")
    run.figure().savefig(FOLDER / "demo.jpg", dpi=130, pil_kwargs={"quality": 85})
    _draw_suites()


def _draw_suites() -> None:
    """Five suites a row, two scenes of each, one above the other; cues are outlined."""
    columns = [np.concatenate([_outlined(suite_scene(suite, seed)) for seed in SUITE_SEEDS]) for suite in SUITES]
    rows = [np.concatenate(columns[begin : begin + 5], axis=1) for begin in range(0, len(columns), 5)]
    sheet = np.concatenate([np.pad(row, ((0, 12), (0, 0), (0, 0)), constant_values=1.0) for row in rows])
    Pillow.fromarray(np.round(sheet[:-12] * 255).astype(np.uint8)).save(FOLDER / "suites.jpg", quality=78)


def _outlined(scene: Scene) -> np.ndarray:
    """Twice as large, with a line around every cue, in a white frame."""
    pixels = np.kron(scene.pixels.transpose(1, 2, 0), np.ones((2, 2, 1), np.float32))
    for cue in scene.cues:
        inside = np.kron(cue.inside, np.ones((2, 2), bool))
        near, nearer = (np.asarray(ndimage.binary_dilation(inside, iterations=px)) for px in (3, 2))
        pixels[np.logical_and(near, np.logical_not(nearer))] = YELLOW
    return np.pad(pixels, ((2, 2), (2, 2), (0, 0)), constant_values=1.0)


if __name__ == "__main__":
    main()
