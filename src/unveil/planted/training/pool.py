"""Scenes drawn once and kept as bytes, and training batches made of them by rotating, brightening and erasing."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from unveil.planted.scenes.designs import LABELS
from unveil.planted.scenes.scene import SIZE, draw_scene

CUES_KEPT = 12  # more cues than the settings ever place in one scene
NO_LABEL = 255  # label of an unused cue number
CHUNK = 100


@dataclass(frozen=True, eq=False)
class Pool:
    """Scenes as bytes.

    Attributes:
        pixels: The images.
        cue: The number of the cue at each pixel, from 1 on; 0 without a cue.
        label_of: The index of the label of cue `number` in column `number − 1`.
    """

    pixels: UInt8[np.ndarray, "scenes 3 h w"]
    cue: UInt8[np.ndarray, "scenes h w"]
    label_of: UInt8[np.ndarray, "scenes cues"]


def draw_pool(first: int, count: int, workers: int, on_progress: Callable[[int], None] = lambda done: None) -> Pool:
    """Scenes of the seeds `first` … `first + count − 1`, drawn by several processes."""
    return Pool(*draw_in_processes(_draw_chunk, range(first, first + count), workers, on_progress))


def draw_in_processes(
    draw: Callable[[range], tuple[np.ndarray, ...]], numbers: range, workers: int, on_progress: Callable[[int], None]
) -> tuple[np.ndarray, ...]:
    """The arrays that `draw` makes of all numbers, one row per number, computed in several processes by `CHUNK`
    numbers.

    `on_progress` is called with numbers of rows. `draw` is passed to the processes by its name, so it has to be a
    function of a module.
    """
    chunks = [numbers[begin : begin + CHUNK] for begin in range(0, len(numbers), CHUNK)]
    parts = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        for part in processes.map(draw, chunks):
            parts.append(part)
            on_progress(len(part[0]))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _draw_chunk(seeds: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixels = np.zeros((len(seeds), 3, SIZE, SIZE), np.uint8)
    cue = np.zeros((len(seeds), SIZE, SIZE), np.uint8)
    label_of = np.full((len(seeds), CUES_KEPT), NO_LABEL, np.uint8)
    for row, seed in enumerate(seeds):
        scene = draw_scene(seed)
        pixels[row] = np.round(scene.pixels * 255)
        for number, sign in enumerate(scene.cues[:CUES_KEPT], start=1):
            cue[row][sign.inside] = number
            label_of[row, number - 1] = LABELS.index(sign.label)
    return pixels, cue, label_of


def batch(pool: Pool, rows: Int[np.ndarray, "n"], rng: np.random.Generator) -> tuple[Float[Tensor, "n 3 h w"], Tensor]:
    """Make a batch: pixels in [0, 1], rotated and brightened, with parts erased in half of them, and labels in {0, 1}.

    A cue is erased as a whole, and a label is removed with the last of its cues: so an erased place is never evidence,
    and every remaining cue is.
    """
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    pixels = rotate_quarter(torch.from_numpy(pool.pixels[rows]), turns, flip).float() / 255
    cue = rotate_quarter(torch.from_numpy(pool.cue[rows]), turns, flip)
    gone = draw_gone(len(rows), rng)
    pixels = vary_brightness(pixels, rng)
    pixels = erase_cues(pixels, cue, gone, rng)
    return pixels, _labels(pool.label_of[rows], gone)


def draw_gone(count: int, rng: np.random.Generator) -> Bool[np.ndarray, "count cues"]:
    """Which cues are erased: none in half of the scenes, in the others each with a random probability."""
    return rng.random((count, CUES_KEPT)) < np.where(rng.random((count, 1)) < 0.5, rng.random((count, 1)), 0)


def vary_brightness(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Up to 15 % more or less light, and 5 % of each channel."""
    light, hue = (len(pixels), 1, 1, 1), (len(pixels), 3, 1, 1)
    return (pixels * _uniform(rng, light, 0.85, 1.15) * _uniform(rng, hue, 0.95, 1.05)).clamp(0, 1)


def rotate_quarter(values: Tensor, turns: int, flip: bool) -> Tensor:
    """Rotate by quarter turns, then flip horizontally if `flip` is set."""
    values = torch.rot90(values, turns, (-2, -1))
    return values.flip(-1) if flip else values


def _labels(label_of: UInt8[np.ndarray, "n cues"], gone: np.ndarray) -> Tensor:
    remaining = (label_of[..., None] == np.arange(len(LABELS))) & ~gone[..., None]
    return torch.from_numpy(remaining.any(1).astype(np.float32))


def erase_cues(pixels: Tensor, cue: Tensor, gone: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Replace the erased cues, dilated, and a few random discs; the remaining cues aren't touched."""
    number = cue.long()
    is_gone = torch.from_numpy(np.concatenate([np.zeros((len(gone), 1), bool), gone], axis=1))
    inside = torch.gather(is_gone, 1, number.flatten(1)).view(number.shape)
    wide = int(rng.integers(1, 7))
    grown, stays = _widened(inside, wide), _widened((number > 0) & ~inside, 2)
    erased = (grown | _discs(len(gone), pixels.shape[-1], rng)) & ~stays
    weight = erased[:, None].float()
    if rng.random() < 0.5:  # a soft edge
        soft = 2 * int(rng.integers(1, 5)) + 1
        weight = functional.avg_pool2d(weight, soft, 1, soft // 2) * ~stays[:, None]
        weight = torch.maximum(weight, inside[:, None].float())
    return pixels + weight * (_filling(pixels, erased, rng) - pixels)


def _widened(inside: Tensor, by_px: int) -> Tensor:
    """Dilate by a square of 2·by_px + 1 pixels: rows first, then columns."""
    for axis in (-2, -1):
        grown, last = inside.clone(), inside.shape[axis]
        for step in range(1, by_px + 1):
            grown.narrow(axis, step, last - step).logical_or_(inside.narrow(axis, 0, last - step))
            grown.narrow(axis, 0, last - step).logical_or_(inside.narrow(axis, step, last - step))
        inside = grown
    return inside


def _discs(count: int, side: int, rng: np.random.Generator) -> Tensor:
    """Up to three discs of 4 to 14 px in every other image."""
    y, x = np.ogrid[:side, :side]
    erased = np.zeros((count, side, side), bool)
    for row in np.flatnonzero(rng.random(count) < 0.5):
        for _ in range(rng.integers(1, 4)):
            (top, left), radius = rng.uniform(0, side, 2), rng.uniform(4, 14)
            erased[row] |= (y - top) ** 2 + (x - left) ** 2 < radius**2
    return torch.from_numpy(erased)


def _filling(pixels: Tensor, erased: Tensor, rng: np.random.Generator) -> Tensor:
    """The image's mean, one color, a blur of what is kept, or noise."""
    kept = (~erased)[:, None].float()
    mean = (pixels * kept).sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True).clamp(min=1)
    match rng.integers(4):
        case 0:
            return mean.expand_as(pixels)
        case 1:
            return _uniform(rng, (len(pixels), 3, 1, 1), 0, 1).expand_as(pixels)
        case 2:
            cells = pixels.shape[-1] // int(rng.choice((8, 16)))
            sums, weights = (functional.adaptive_avg_pool2d(values, cells) for values in (pixels * kept, kept))
            coarse = (sums + 1e-3 * mean) / (weights + 1e-3)
            return functional.interpolate(coarse, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
        case _:
            noise = torch.from_numpy(rng.standard_normal(pixels.shape, np.float32))
            return (mean + 0.15 * noise).clamp(0, 1)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))
