"""What metrics that change the image or the classifier ask: a map, and the score of many versions of one image."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unveil.attribution import Attribution, AttributionRequest
from unveil.batching import batched
from unveil.classifiers import Classifier
from unveil.errors import AttributionError, TargetError
from unveil.predictions import Prediction
from unveil.saliency import L2, Magnitude
from unveil.targets import TargetScore

Explain = Callable[[Classifier, Float[Tensor, "c *grid"]], Float[np.ndarray, "*map"]]


@dataclass(frozen=True)
class Explanation:
    """A way to make a map of an image, asked of one classifier after another: `explanation(classifier, pixels)`.

    `key` names the noise of the attribution: it is the same each time, so that maps differ by what they are of alone.
    Any function of a classifier and pixels to an array can stand in its place.
    """

    attribution: Attribution
    target_score: TargetScore
    magnitude: Magnitude = field(default_factory=L2)
    key: str = "0"
    batch_size: int = 8

    def __call__(self, classifier: Classifier, pixels: Float[Tensor, "c *grid"]) -> Float[np.ndarray, "*grid"]:
        """The saliency of one image, in logits per unit of pixel value."""
        question = AttributionRequest(classifier, pixels, [self.target_score], self.key, self.batch_size)
        return self.magnitude.saliency(self.attribution.attribute(question).all)[0]


class ScoreUnit(StrEnum):
    """What a score is: the target's value as it is, or the probability of its class."""

    LOGIT = "logit"
    PROBABILITY = "probability"


@dataclass(frozen=True, eq=False)
class Answers:
    """For every image: the `score`, and whether the class is `kept`, that is predicted; None for a target that isn't
    one class."""

    score: Float[np.ndarray, "n"]
    kept: Bool[np.ndarray, "n"] | None


@dataclass(frozen=True, eq=False)
class Probe:
    """One image, the classifier that is asked about versions of it, and the scalar whose score is followed.

    `pixels` are in [0, 1], before normalization; the images go through `classifier.predict` in batches. `seed` decides
    about equal values of a map and about noise. Raises `TargetError` for the probability of what isn't one class.
    """

    classifier: Classifier
    pixels: Float[Tensor, "c *grid"]
    target_score: TargetScore
    unit: ScoreUnit = ScoreUnit.PROBABILITY
    seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.unit is ScoreUnit.PROBABILITY and self.target_score.class_index is None:
            raise TargetError("one class, which has a probability", self.target_score.name, "ask for Unit.LOGIT")

    def ask(self, images: Iterable[Float[Tensor, "c *grid"]]) -> Answers:
        """The answers to every image; no more than a batch is held at a time."""
        batches = (torch.stack(batch) for batch in batched(images, self.batch_size))
        said = [one for batch in batches for one in self.classifier.predict(batch)]
        label = self.target_score.class_index
        kept = None if label is None else np.array([label in one.predicted() for one in said])
        return Answers(np.array([self._score(one) for one in said], float), kept)

    def ranks(self, saliency: Float[np.ndarray, "*map"]) -> Int[np.ndarray, "*map"]:
        """The place of every pixel in the order of decreasing saliency, from 0.

        Equal values come in a random order, so that a map that says nothing is as good as a random one, and no better
        than that by the order in which pixels are read. Raises `AttributionError` for a map that isn't finite or that
        has another grid than the pixels.
        """
        grid = tuple(self.pixels.shape[1:])
        if saliency.shape != grid or not np.isfinite(saliency).all():
            got = f"shape {saliency.shape}, {np.count_nonzero(~np.isfinite(saliency))} values not finite"
            raise AttributionError(f"a finite map on the pixels' grid {grid}", got, "check the attribution")
        lots = np.random.default_rng(self.seed).permutation(saliency.size)
        ranks = np.empty(saliency.size, int)
        ranks[np.lexsort((lots, -saliency.ravel().astype(np.float64)))] = np.arange(saliency.size)
        return ranks.reshape(saliency.shape)

    def _score(self, said: Prediction) -> float:
        if self.unit is ScoreUnit.PROBABILITY:
            return float(said.probabilities[self.target_score.class_index])
        return float(self.target_score.of(said.logits))
