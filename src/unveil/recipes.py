"""Recipes: all settings of a run as one value, as Python and as TOML."""

import difflib
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomli_w

from unveil import attribution, fills, regions, saliency, stopping, targets
from unveil.attribution import Attribution, GuidedBackprop, Rise, SmoothGrad
from unveil.codec import Codec
from unveil.errors import RecipeError
from unveil.fills import Blur, Fill, Mean, Noise, SoftEdge
from unveil.regions import RelativeToMax, Selector, SmoothedThreshold
from unveil.saliency import L2, Magnitude, PositiveSum, UnbiasedL2
from unveil.stopping import MAX_PLACEMENTS, CoverageAbove, Explained, MaxRounds, NotPredicted, Stop, TargetLost
from unveil.targets import Predicted, Target

MAX_PLAYERS = 8  # 2^8 subsets
MAX_TRUST_SAMPLES = 10_000


@dataclass(frozen=True)
class TrustSettings:
    """Settings of the trust cards.

    Attributes:
        placements: The largest number of other places that a region is compared with, 1 to 10 000; no p-value is below
            1 / (1 + placements).
        fills: The fills with which the drop of each region is measured again.
        alpha: The largest q-value of a significant drop, between 0 and 1.
        max_players: The largest number of regions per target whose Shapley values are computed, 0 to 8; k regions cost
            2^k images.
        samples: The number of SmoothGrad samples for the maps of the randomized network; 0 leaves that test out.

    Raises `RecipeError` for settings out of range.
    """

    placements: int = 39
    fills: tuple[Fill, ...] = (Mean(), Blur(), Noise())
    alpha: float = 0.1
    max_players: int = 8
    samples: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.placements <= MAX_PLACEMENTS:
            raise RecipeError(f"1 to {MAX_PLACEMENTS} placements", str(self.placements), "39 is usual")
        if not 0 < self.alpha < 1:
            raise RecipeError("alpha between 0 and 1", str(self.alpha), "0.1 is usual")
        if not 0 <= self.max_players <= MAX_PLAYERS:
            raise RecipeError(
                f"max_players from 0 to {MAX_PLAYERS}", str(self.max_players), "k players cost 2^k images"
            )
        if not (self.samples == 0 or 2 <= self.samples <= MAX_TRUST_SAMPLES):
            expected = f"0 samples, or 2 to {MAX_TRUST_SAMPLES}"
            raise RecipeError(expected, str(self.samples), "0 leaves the randomization test out")


RECIPE_CODEC = Codec(
    [
        TrustSettings,
        *(
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
            )
            for kind in (getattr(room, name) for name in names)
        ),
    ]
)


@dataclass(frozen=True)
class Recipe:
    """All settings of a run.

    Attributes:
        name: The name in records and figures.
        target: What the run explains.
        attribution: The method that attributes the target's score to pixels.
        magnitude: How the attribution becomes a saliency map.
        selector: How regions are found in the map.
        fill: What replaces erased pixels.
        stop: When the run ends; it must contain a largest number of rounds.
        joint: With several targets, whether the regions of all targets are erased from one image (the paper's
            setting). Otherwise each target of the first round has a track of its own.
        min_drop_share: A region whose drop is below this share, in [0, 1), of the largest drop of its round and target
            isn't erased in this round; a later round may find it again.
        trust: Settings of the trust cards; None (`trust = false` in a file) leaves them out.

    Raises `RecipeError` for settings out of range. Compare `recipes.paper()` and `recipes.recommended()`.

    >>> recipe = Recipe(stop=MaxRounds(3), fill=Blur(sigma_px=8.0))
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
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
            raise RecipeError("a stop that always ends", repr(self.stop), "combine it with a limit: MaxRounds(5) | …")
        if not 0 <= self.min_drop_share < 1:
            raise RecipeError("min_drop_share in [0, 1)", str(self.min_drop_share), "0 keeps every region")

    def with_target(self, target: Target) -> "Recipe":
        """Return the same recipe with another `target`."""
        return replace(self, target=target)

    def as_dict(self) -> dict:
        """Encode as nested tables of plain values; each part names its class as `kind`."""
        return RECIPE_CODEC.encode(self, top=True)

    @classmethod
    def from_dict(cls, tables: dict) -> "Recipe":
        """Decode nested `tables`. Raises `RecipeError`, with the table and the key, for settings that can't be used."""
        return RECIPE_CODEC.decode(cls, tables, "recipe")

    def to_toml(self) -> str:
        """Format as TOML that `from_toml` reads back to an equal recipe."""
        return tomli_w.dumps(self.as_dict())

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """Parse a recipe in TOML. Raises `RecipeError` for invalid TOML and for settings that can't be used."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError("a recipe in TOML", str(error), "compare: unveil recipe show recommended") from error
        return cls.from_dict(tables)


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
    )


def recommended() -> Recipe:
    """Return the default recipe, for any differentiable classifier.

    - Plain gradients, which pass randomization tests; the noise floor is subtracted.
    - Each connected component is a region of its own; a band along erased areas can't start a region.
    - The fill is a wide blur with a soft edge, so that little of an erased color is left.
    - Classes that aren't predicted are not explained, and regions with a small drop beside others of their round are
      left out.
    - A run stops once the target is lost or its score is explained.

    The settings were chosen on planted scenes (docs/benchmark.md).
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
    """The stop of the recommended recipes."""
    return MaxRounds(5) | NotPredicted(predicted) | TargetLost(0.01) | Explained(0.85) | CoverageAbove(0.6)


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


NAMED = {"recommended": recommended, "paper": paper, "demo": demo, "black-box": black_box}


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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("a recipe file", f"{path}: {error}", "check the path") from error
    return Recipe.from_toml(text)


def choose_recipe(recipe: Recipe | str | Path, target: Target | None = None, *, trust: bool = True) -> Recipe:
    """Return the `recipe` of `get_recipe`, with this `target` unless it is None, without trust cards if not `trust`."""
    chosen = get_recipe(recipe)
    if target is not None:
        chosen = chosen.with_target(target)
    return chosen if trust else replace(chosen, trust=None)
