"""Methods that the planted benchmark compares: recipes in rounds, and attributions that give a single map."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution import (
    Attribution,
    AttributionRequest,
    Cam,
    Captum,
    GuidedBackprop,
    Rise,
    SmoothGrad,
    Zennit,
)
from unveil.classifiers import Classifier
from unveil.evaluation.coalitions.base import CoalitionGame, CoalitionMethod
from unveil.evaluation.coalitions.named import coalition_methods
from unveil.evaluation.planted.scoring import Trial
from unveil.images import Image
from unveil.planted import Scene
from unveil.recipes import Recipe, get_recipe
from unveil.regions import Selector
from unveil.rounds import find_regions
from unveil.saliency import L2, Magnitude, PositiveSum
from unveil.targets import Class, TargetScore

# Single maps are smoothed like those of `demo`, twice by 5 x 5 boxes; parts below 0.2 % of the image are left out.
SMOOTH: Selector = get_recipe("demo").selector
MIN_AREA_PX = 33
REFERENCE = "recommended"  # the recipe whose areas single maps are cut at


@dataclass(frozen=True, eq=False)
class PlantedQuestion:
    """One question of the benchmark: a label of a scene, present or absent.

    Attributes:
        suite: The suite of the scene.
        scene: The scene.
        label: The label that is explained.
        strengths: The drop of the label's logit when each of its cues is left out; None for an absent label.
    """

    suite: str
    scene: Scene
    label: str
    strengths: tuple[float, ...] | None = None

    def trial(self, rounds: tuple, maps: tuple | None = None) -> Trial:
        """The regions and maps of a method for this question."""
        return Trial(self.scene, self.label, rounds, maps, self.strengths, self.suite)


class Method(ABC):
    """A way to find regions for a label."""

    name: str

    @property
    @abstractmethod
    def settings(self) -> dict:
        """Everything that the method's results depend on."""


@dataclass(frozen=True)
class RoundsMethod(Method):
    """A `recipe`, under a `name`, that explains one label in rounds until it stops."""

    name: str
    recipe: Recipe

    @property
    def settings(self) -> dict:
        """The recipe's tables."""
        return self.recipe.as_dict()

    def find(
        self, classifier: Classifier, question: PlantedQuestion, seed: int
    ) -> tuple[Trial, Float[np.ndarray, "h w"]]:
        """Regions by round, and the first round's map as the recipe smooths it."""
        recipe = self.recipe.with_target(Class(question.label))
        image = Image.from_array(question.scene.pixels)
        # Without trust cards: other methods have none, and `seconds` are compared.
        run = find_regions(image, classifier, recipe, trust=False, seed=seed, batch_size=8)
        if not run.rounds:
            return question.trial(()), np.zeros(question.scene.pixels.shape[1:])
        rounds = tuple(tuple(region.model_mask.to_array() for region in done.regions) for done in run.rounds)
        maps = tuple(done.maps[0].saliency for done in run.rounds)
        return question.trial(rounds, maps), recipe.selector.smooth(maps[0])


class MapMethod(Method):
    """A method that gives a single map, which is cut into regions afterwards."""

    @abstractmethod
    def saliency(
        self, classifier: Classifier, question: PlantedQuestion, seed: int, passes: int
    ) -> Float[np.ndarray, "h w"]:
        """The smoothed map of the label's logit. `passes` is what the reference needed for the same question, and means
        nothing to methods with a fixed number of passes."""


