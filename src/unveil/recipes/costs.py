"""What a run will cost at most: the number of images that the network is given, before any of them is."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from unveil.attribution import Attribution, Occlusion, Rise, SmoothGrad
from unveil.attribution.base import GradientMethod
from unveil.attribution.smoothgrad import UntilStable
from unveil.classifiers import Classifier, TorchClassifier
from unveil.fills import Fill
from unveil.predictions import Output
from unveil.regions import Selector, SmoothedThreshold
from unveil.stopping import AnyOf, NotSignificant, Stop
from unveil.targets import Class, Margin, Predicted, Target, Top

if TYPE_CHECKING:
    from unveil.recipes.recipe import Recipe
    from unveil.recipes.trust_settings import TrustSettings

# Views of the trust cards for each region, besides placements and fills: the region alone, and its boundary.
_SINGLE_VIEWS, _BOUNDARY_VIEWS, _PLACEMENT_STATES = 4, 6, 2


@dataclass(frozen=True)
class RunCost:
    """Upper bounds of the work of one run, that is, for one image.

    Most runs cost less: they stop earlier, find fewer regions, and predict equal views once.

    Attributes:
        forward: The number of images that the network is given.
        backward: The number of gradients with respect to an image: one per image and target.
        cards: The number of images among `forward` that are for trust cards.
        unknown: The name of the attribution method if another library decides how many images it needs; those aren't
            counted. None if everything is counted.
    """

    forward: int
    backward: int
    cards: int
    unknown: str | None = None

    def __str__(self) -> str:
        """One line for users."""
        parts = [f"{self.cards:,} of them for trust cards"] if self.cards else []
        parts += [f"{self.backward:,} gradients"] if self.backward else []
        parts += [f"without those of {self.unknown}"] if self.unknown else []
        return f"up to {self.forward:,} images through the network per image" + (f" ({', '.join(parts)})" * bool(parts))

    def describe(self, images: int) -> str:
        """One line about runs of so many `images`: what one takes, and what all of them take if there are several.

        >>> RunCost(forward=1962, backward=0, cards=0).describe(20_000)
        'up to 1,962 images through the network per image, and 39,240,000 for all 20,000 images'
        """
        return str(self) if images == 1 else f"{self}, and {self.forward * images:,} for all {images:,} images"


def estimate_cost(recipe: "Recipe", classifier: Classifier) -> RunCost:
    """Compute the largest cost of a run with `recipe` and `classifier`, without using the network.

    >>> from unveil.classifiers import BlackBox, Preprocessing
    >>> from unveil.recipes import Recipe
    >>> from unveil.stopping import MaxRounds
    >>> from unveil.targets import Class
    >>> black_box = BlackBox(lambda x: x.mean((2, 3)), Preprocessing.square(8, (0.5,) * 3, (0.25,) * 3))
    >>> recipe = Recipe(attribution=Rise(masks=100), target=Class(0), stop=MaxRounds(2), trust=None)
    >>> estimate_cost(recipe, black_box).forward
    208
    """
    grid = tuple(classifier.preprocessing.crop)
    recipe = recipe.for_grid(grid)
    targets = _count_targets(recipe.target, classifier)
    tracks, per_round = (1, targets) if recipe.joint else (targets, 1)
    rounds = tracks * (recipe.stop.most_rounds or 0)
    regions = per_round * _count_regions(recipe.selector, grid)
    known = _count_images(recipe.attribution, grid)
    images, gradients = known or (0, 0)
    # Each region alone erased, all of them, and all that are kept; and the places that a stop compares with.
    boxes, blanks = _count_boxes(recipe)
    erasures = regions + 2 + regions * (_count_placements(recipe.stop) + boxes)
    # The image itself, and one of the mean color.
    forward = 2 + blanks + rounds * (images + erasures)
    backward = rounds * gradients * per_round
    cards = 0
    if recipe.trust is not None:
        settings = recipe.trust
        views = _SINGLE_VIEWS + _BOUNDARY_VIEWS + _PLACEMENT_STATES + settings.placements + _fill_views(settings.fills)
        randomized, randomized_gradients = _count_randomized(recipe, settings, classifier)
        players = min(settings.max_players, (recipe.stop.most_rounds or 0) * _count_regions(recipe.selector, grid))
        # A target that is predicted only after an erasure has a game of its own.
        games = min(len(classifier.labels), rounds * per_round) if isinstance(recipe.target, Predicted) else targets
        cards = rounds * regions * views + tracks * randomized + (games * 2**players if settings.max_players else 0)
        backward += tracks * randomized_gradients * per_round
    return RunCost(forward + cards, backward, cards, None if known else type(recipe.attribution).__name__)


def _count_targets(target: Target, classifier: Classifier) -> int:
    match target:
        case Class() | Margin():
            return 1
        case Top():
            return target.count
        case Predicted() if classifier.output is Output.SOFTMAX:
            return 1
        case _:
            return len(classifier.labels)


def _count_regions(selector: Selector, grid: tuple[int, ...]) -> int:
    """The largest number of regions of one map."""
    if not isinstance(selector, SmoothedThreshold):
        return prod(grid)
    if not selector.split:
        return 1
    most = int(1 / selector.min_area_share) if selector.min_area_share else prod(grid)
    return min(selector.max_regions, most, prod(grid))


def _count_images(attribution: Attribution, grid: tuple[int, ...]) -> tuple[int, int] | None:
    """Images of one map, and gradients per target; None where another library decides."""
    match attribution:
        case SmoothGrad():
            samples = attribution.samples
            count = samples.max_samples if isinstance(samples, UntilStable) else int(samples)
            return count, count
        case GradientMethod():
            return 1, 1
        case Rise():
            return attribution.masks, 0
        case Occlusion():
            return 1 + sum(1 for _ in attribution.windows(grid)), 0
        case _:
            return None


def _count_placements(stop: Stop) -> int:
    parts = stop.stops if isinstance(stop, AnyOf) else (stop,)
    return sum(part.placements + _PLACEMENT_STATES for part in parts if isinstance(part, NotSignificant))


def _count_boxes(recipe: "Recipe") -> tuple[int, int]:
    """Views of the label check: the boxes of one region, and those without anything and of a texture."""
    check = recipe.label_check
    if check is None:
        return 0, 0
    fills = len({recipe.fill, *check.fills})
    return len(check.margins) * fills, 2 * fills


def _fill_views(fills: tuple[Fill, ...]) -> int:
    # With the run's own fill: the state in which the region was found, with and without the region.
    return 2 * (1 + len(fills))


def _count_randomized(recipe: "Recipe", settings: "TrustSettings", classifier: Classifier) -> tuple[int, int]:
    """Images and gradients per target for a map of the randomized network."""
    method = settings.randomized_method(recipe.attribution)
    if method is None or not isinstance(classifier, TorchClassifier):
        return 0, 0
    return _count_images(method, tuple(classifier.preprocessing.crop)) or (0, 0)
