"""Methods that name labels in a mosaic: recipes in rounds, and the leading labels of the first prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from unveil.attribution import AttributionRequest, Cam
from unveil.classifiers import Classifier
from unveil.evaluation.mosaics.hierarchical import LEAST_SHARE, hierarchical_shapley
from unveil.evaluation.mosaics.pool import Mosaic
from unveil.evaluation.mosaics.scoring import MosaicScore, NamedRegion
from unveil.evaluation.planted.methods import REFERENCE, SingleMapMethod, single_map_methods
from unveil.images import Image
from unveil.masks import Mask
from unveil.recipes import Recipe, get_recipe
from unveil.records import Run
from unveil.rounds import find_regions
from unveil.targets import class_score

SINGLE_MAPS, H_SHAP = ("SmoothGrad", "GradCAM", "LRP", "IntegratedGradients"), "h-shap"
BATCH = 8


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
        return named_regions(find_regions(_image(mosaic), classifier, self.recipe, seed=seed))


class LeadingLabels(NamingMethod):
    """The leading labels of the first prediction, with one map each.

    It names as many labels as the reference named in the same mosaic and didn't mark as artifacts. Each map is smoothed
    as `recommended` does and cut at the mean area of the reference's regions per label.
    """

    needs_reference: ClassVar[bool] = True

    @property
    @abstractmethod
    def map_settings(self) -> dict:
        """Everything that the maps depend on."""

    @abstractmethod
    def maps(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str
    ) -> Float[np.ndarray, "labels h w"]:
        """One map per label, before smoothing; `stream` names the noise."""

    @property
    def settings(self) -> dict:
        """The tables of the maps, and of the smoothing."""
        smoothing = Recipe(selector=get_recipe(REFERENCE).selector).as_dict()["selector"]
        return {**self.map_settings, "smoothing": smoothing}

    def find(
        self, classifier: Classifier, mosaic: Mosaic, seed: int, reference: MosaicScore | None
    ) -> Sequence[NamedRegion]:
        """One region per label."""
        if reference is None or not reference.areas_px:
            return ()
        image = _image(mosaic)
        pixels = classifier.prepare(image).pixels
        (prediction,) = classifier.predict(pixels[None])
        leading = prediction.leading(len(reference.areas_px))
        # Some attributions are NaN everywhere if nothing contributes to the label.
        maps = np.nan_to_num(self.maps(classifier, pixels, leading, f"{seed}/{image.sha256}/leading labels"))
        smooth = get_recipe(REFERENCE).for_grid(mosaic.canvas.grid).selector.smooth
        masks = [_strongest(smooth(saliency), reference.mean_area_px) for saliency in maps]
        return [NamedRegion(index, mask) for index, mask in zip(leading, masks, strict=True)]


@dataclass(frozen=True)
class AttributedLabels(LeadingLabels):
    """The leading labels, with the map of an attribution each.

    Attributes:
        method: The maps.
    """

    method: SingleMapMethod

    @property
    def title(self) -> str:
        """The name of the maps."""
        return self.method.name

    @property
    def map_settings(self) -> dict:
        """The tables of attribution and magnitude."""
        return self.method.settings

    def maps(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str
    ) -> Float[np.ndarray, "labels h w"]:
        """The attributions of the labels' logits."""
        scores = [class_score(index, classifier.labels) for index in labels]
        attribution = self.method.attribution.attribute(AttributionRequest(classifier, pixels, scores, stream, BATCH))
        return self.method.magnitude.saliency(attribution.all).astype(np.float64)


@dataclass(frozen=True)
class HierarchicalLabels(LeadingLabels):
    """The leading labels, with the map of h-Shap each.

    Attributes:
        least_share: The side below which cells aren't split, as a share of the grid's shorter side.
    """

    least_share: float = LEAST_SHARE

    @property
    def title(self) -> str:
        """The method's name."""
        return H_SHAP

    @property
    def map_settings(self) -> dict:
        """The least size."""
        return {"kind": H_SHAP, "least_share": self.least_share}

    def maps(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str
    ) -> Float[np.ndarray, "labels h w"]:
        """The Shapley values of the cells that count."""
        least_px = round(self.least_share * min(pixels.shape[1:]))
        return hierarchical_shapley(classifier, pixels, labels, least_px)


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


def naming_methods() -> Mapping[str, LeadingLabels]:
    """The rivals by name, with the settings of their papers; Grad-CAM takes the last stage of convolutions."""
    methods = single_map_methods(masks=2)
    methods = {**methods, "GradCAM": replace(methods["GradCAM"], attribution=Cam("GradCAM"))}
    return {**{name: AttributedLabels(methods[name]) for name in SINGLE_MAPS}, H_SHAP: HierarchicalLabels()}


def get_naming_recipe(name: str) -> RecipeNaming:
    """A recipe by its name or file. Raises `RecipeError` for another name."""
    return RecipeNaming(Path(name).stem, get_recipe(name))


def _image(mosaic: Mosaic) -> Image:
    return mosaic.canvas.as_image(mosaic.canvas.draw(mosaic.pieces), f"{mosaic.kind.value} {mosaic.number}")


def _strongest(saliency: np.ndarray, area_px: int) -> Mask:
    """The `area_px` pixels with the largest positive values; among equal ones the first in scan order."""
    inside = np.zeros(saliency.size, bool)
    inside[np.argsort(-saliency.ravel(), kind="stable")[:area_px]] = True
    return Mask.from_array(inside.reshape(saliency.shape) & (saliency > 0))
