"""A classifier of volumes whose regions are known in closed form, and NIfTI files for it."""

from pathlib import Path

import nibabel
import numpy as np
import torch
from torch import Tensor, nn

from unveil.attribution import Gradient
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.fills import Constant
from unveil.recipes import Recipe
from unveil.regions import RelativeToMax, SmoothedThreshold
from unveil.stopping import MaxRounds, TargetLost
from unveil.targets import Class

SIDE, CUBE = 24, 5
GAIN, BIAS = 0.1, 3.0
STRONG, WEAK = (5, 10, 15), (15, 5, 0)  # where two cubes begin: d, h, w
BRIGHT = {STRONG: 0.9, WEAK: 0.6}
# Nothing of the map is smoothed away: a region is where the gradient is.
RECIPE = Recipe(
    name="cubes",
    target=Class("bright"),
    attribution=Gradient(),
    selector=SmoothedThreshold(size_px=1, passes=1, threshold=RelativeToMax(0.5), split=True),
    fill=Constant(0.0),
    stop=MaxRounds(4) | TargetLost(),
)


class StrongestCube(nn.Module):
    """logit = GAIN · max over all places of Σ pixels in a cube of CUBE − BIAS, against a constant 0.

    The gradient is GAIN in the cube where the sum is largest, and 0 elsewhere: everything but the strongest is hidden.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(1, 1, CUBE, CUBE, CUBE))

    def forward(self, x: Tensor) -> Tensor:
        best = nn.functional.conv3d(x, self.kernel).amax((1, 2, 3, 4))
        return torch.stack([GAIN * best - BIAS, 0 * best], 1)


def classifier() -> TorchClassifier:
    """Sees a grid of SIDE voxels a side, as it is."""
    whole = Preprocessing.whole((SIDE,) * 3, (0.0,), (1.0,))
    return TorchClassifier(StrongestCube(), whole, ["bright", "dark"], name="cubes")


def cube(start: tuple[int, ...], scale: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    """A cube of CUBE grid voxels a side, on the voxels of a source that has `scale` of them a grid voxel."""
    inside = np.zeros([SIDE * factor for factor in scale], bool)
    inside[tuple(slice(a * factor, (a + CUBE) * factor) for a, factor in zip(start, scale, strict=True))] = True
    return inside


def volume(scale: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    """Two bright cubes on black, float32 in [0, 1], d h w."""
    values = np.zeros([SIDE * factor for factor in scale], np.float32)
    for start, brightness in BRIGHT.items():
        values[cube(start, scale)] = brightness
    return values


def as_left_posterior_superior(values: np.ndarray) -> np.ndarray:
    """d h w with the head, the front and the right first, as a file whose axes go to left, back and head."""
    return values[::-1].transpose(2, 1, 0)


def nifti(path: Path, values: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Path:
    """A file with axes to left, back and head, of a volume d h w whose voxels have `spacing` mm d h w."""
    depth, height, width = spacing
    affine = np.diag([-width, -height, depth, 1.0])
    affine[:3, 3] = (40, 30, -20)
    nibabel.save(nibabel.Nifti1Image(as_left_posterior_superior(values), affine), path)
    return path
