"""The recipes with a name, and recipes from files."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.attribution import GuidedBackprop, Rise, SmoothGrad, Zennit
from unveil.errors import RecipeError
from unveil.fills import Blur, Mean, SoftEdge
from unveil.recipes.label_check import LabelCheck
from unveil.recipes.recipe import Recipe
from unveil.regions import Quantile, RelativeToMax, SmoothedThreshold
from unveil.saliency import L2, PositiveSum, UnbiasedL2
from unveil.stopping import CoverageAbove, Explained, MaxRounds, NothingShown, NotPredicted, Stop, TargetLost

# Boxes, bands and blurs of the recipes suit grids of about 224 px and work down to half of that.
MIN_GRID_PX = 112
MAX_FILE_BYTES = 1_000_000


def paper() -> Recipe:
    """Return the settings of Bordes et al. 2018.

    SmoothGrad of guided backprop, box means over 11 x 11 px three times, 5 rounds, and the mean color as fill.
    """
    return Recipe(
        name="paper",
        attribution=SmoothGrad(GuidedBackprop(), samples=50, noise=0.15),
        magnitude=L2(),
        selector=SmoothedThreshold(size_px=11, passes=3, threshold=RelativeToMax(0.3)),
        fill=Mean(),
        stop=MaxRounds(5),
        min_grid_px=MIN_GRID_PX,
    )


def recommended() -> Recipe:
    """Return the default recipe, for any differentiable classifier.

    - Plain gradients, which pass randomization tests; the noise floor is subtracted.
    - Each connected component is a region of its own; a band along erased areas can't start a region.
    - The fill is a wide blur with a soft edge, so that little of an erased color is left.
    - Classes that aren't predicted are not explained, and regions with a small drop beside others of their round are
      left out.
    - A run stops once the target is lost or its score is explained.

    The settings were chosen on planted scenes (docs/benchmark.md). On grids below 112 px, those in px shrink with the
    grid.
    """
    return Recipe(
        name="recommended",
        attribution=SmoothGrad(samples=8, noise=0.05),
        magnitude=UnbiasedL2(size_px=5),
        selector=SmoothedThreshold(
            size_px=11,
            passes=2,
            threshold=RelativeToMax(0.3),
            band_px=8,
            split=True,
            min_area_share=0.004,
            max_regions=4,
        ),
        fill=SoftEdge(Blur(sigma_px=24), width_px=8),
        stop=_stop(predicted=0.1),
        label_check=LabelCheck(),
        min_drop_share=0.1,
        min_grid_px=MIN_GRID_PX,
    )


def _stop(predicted: float) -> Stop:
    """The stop of the recommended recipes."""
    return (
        MaxRounds(10)
        | NotPredicted(predicted)
        | TargetLost(0.01)
        | Explained(0.85)
        | NothingShown(2, probability=0.1)
        | CoverageAbove(0.6)
    )


def demo() -> Recipe:
    """Return `recommended` scaled down to planted scenes, which are 128 px wide with signs of 14 to 26 px.

    The networks of these scenes assign a probability of at least 0.5 to labels that are present, and up to 0.2 to some
    that aren't.
    """
    return replace(
        recommended(),
        name="demo",
        attribution=SmoothGrad(samples=16, noise=0.05),
        selector=SmoothedThreshold(
            size_px=5,
            passes=2,
            threshold=RelativeToMax(0.15),
            band_px=3,
            split=True,
            min_area_share=0.004,
            max_regions=3,
        ),
        fill=SoftEdge(Blur(sigma_px=16), width_px=4),
        stop=_stop(predicted=0.2),
        label_check=LabelCheck(margins_px=(11, 4, 20)),
    )


def black_box() -> Recipe:
    """Return the recipe for classifiers without gradients (ONNX files, functions).

    It uses RISE and positive evidence only; all other settings are those of `recommended`.
    """
    return replace(
        recommended(),
        name="black-box",
        attribution=Rise(masks=1000),
        magnitude=PositiveSum(),
        selector=SmoothedThreshold(
            size_px=11,
            passes=1,
            threshold=RelativeToMax(0.6),
            band_px=8,
            split=True,
            min_area_share=0.004,
            max_regions=4,
        ),
    )


def lrp() -> Recipe:
    """Return the recipe that erases little: layer-wise relevance propagation in rounds (zennit, for CNNs with ReLU).

    Each round erases the 2.5 % of the pixels with the largest relevance, computed anew, until the class is lost. It
    needs less area for that than any single map, and separates evidence less into regions of one part each than
    `recommended` (docs/photographs.md). Relevance is deterministic, so regions have no stability.
    """
    return replace(
        recommended(),
        name="lrp",
        attribution=Zennit("EpsilonPlusFlat"),
        magnitude=PositiveSum(),
        selector=SmoothedThreshold(
            size_px=11, passes=2, threshold=Quantile(0.975), split=True, min_area_share=0.001, max_regions=4
        ),
        fill=Mean(),
        stop=MaxRounds(16) | NotPredicted(0.1) | TargetLost(0.01) | CoverageAbove(0.6),
        label_check=None,
        min_drop_share=0.0,
    )


NAMED = {"recommended": recommended, "paper": paper, "demo": demo, "lrp": lrp, "black-box": black_box}


def get_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Return a recipe by its name (`paper`, `recommended`) or TOML file; a `recipe` itself is returned unchanged.

    Raises `RecipeError` for an unknown name, and for a file that can't be read.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in NAMED:
        return NAMED[str(recipe)]()
    path = Path(recipe)
    if path.suffix != ".toml":
        near = difflib.get_close_matches(str(recipe).lower(), NAMED, n=1, cutoff=0.6)
        do = f"did you mean {near[0]}?" if near else "see: unveil recipe list"
        raise RecipeError(f"a recipe {', '.join(NAMED)}, or a .toml file", repr(str(recipe)), do)
    try:
        if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
            got = f"{path} with {path.stat().st_size} bytes"
            raise RecipeError(f"a recipe file of at most {MAX_FILE_BYTES} bytes", got, "check the path")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RecipeError("a recipe file", f"{path}: {error}", "check the path") from error
    return Recipe.from_toml(text)


def choose_recipe(recipe: Recipe | str | Path, target: Any = None, *, trust: bool = True) -> Recipe:
    """Return the `recipe` of `get_recipe`, with this `target` unless it is None, without trust cards if not `trust`."""
    chosen = get_recipe(recipe)
    if target is not None:
        chosen = chosen.with_target(target)
    return chosen if trust else replace(chosen, trust=None)