@dataclass(frozen=True)
class SingleMapMethod(MapMethod):
    """An `attribution`, under a `name`, with a `magnitude`: a single map, which is cut into regions afterwards."""

    name: str
    attribution: Attribution
    magnitude: Magnitude = field(default_factory=L2)

    @property
    def settings(self) -> dict:
        """Attribution and magnitude as a recipe's tables."""
        return Recipe(attribution=self.attribution, magnitude=self.magnitude).as_dict()

    def saliency(
        self, classifier: Classifier, question: PlantedQuestion, seed: int, passes: int
    ) -> Float[np.ndarray, "h w"]:
        """The smoothed map of the label's logit."""
        image = Image.from_array(question.scene.pixels)
        pixels = classifier.prepare(image).pixels
        (prediction,) = classifier.predict(pixels[None])
        (target_score,) = Class(question.label).resolve(prediction, prediction, classifier.labels)
        return SMOOTH.smooth(self.raw(classifier, pixels, target_score, f"{seed}/{image.sha256}/one map"))

    def raw(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], target_score: TargetScore, stream: str
    ) -> Float[np.ndarray, "h w"]:
        """The map of a target before smoothing; `stream` names the noise."""
        request = AttributionRequest(classifier, pixels, [target_score], stream, 8)
        (saliency,) = self.magnitude.saliency(self.attribution.attribute(request).all)
        # Some attributions are NaN everywhere if nothing contributes to the label.
        return np.nan_to_num(saliency.astype(np.float64))


@dataclass(frozen=True)
class CoalitionMapMethod(MapMethod):
    """The map of a coalition `method`, from as many passes as the reference needed for the same question."""

    method: CoalitionMethod

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The method's name."""
        return self.method.name

    @property
    def settings(self) -> dict:
        """The method's settings."""
        return self.method.settings

    def saliency(
        self, classifier: Classifier, question: PlantedQuestion, seed: int, passes: int
    ) -> Float[np.ndarray, "h w"]:
        """The smoothed map of the label's logit."""
        image = Image.from_array(question.scene.pixels)
        pixels, index = classifier.prepare(image).pixels, classifier.labels.index(question.label)
        game = CoalitionGame(classifier, pixels, [index], f"{seed}/{image.sha256}/one map")
        return SMOOTH.smooth(self.method.maps(game, passes)[0])


def get_rounds_method(name: str) -> RoundsMethod:
    """A recipe by its name or file; `recommended` is scaled to the size of the scenes, as `demo` is."""
    recipe = replace(get_recipe("demo"), name=REFERENCE) if name == REFERENCE else get_recipe(name)
    return RoundsMethod(Path(name).stem, recipe)


def single_map_methods(masks: int) -> Mapping[str, SingleMapMethod]:
    """Single maps by name, with the settings of their papers: SmoothGrad with 50 samples and 15 % noise, integrated
    gradients from black in 50 steps, RISE with `masks` masks."""
    methods = (
        SingleMapMethod("SmoothGrad", SmoothGrad(samples=50, noise=0.15)),
        SingleMapMethod("GuidedBackprop", GuidedBackprop()),
        SingleMapMethod("GradCAM", Cam("GradCAM", layer="features"), PositiveSum()),
        SingleMapMethod("IntegratedGradients", Captum("IntegratedGradients")),
        SingleMapMethod("LRP", Zennit("EpsilonPlusFlat"), PositiveSum()),
        SingleMapMethod("RISE", Rise(masks=masks), PositiveSum()),
    )
    return {method.name: method for method in methods}


def map_methods(masks: int) -> Mapping[str, MapMethod]:
    """All single maps by name: those of `single_map_methods`, and coalition methods at as many passes as rounds."""
    coalitions = {name: CoalitionMapMethod(method) for name, method in coalition_methods().items()}
    return {**single_map_methods(masks), **coalitions}


def measure_strengths(classifier: Classifier, scene: Scene, label: str) -> tuple[float, ...]:
    """The drop of a label's logit when each of its cues is left out of the scene, in the order of the cues."""
    cues = [cue for cue in scene.cues if cue.label == label]
    scenes = [scene, *(scene.without([cue.index]) for cue in cues)]
    pixels = torch.from_numpy(np.stack([drawn.pixels for drawn in scenes])).to(classifier.device)
    index = classifier.labels.index(label)
    complete, *without = (float(prediction.logits[index]) for prediction in classifier.predict(pixels, 8))
    return tuple(complete - logit for logit in without)
