"""Settings in px on small grids: they shrink with the grid, and regions have the size of what the network detects."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from torch import nn

import unveil
from unveil.attribution import Occlusion
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.errors import RecipeError
from unveil.fills import Blur, Inpaint, SoftEdge
from unveil.recipes import NAMED, Recipe, recommended
from unveil.recipes.grid_scaling import scale_px
from unveil.regions import SmoothedThreshold
from unveil.runs import RunStatus
from unveil.saliency import UnbiasedL2
from unveil.targets import Class

CHECKS = np.indices((5, 5)).sum(axis=0) % 2 == 0


def detector(side: int) -> TorchClassifier:
    """A network that finds a 5 x 5 pattern of checks anywhere: one convolution with the pattern as its weights.

    On the pattern the convolution gives Σ|w| · 2 (pixels are −2 or 2 after normalization), elsewhere less than a tenth.
    """
    convolution, last = nn.Conv2d(1, 1, 5), nn.Linear(1, 2)
    with torch.no_grad():
        convolution.weight[0, 0] = torch.from_numpy(np.where(CHECKS, 1.0, -1.0)) * 4 / 25
        convolution.bias.fill_(-0.5)
        last.weight[:] = torch.tensor([[4.0], [0.0]])
        last.bias[:] = torch.tensor([-2.0, 0.0])
    network = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), last)
    return TorchClassifier(network, Preprocessing.square(side, (0.5,), (0.25,)), ["checks", "none"])


def scene(side: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Faint noise with the pattern at one place, and where it is."""
    values = 0.45 + 0.1 * np.random.default_rng(side).random((side, side))
    place = np.s_[row : row + 5, column : column + 5]
    values[place] = CHECKS
    inside = np.zeros((side, side), bool)
    inside[place] = True
    return values, inside


@pytest.mark.parametrize(("side", "row", "column"), [(28, 4, 14), (28, 20, 20), (32, 12, 5)])
def test_the_first_region_on_a_small_grid_is_the_cue(side, row, column):
    values, inside = scene(side, row, column)
    box = detector(side)
    run = unveil.find_regions(values, box, target=Class("checks"), trust=False)
    region = run.regions[0].mask.to_array()
    assert (region & inside).sum() / (region | inside).sum() > 0.7
    assert region.sum() < 1.5 * inside.sum()
    unscaled = replace(recommended(), min_grid_px=None)
    large = unveil.find_regions(values, box, unscaled, target=Class("checks"), trust=False).regions[0].mask
    assert large.area_px > 5 * inside.sum(), "what settings for 224 px find"


@pytest.mark.parametrize("name", list(NAMED))
@pytest.mark.parametrize("grid", [(224, 224), (112, 300), (128, 128), (384, 384), (112, 112, 112), (16, 32, 32)])
def test_nothing_changes_on_grids_that_are_large_enough_and_for_volumes(name, grid):
    recipe = NAMED[name]()
    assert recipe.for_grid(grid) is recipe


def test_the_same_run_at_112_px_with_and_without_scaling():
    values, _ = scene(112, 50, 60)
    box = detector(112)
    runs = [
        unveil.find_regions(values, box, replace(recommended(), min_grid_px=least), target=Class("checks"), trust=False)
        for least in (112, None)
    ]
    assert runs[0].regions
    assert runs[0].rounds == runs[1].rounds


def test_each_setting_in_px_shrinks():
    recipe = recommended().for_grid((28, 40))
    selector, fill, full = recipe.selector, recipe.fill, recommended().selector
    assert isinstance(selector, SmoothedThreshold)
    assert isinstance(full, SmoothedThreshold)
    assert (selector.size_px, selector.band_px) == (3, 2)
    assert replace(selector, size_px=11, band_px=8) == full, "nothing else changes"
    assert fill == SoftEdge(Blur(sigma_px=6.0), width_px=2)
    assert recipe.magnitude == UnbiasedL2(size_px=1)
    assert recipe.trust is not None
    assert Blur(sigma_px=2.0) in recipe.trust.fills
    assert recipe.min_grid_px is None
    assert recipe.for_grid((28, 40)) is recipe, "scaled once"
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    other = replace(recommended(), attribution=Occlusion(16, 8), fill=Inpaint(5)).for_grid((28, 28))
    assert (other.attribution, other.fill) == (Occlusion(4, 2), Inpaint(1))


def test_settings_of_one_s_own_are_used_as_they_are():
    recipe = Recipe(selector=SmoothedThreshold(size_px=11), fill=Blur(24))
    assert recipe.for_grid((8, 8)) is recipe
    with pytest.raises(RecipeError, match="min_grid_px of at least 1"):
        replace(recipe, min_grid_px=0)


@given(st.integers(1, 99).map(lambda half: 2 * half + 1), st.integers(0, 50), st.floats(0.05, 1.0))
def test_scaled_settings_can_be_used_and_are_the_nearest(size, band, factor):
    scaled = scale_px(SmoothedThreshold(size_px=size, band_px=band), factor)
    assert scaled.size_px % 2 == 1
    assert abs(scaled.size_px - size * factor) <= 1 or scaled.size_px == 1
    assert abs(scaled.band_px - band * factor) <= 0.5 or scaled.band_px == 1
    assert (scaled.band_px == 0) == (band == 0)
    assert scale_px(scaled, 1.0) == scaled


def test_records_of_small_grids_are_kept(tmp_path):
    values, _ = scene(28, 4, 14)
    Pillow.fromarray((values * 255).astype(np.uint8)).save(tmp_path / "a.png")
    settings = {"out": tmp_path / "out", "figure": "none", "trust": False, "target": Class("checks")}
    (first,) = unveil.run_images([tmp_path / "a.png"], detector(28), **settings)
    (again,) = unveil.run_images([tmp_path / "a.png"], detector(28), **settings)
    assert (first.status, again.status) == (RunStatus.DONE, RunStatus.KEPT)
    assert first.run is not None
    assert first.run.recipe["selector"]["size_px"] == 3
