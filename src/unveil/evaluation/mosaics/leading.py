"""Rivals: the leading labels of the first prediction, with one map each."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from unveil.attribution import AttributionRequest, Cam
from unveil.classifiers import Classifier
from unveil.evaluation.coalitions.base import CoalitionGame, CoalitionMethod
from unveil.evaluation.coalitions.named import coalition_methods
from unveil.evaluation.mosaics.hierarchical import LEAST_SHARE, hierarchical_shapley
from unveil.evaluation.mosaics.methods import NamingMethod, image_of
from unveil.evaluation.mosaics.pool import Mosaic
from unveil.evaluation.mosaics.scoring import MosaicScore, NamedRegion
from unveil.evaluation.planted.methods import REFERENCE, SingleMapMethod, single_map_methods
from unveil.masks import Mask
from unveil.recipes import Recipe, get_recipe
from unveil.targets import class_score

SINGLE_MAPS, H_SHAP = ("SmoothGrad", "GradCAM", "LRP", "IntegratedGradients"), "h-shap"
BATCH = 8


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
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str, passes: int
    ) -> Float[np.ndarray, "labels h w"]:
        """One map per label, before smoothing. `stream` names the noise; `passes` is what the reference needed for the
        same mosaic, and means nothing to methods with a fixed number of passes."""

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
        image = image_of(mosaic)
        pixels = classifier.prepare(image).pixels
        (prediction,) = classifier.predict(pixels[None])
        leading = prediction.leading(len(reference.areas_px))
        # Some attributions are NaN everywhere if nothing contributes to the label.
        stream = f"{seed}/{image.sha256}/leading labels"
        maps = np.nan_to_num(self.maps(classifier, pixels, leading, stream, reference.passes))
        smooth = get_recipe(REFERENCE).for_grid(mosaic.canvas.grid).selector.smooth
        masks = [_strongest(smooth(saliency), reference.mean_area_px) for saliency in maps]
        return [NamedRegion(index, mask) for index, mask in zip(leading, masks, strict=True)]


@dataclass(frozen=True)
class LabelsOfMethod(LeadingLabels):
    """The leading labels, with maps of a method that has a name and settings of its own.

    Attributes:
        method: The maps.
    """

    method: SingleMapMethod | CoalitionMethod

    @property
    def title(self) -> str:
        """The name of the maps."""
        return self.method.name

    @property
    def map_settings(self) -> dict:
        """The method's settings."""
        return self.method.settings


@dataclass(frozen=True)
class AttributedLabels(LabelsOfMethod):
    """The leading labels, with the map of an attribution each.

    Attributes:
        method: The maps.
    """

    method: SingleMapMethod

    def maps(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str, passes: int
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
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str, passes: int
    ) -> Float[np.ndarray, "labels h w"]:
        """The Shapley values of the cells that count."""
        least_px = round(self.least_share * min(pixels.shape[1:]))
        return hierarchical_shapley(classifier, pixels, labels, least_px)


@dataclass(frozen=True)
class CoalitionLabels(LabelsOfMethod):
    """The leading labels, with the map of a coalition method each, from as many passes as the reference needed.

    Attributes:
        method: The maps.
    """

    method: CoalitionMethod

    def maps(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], labels: Sequence[int], stream: str, passes: int
    ) -> Float[np.ndarray, "labels h w"]:
        """The values of the pixels for all labels, from the same passes."""
        return self.method.maps(CoalitionGame(classifier, pixels, labels, stream), passes)


def naming_methods() -> Mapping[str, LeadingLabels]:
    """The rivals by name, with the settings of their papers; Grad-CAM takes the last stage of convolutions."""
    methods = single_map_methods(masks=2)
    methods = {**methods, "GradCAM": replace(methods["GradCAM"], attribution=Cam("GradCAM"))}
    coalitions = {name: CoalitionLabels(method) for name, method in coalition_methods().items()}
    single_maps = {name: AttributedLabels(methods[name]) for name in SINGLE_MAPS}
    return {**single_maps, H_SHAP: HierarchicalLabels(), **coalitions}


def _strongest(saliency: np.ndarray, area_px: int) -> Mask:
    """The `area_px` pixels with the largest positive values; among equal ones the first in scan order."""
    inside = np.zeros(saliency.size, bool)
    inside[np.argsort(-saliency.ravel(), kind="stable")[:area_px]] = True
    return Mask.from_array(inside.reshape(saliency.shape) & (saliency > 0))
