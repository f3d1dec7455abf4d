"""All settings of a run as one value, and their form as tables and TOML."""

import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

from unveil import attribution, fills, regions, saliency, stopping, targets
from unveil.attribution import Attribution, SmoothGrad
from unveil.classifiers import Classifier
from unveil.codec import Codec, require_numbers, to_toml
from unveil.errors import RecipeError, first_line, require_between
from unveil.fills import Fill, Mean
from unveil.recipes.costs import RunCost, estimate_cost
from unveil.recipes.grid_scaling import scale_px
from unveil.recipes.label_check import LabelCheck
from unveil.recipes.trust_settings import TrustSettings
from unveil.regions import Selector, SmoothedThreshold
from unveil.saliency import L2, Magnitude
from unveil.stopping import MaxRounds, Stop
from unveil.targets import Predicted, Target, as_target

RECIPE_CODEC = Codec(
    [
        TrustSettings,
        LabelCheck,
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
                        "NothingShown",
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
        label_check: How regions are named by what their boxes alone show; None (`label_check = false` in a file) leaves
            regions without names and labels without verdicts.
        trust: Settings of the trust cards; None (`trust = false` in a file) leaves them out.
        min_grid_px: The shorter side of the smallest model grid that settings in px are meant for. On a smaller grid
            of an image, all of them are multiplied by side / `min_grid_px` (see `for_grid`). None: they are used as
            they are.

    Raises `RecipeError` for settings out of range. Compare `recipes.paper()` and `recipes.recommended()`.

    >>> from unveil.fills import Blur
    >>> from unveil.stopping import MaxRounds
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
    label_check: LabelCheck | None = None
    trust: TrustSettings | None = field(default_factory=TrustSettings)
    min_grid_px: int | None = None

    def __post_init__(self) -> None:
        require_numbers(self)
        if self.stop.most_rounds is None:
            raise RecipeError("a stop that always ends", repr(self.stop), "combine it with a limit: MaxRounds(5) | …")
        if not 0 <= self.min_drop_share < 1:
            raise RecipeError("min_drop_share in [0, 1)", str(self.min_drop_share), "0 keeps every region")
        if self.min_grid_px is not None:
            require_between("min_grid_px", self.min_grid_px, 1, 10_000, "112 is usual; false keeps settings in px")

    def for_grid(self, grid: tuple[int, ...]) -> "Recipe":
        """Return the recipe for this model `grid`: with smaller settings in px if the grid is below `min_grid_px`.

        The result has no `min_grid_px`: it is meant for this grid. For larger grids and
        for volumes, the recipe itself is returned.

        >>> from unveil.recipes import recommended
        >>> recommended().for_grid((28, 28)).selector.size_px, recommended().for_grid((224, 224)).selector.size_px
        (3, 11)
        """
        if self.min_grid_px is None or len(grid) != 2 or min(grid) >= self.min_grid_px:
            return self
        return scale_px(replace(self, min_grid_px=None), min(grid) / self.min_grid_px)

    def with_target(self, target: Any) -> "Recipe":
        """Return the same recipe with another `target`: a `Target`, or what `as_target` makes one of.

        Raises `TargetError` for anything else.
        """
        return replace(self, target=as_target(target))

    def cost(self, classifier: Classifier) -> RunCost:
        """Compute the largest number of images that `classifier` is given in a run of one image: see `RunCost`."""
        return estimate_cost(self, classifier)

    def as_dict(self) -> dict:
        """Encode as nested tables of plain values; each part names its class as `kind`."""
        return RECIPE_CODEC.encode(self, top=True)

    @classmethod
    def from_dict(cls, tables: dict) -> "Recipe":
        """Decode nested `tables`. Raises `RecipeError`, with the table and the key, for settings that can't be used."""
        try:
            return RECIPE_CODEC.decode(cls, tables, "recipe")
        except RecursionError as error:
            got = "tables in tables without end"
            raise RecipeError("a recipe in tables", got, "compare: unveil recipe show recommended") from error

    def to_toml(self) -> str:
        """Format as TOML that `from_toml` reads back to an equal recipe."""
        return to_toml(self.as_dict())

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """Parse a recipe in TOML. Raises `RecipeError` for invalid TOML and for settings that can't be used."""
        try:
            tables = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecipeError(
                "a recipe in TOML", first_line(error, None), "compare: unveil recipe show recommended"
            ) from error
        return cls.from_dict(tables)
