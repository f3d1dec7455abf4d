"""Methods that name labels in a mosaic, and recipes in rounds as such."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unveil.classifiers import Classifier
from unveil.evaluation.mosaics.pool import Mosaic
from unveil.evaluation.mosaics.scoring import MosaicScore, NamedRegion
from unveil.images import Image
from unveil.recipes import Recipe, get_recipe
from unveil.records import Run
from unveil.rounds import find_regions


class NamingMethod(ABC):
    """A way to name labels in an image, with a region for each."""

    needs_reference: ClassVar[bool] = False

    @property
    @abstractmethod
    def title(self) -> str:
        """The name in results."""

    @property
    @abstractmethod
    def settings(self) -> dict:
        """Everything that the results depend on besides the classifier and the image."""

    @abstractmethod
    def find(
        self, classifier: Classifier, mosaic: Mosaic, seed: int, reference: MosaicScore | None
    ) -> Sequence[NamedRegion]:
        """The labels that are named, with their regions; `reference` is the reference's score on the same mosaic."""


@dataclass(frozen=True)
class RecipeNaming(NamingMethod):
    """A `recipe`, under a `name`, that names a label for each region."""

    name: str
    recipe: Recipe

    @property
    def title(self) -> str:
        """The recipe's name or the name of its file."""
        return self.name

    @property
    def settings(self) -> dict:
        """The recipe's tables."""
        return self.recipe.as_dict()

    def find(
        self, classifier: Classifier, mosaic: Mosaic, seed: int, reference: MosaicScore | None
    ) -> Sequence[NamedRegion]:
        """The regions of a run with the recipe's own target."""
        return named_regions(find_regions(image_of(mosaic), classifier, self.recipe, seed=seed))


def named_regions(run: Run) -> tuple[NamedRegion, ...]:
    """The labels that a run names: those that its regions belong to, each with the verdict of the region's trust card.

    Regions of targets that aren't one class, such as margins, name no label.
    """
    cards = [None] * len(run.regions) if run.trust is None else run.trust.cards
    rounds = [done.index for done in run.rounds for _ in done.regions]
    return tuple(
        NamedRegion(index, region.model_mask, number, None if card is None else card.verdict)
        for region, number, card in zip(run.regions, rounds, cards, strict=True)
        if (index := region.label_index) is not None
    )


def get_naming_recipe(name: str) -> RecipeNaming:
    """A recipe by its name or file. Raises `RecipeError` for another name."""
    return RecipeNaming(Path(name).stem, get_recipe(name))


def image_of(mosaic: Mosaic) -> Image:
    """The image of a mosaic, as recipes take it."""
    return mosaic.canvas.as_image(mosaic.canvas.draw(mosaic.pieces), f"{mosaic.kind.value} {mosaic.number}")
