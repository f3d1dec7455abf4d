"""Recipes: all settings of a run as one value, as Python and as TOML."""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomli_w

from unveil import attribution, fills, regions, saliency, stopping, targets, trust
from unveil.attribution import Attribution, GuidedBackprop, Rise, SmoothGrad
from unveil.codec import Codec
from unveil.errors import RecipeError
from unveil.fills import Blur, Fill, Mean, SoftEdge
from unveil.regions import RelativeToMax, Selector, SmoothedThreshold
from unveil.saliency import L2, Magnitude, PositiveSum, UnbiasedL2
from unveil.stopping import CoverageAbove, Explained, MaxRounds, NotPredicted, Stop, TargetLost
from unveil.targets import Predicted, Target
from unveil.trust import TrustSettings

RECIPE_CODEC = Codec(
    kind
    for room, names in (
        (
            attribution,
            (
                "Gradient",
                "Deconvnet",
                "GuidedBackprop",
                "SmoothGrad",
                "UntilStable",
                "PatternNet",
                "PatternAttribution",
                "Rise",
                "Occlusion",
                "Captum",
                "Zennit",
                "Cam",
                "CustomAttribution",
            ),
        ),
        (saliency, ("L2", "MaxAbs", "PositiveSum", "UnbiasedL2", "ShrunkL2")),
        (regions, ("SmoothedThreshold", "RelativeToMax", "Quantile", "Otsu")),
        (fills, ("Mean", "Constant", "Blur", "Noise", "Inpaint", "SoftEdge")),
        (
            stopping,
            (
                "AnyOf",
                "MaxRounds",
                "TargetLost",
                "NotPredicted",
                "ScoreBelow",
                "Explained",
                "CoverageAbove",
                "NotSignificant",
            ),
        ),
        (targets, ("Class", "Top", "Predicted", "Margin")),
        (trust, ("TrustSettings",)),
    )
    for kind in (getattr(room, name) for name in names)
)


@dataclass(frozen=True)
class Recipe:
    """All settings of a run.

    `joint`: with several targets, the regions of all of them are erased from one image (the paper's setting); else
    every target of the first round has a track of its own. `min_drop_share`: a region whose erasing alone takes less than
    this share of what the most effective of its round takes from its target is left for a later round. `trust`: how
    the regions' trust cards are made; None leaves them out, and is `trust = false` in a file. Compare
    `recipes.paper()` and `recipes.recommended()`.
    """

    name: str = "custom"
    target: Target = field(default_factory=Predicted)
    attribution: Attribution = field(default_factory=SmoothGrad)
    magnitude: Magnitude = field(default_factory=L2)
    selector: Selector = field(default_factory=SmoothedThreshold)
    fill: Fill = field(default_factory=Mean)
    stop: Stop = field(default_factory=MaxRounds)
    joint: bool = True
    min_drop_share: float = 0.0
    trust: TrustSettings | None = field(default_factory=TrustSettings)

    def __post_init__(self) -> None:
        if self.stop.most_rounds is None:
            raise RecipeError("a stop that ends for sure", repr(self.stop), "join it with a bound: MaxRounds(5) | …")
        if not 0 <= self.min_drop_share < 1:
            raise RecipeError("min_drop_share in [0, 1)", str(self.min_drop_share), "0 keeps every region")

    def with_target(self, target: Target) -> "Recipe":
        """The same recipe, asking about something else."""
        return replace(self, target=target)

    def as_dict(self) -> dict:
        """Nested tables of plain values; every part says its `kind`."""
        return RECIPE_CODEC.encode(self, top=True)

    @classmethod
    def from_dict(cls, tables: dict) -> "Recipe":
        """The recipe of nested tables. Raises `RecipeError` that names the table and the key."""
        return RECIPE_CODEC.decode(cls, tables, "recipe")

    def to_toml(self) -> str:
        """TOML text that `from_toml` reads back to an equal recipe."""
        return tomli_w.dumps(self.as_dict())

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """The recipe of a TOML text."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError("a recipe in TOML", str(error), "compare: unveil recipe show recommended") from error
        return cls.from_dict(tables)


def paper() -> Recipe:
    """The settings of Bordes et al. 2018: SmoothGrad of guided backprop, 11 x 11 boxes three times, 5 rounds, mean
    fill."""
    return Recipe(
        name="paper",
        attribution=SmoothGrad(GuidedBackprop(), samples=50, noise=0.15),
        magnitude=L2(),
        selector=SmoothedThreshold(size_px=11, passes=3, threshold=RelativeToMax(0.3)),
        fill=Mean(),
        stop=MaxRounds(5),
    )


def recommended() -> Recipe:
    """What we would use: plain gradients (any model, and they pass randomization tests), the noise floor taken off,
    every component a region of its own, a soft fill blurred so widely that little of an erased color is left, a border
    band against rims, nothing for a class that isn't predicted, no region that takes next to nothing beside another of
    its round, and a stop once the target is lost or its score explained. The settings that scenes can decide were
    searched on planted ones (docs/benchmark.md).
    """
    return Recipe(
        name="recommended",
        attribution=SmoothGrad(samples=32, noise=0.05),
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
        min_drop_share=0.1,
    )


def _stop(predicted: float) -> Stop:
    """When the recommended recipes end."""
    return MaxRounds(5) | NotPredicted(predicted) | TargetLost(0.01) | Explained(0.85) | CoverageAbove(0.6)


def demo() -> Recipe:
    """`recommended`, scaled down to planted scenes: 128 px wide, with signs of 14 to 26 px.

    The networks of these scenes give at least a half to labels that are there, and up to a fifth to some that aren't.
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
    )


def black_box() -> Recipe:
    """For classifiers without gradients (ONNX files, functions): RISE, what speaks for the target only, and the rest
    as in `recommended`.
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


NAMED = {"recommended": recommended, "paper": paper, "demo": demo, "black-box": black_box}


def get_recipe(recipe: Recipe | str | Path) -> Recipe:
    """A recipe from itself, from a name (`paper`, `recommended`), or from a TOML file."""
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in NAMED:
        return NAMED[str(recipe)]()
    path = Path(recipe)
    if path.suffix != ".toml":
        raise RecipeError(
            f"a recipe {' or '.join(NAMED)}, or a .toml file", repr(str(recipe)), "see: unveil recipe list"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("a recipe file", f"{path}: {error}", "check the path") from error
    return Recipe.from_toml(text)
