"""Scenes of all suites, drawn once for all of the benchmark's networks, and the training batches made of them."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from unveil.atomic import written_atomically
from unveil.planted.networks.architectures import CELL_PX
from unveil.planted.scenes.scene import SIZE, Scene, draw_scene
from unveil.planted.scenes.signs import BENCHMARK
from unveil.planted.scenes.suites import SUITES
from unveil.planted.training.pool import (
    CUES_KEPT,
    draw_gone,
    draw_in_processes,
    erase_cues,
    rotate_quarter,
    vary_brightness,
)

TRAINING_SEEDS = 2_000_000
UNKNOWN = 0.5
SHARE_OF_CELL = 0.12  # a cell of the evidence maps belongs to a cue that covers at least this share of its pixels


@dataclass(frozen=True, eq=False)
class SuitePool:
    """Scenes as bytes.

    Attributes:
        pixels: The images.
        cue: The number of the cue at each pixel, from 1 on; 0 without a cue.
        announces: Whether cue `number`, in column `number − 1`, is a sign of each label.
    """

    pixels: UInt8[np.ndarray, "scenes 3 h w"]
    cue: UInt8[np.ndarray, "scenes h w"]
    announces: Bool[np.ndarray, "scenes cues labels"]


@dataclass(frozen=True, eq=False)
class SuiteBatch:
    """A training batch.

    Attributes:
        pixels: The images, in [0, 1].
        labels: The labels that remain in them, 0 or 1.
        places: 1 in cells with a cue of the label, 0 in cells without, `UNKNOWN` in cells that a cue covers by less
            than `SHARE_OF_CELL`.
    """

    pixels: Float[Tensor, "n 3 h w"]
    labels: Float[Tensor, "n labels"]
    places: Float[Tensor, "n labels rows columns"]


def training_scene(number: int) -> Scene:
    """The training scene of a number; consecutive numbers take the suites in turn."""
    return draw_scene(TRAINING_SEEDS + number, list(SUITES.values())[number % len(SUITES)])


def open_pool(
    folder: Path, count: int, workers: int, on_progress: Callable[[int], None] = lambda done: None
) -> SuitePool:
    """The pool in a folder, mapped into memory; drawn first if it doesn't exist with this size."""
    names = [field.name for field in fields(SuitePool)]
    paths = [folder / f"{name}-{count}.npy" for name in names]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        drawn = SuitePool(*draw_in_processes(draw_chunk, range(count), workers, on_progress))
        for name, path in zip(names, paths, strict=True):
            with written_atomically(path, "scenes") as part:
                np.save(part, getattr(drawn, name))
    return SuitePool(*(np.lib.format.open_memmap(path, mode="r") for path in paths))


def draw_chunk(numbers: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arrays of a pool, for the scenes of these numbers."""
    pixels = np.zeros((len(numbers), 3, SIZE, SIZE), np.uint8)
    cue = np.zeros((len(numbers), SIZE, SIZE), np.uint8)
    announces = np.zeros((len(numbers), CUES_KEPT, len(BENCHMARK.labels)), bool)
    for row, number in enumerate(numbers):
        scene = training_scene(number)
        pixels[row] = np.round(scene.pixels * 255)
        order = {index: place for place, index in enumerate(dict.fromkeys(sign.index for sign in scene.cues))}
        for sign in scene.cues:
            cue[row][sign.inside] = order[sign.index] + 1
            announces[row, order[sign.index], BENCHMARK.labels.index(sign.label)] = True
    return pixels, cue, announces


def suite_batch(pool: SuitePool, rows: Int[np.ndarray, "n"], rng: np.random.Generator) -> SuiteBatch:
    """A batch of scenes, rotated and brightened, with parts erased in half of them, as for the demo's network."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    pixels = rotate_quarter(torch.from_numpy(pool.pixels[rows]), turns, flip).float() / 255
    cue = rotate_quarter(torch.from_numpy(pool.cue[rows]), turns, flip)
    gone = draw_gone(len(rows), rng)
    pixels = erase_cues(vary_brightness(pixels, rng), cue, gone, rng)
    left = torch.from_numpy(pool.announces[rows] & ~gone[..., None])
    return SuiteBatch(pixels, left.any(1).float(), locate_cues(cue, left))


def locate_cues(
    cue: UInt8[Tensor, "n h w"], left: Bool[Tensor, "n cues labels"]
) -> Float[Tensor, "n labels rows columns"]:
    """The places of the remaining cues, on the cells of the evidence maps."""
    nothing = torch.zeros((len(left), 1, left.shape[2]), dtype=torch.bool)
    table = torch.cat([nothing, left], 1).float()
    # Every other pixel suffices to estimate shares of a cell.
    number = cue[:, ::2, ::2].long().flatten(1)[..., None].expand(-1, -1, left.shape[2])
    here = torch.gather(table, 1, number).transpose(1, 2).unflatten(2, (cue.shape[1] // 2, cue.shape[2] // 2))
    share = functional.avg_pool2d(here, CELL_PX // 2)
    return torch.where(share >= SHARE_OF_CELL, 1.0, torch.where(share > 0, UNKNOWN, 0.0))
