"""The batches of a training: which images, what is erased from each, and by what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.fills import FillContext, erase
from unveil.training.examples import Examples
from unveil.training.searching import FoundRegions
from unveil.training.settings import Erasing, TrainingSettings


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's images and targets, on the CPU.

    Attributes:
        pixels: The images, with what is erased filled.
        targets: Their labels.
        erased: What was erased from each.
    """

    pixels: Float[Tensor, "b c *grid"]
    targets: Float[Tensor, "b k"]
    erased: Bool[np.ndarray, "b *grid"]


@dataclass(frozen=True, eq=False)
class BatchMaker:
    """Makes the batch of a step; the same step gives the same batch, whatever was done before.

    Attributes:
        examples: The images.
        settings: How many, and what is erased.
        mean: The mean color of the classifier's training data.
        found: What was found in the images of the numbers `searched`; None where nothing is erased.
        searched: Numbers of the images that were searched.
    """

    examples: Examples
    settings: TrainingSettings
    mean: Float[Tensor, "c"]
    found: FoundRegions | None = None
    searched: Sequence[int] = ()

    def make(self, step: int) -> Batch:
        """The batch of a `step`, counted from the start of the training.

        Images from which something is erased are of those that were searched; the others are of all images.
        """
        settings = self.settings
        rng = np.random.default_rng((settings.seed, 1, step))
        clean = rng.random(settings.batch_size) < settings.clean_share
        rows = self._rows(clean, rng)
        pixels = self.examples.batch(rows)
        erased = np.zeros((len(rows), *pixels.shape[2:]), dtype=bool)
        for place in np.flatnonzero(~clean):
            erased[place] = self._erased(int(rows[place]), rng)
        parts = [
            self._fill(image, gone, rng, f"{settings.seed}/{step}/{place}")
            for place, (image, gone) in enumerate(zip(pixels, erased, strict=True))
        ]
        return Batch(torch.stack(parts), torch.from_numpy(self.examples.targets[rows]), erased)

    def _rows(self, clean: Bool[np.ndarray, " b"], rng: np.random.Generator) -> np.ndarray:
        every = np.arange(len(self.examples))
        pool = np.asarray(self.searched) if len(self.searched) else every
        rows = np.empty(len(clean), dtype=int)
        for places, numbers in ((clean, every), (~clean, pool)):
            count = np.count_nonzero(places)
            rows[places] = rng.choice(numbers, count, replace=bool(len(numbers) < count))
        return rows

    def _erased(self, row: int, rng: np.random.Generator) -> Bool[np.ndarray, "*grid"]:
        """What is erased from an image: regions of its own, or of another one in a random place."""
        kind, found = self.settings.erase, self.found
        if kind is Erasing.MIX:
            kind = Erasing.FOUND if rng.random() < 0.5 else Erasing.RANDOM
        if found is None or not found.rounds.any():
            return np.zeros(self.examples.pixels.shape[2:], dtype=bool)
        if kind is Erasing.FOUND:
            place = int(np.flatnonzero(np.asarray(self.searched) == row)[0])
        else:
            place = int(rng.choice(np.flatnonzero(found.rounds)))
        count = int(found.rounds[place])
        if count == 0:
            return np.zeros(found.erased.shape[2:], dtype=bool)
        erased = found.erased[place, rng.integers(count)]
        return erased if kind is Erasing.FOUND else move_at_random(erased, rng)

    def _fill(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[np.ndarray, "*grid"], rng: np.random.Generator, name: str
    ) -> Float[Tensor, "c *grid"]:
        fill = self.settings.fills[rng.integers(len(self.settings.fills))]
        return erase(pixels, torch.from_numpy(erased), fill, FillContext(self.mean, name))


def move_at_random(erased: Bool[np.ndarray, "*grid"], rng: np.random.Generator) -> Bool[np.ndarray, "*grid"]:
    """The same pixels, mirrored, turned by a right angle where the grid is square, and shifted around the torus.

    Area and shape stay the same, except where a shape is cut by the edge of the grid.
    """
    moved = erased
    for axis in range(erased.ndim):
        if rng.random() < 0.5:
            moved = np.flip(moved, axis)
    if erased.shape[-1] == erased.shape[-2] and rng.random() < 0.5:
        moved = np.swapaxes(moved, -1, -2)
    shifts = [int(rng.integers(side)) for side in erased.shape]
    return np.roll(moved, shifts, tuple(range(erased.ndim)))
