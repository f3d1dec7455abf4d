"""Methods that the planted benchmark compares, as values: recipes in rounds, and attributions that give one map."""

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
from unveil.evaluation.planted.scoring import Trial
from unveil.images import Image
from unveil.planted import Scene
from unveil.recipes import Recipe, get_recipe
from unveil.regions import Selector
from unveil.rounds import find_regions
from unveil.saliency import L2, Magnitude, PositiveSum
from unveil.targets import Class, TargetScore

# All single maps are smoothed as those of `demo`, by 5 x 5 boxes twice; parts below 0.2 % of the image are left out.
SMOOTH: Selector = get_recipe("demo").selector
LEAST_PX = 33
OURS = "recommended"


@dataclass(frozen=True, eq=False)
class PlantedQuestion:
    """One question of the benchmark: a label of a scene, whether it is there or not, and how much each cue counts."""

    suite: str
    scene: Scene
    label: str
    strengths: tuple[float, ...] | None = None

    def trial(self, rounds: tuple, maps: tuple | None = None) -> Trial:
        """The answer to it, ready to be counted."""
        return Trial(self.scene, self.label, rounds, maps, self.strengths, self.suite)


class Method(ABC):
    """A way to find regions for a label."""

    name: str

    @property
    @abstractmethod
    def settings(self) -> dict:
        """Everything that its results depend on."""


@dataclass(frozen=True)
class InRounds(Method):
    """A recipe, asking about one label, as long as it wants."""

    name: str
    recipe: Recipe

    @property
    def settings(self) -> dict:
        """The recipe's tables."""
        return self.recipe.as_dict()

    def find(self, classifier: Classifier, asked: PlantedQuestion, seed: int) -> tuple[Trial, Float[np.ndarray, "h w"]]:
        """Regions by round; and the first round's map as the recipe sees it."""
        recipe = self.recipe.with_target(Class(asked.label))
        image = Image.from_array(asked.scene.pixels)
        # Without cards: no other method is asked whether to believe it, and `seconds` are compared.
        run = find_regions(image, classifier, recipe, trust=False, seed=seed, batch_size=8)
        if not run.rounds:
            return asked.trial(()), np.zeros(asked.scene.pixels.shape[1:])
        rounds = tuple(tuple(region.model_mask.to_array() for region in one.regions) for one in run.rounds)
        maps = tuple(one.maps[0].saliency for one in run.rounds)
        return asked.trial(rounds, maps), recipe.selector.smooth(maps[0])


@dataclass(frozen=True)
class OneMap(Method):
    """An attribution that gives one map, cut into regions afterwards."""

    name: str
    attribution: Attribution
    magnitude: Magnitude = field(default_factory=L2)

    @property
    def settings(self) -> dict:
        """The two as a recipe's tables."""
        return Recipe(attribution=self.attribution, magnitude=self.magnitude).as_dict()

    def saliency(self, classifier: Classifier, asked: PlantedQuestion, seed: int) -> Float[np.ndarray, "h w"]:
        """The smoothed map of the label's logit."""
        image = Image.from_array(asked.scene.pixels)
        pixels = classifier.prepare(image).pixels
        (prediction,) = classifier.predict(pixels[None])
        (target_score,) = Class(asked.label).resolve(prediction, prediction, classifier.labels)
        return SMOOTH.smooth(self.raw(classifier, pixels, target_score, f"{seed}/{image.sha256}/one map"))

    def raw(
        self, classifier: Classifier, pixels: Float[Tensor, "c h w"], target_score: TargetScore, key: str
    ) -> Float[np.ndarray, "h w"]:
        """The map of a target, not smoothed; `key` names the noise."""
        question = AttributionRequest(classifier, pixels, [target_score], key, 8)
        (found,) = self.magnitude.saliency(self.attribution.attribute(question).all)
        # An attribution may be NaN where nothing speaks for the label at all.
        return np.nan_to_num(found.astype(np.float64))


def in_rounds(name: str) -> InRounds:
    """A recipe by its name or file; `recommended` is scaled to the scenes, as `demo` is."""
    recipe = replace(get_recipe("demo"), name=OURS) if name == OURS else get_recipe(name)
    return InRounds(Path(name).stem, recipe)


def one_maps(masks: int) -> Mapping[str, OneMap]:
    """Single maps by name, with the settings of their papers: SmoothGrad with 50 samples at 15 %, integrated gradients
    from black in 50 steps, RISE with so many masks."""
    found = (
        OneMap("SmoothGrad", SmoothGrad(samples=50, noise=0.15)),
        OneMap("GuidedBackprop", GuidedBackprop()),
        OneMap("GradCAM", Cam("GradCAM", layer="features"), PositiveSum()),
        OneMap("IntegratedGradients", Captum("IntegratedGradients")),
        OneMap("LRP", Zennit("EpsilonPlusFlat"), PositiveSum()),
        OneMap("RISE", Rise(masks=masks), PositiveSum()),
    )
    return {one.name: one for one in found}


def strengths(classifier: Classifier, scene: Scene, label: str) -> tuple[float, ...]:
    """What a label's logit loses when each of its cues is left out of the scene."""
    cues = [cue for cue in scene.cues if cue.label == label]
    drawn = [scene, *(scene.without([cue.index]) for cue in cues)]
    answers = classifier.predict(torch.from_numpy(np.stack([one.pixels for one in drawn])).to(classifier.device), 8)
    whole, *less = (float(one.logits[classifier.labels.index(label)]) for one in answers)
    return tuple(whole - one for one in less)
