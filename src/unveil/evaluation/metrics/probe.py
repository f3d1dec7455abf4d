"""Shared inputs of perturbation metrics: a saliency map, and scores of perturbed copies of one image."""

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
    """Computes the saliency map of an image for any classifier: `explanation(classifier, pixels)`.

    Any function from a classifier and pixels to an array can replace it.

    Attributes:
        attribution: The method.
        target_score: The score that is attributed to pixels.
        magnitude: How the attribution becomes a saliency map.
        stream: The noise stream of the attribution, which is the same in every call, so that maps differ only by
            classifier and pixels.
        batch_size: Images per batch.
    """

    attribution: Attribution
    target_score: TargetScore
    magnitude: Magnitude = field(default_factory=L2)
    stream: str = "0"
    batch_size: int = 8

    def __call__(self, classifier: Classifier, pixels: Float[Tensor, "c *grid"]) -> Float[np.ndarray, "*grid"]:
        """The saliency of one image, in logits per unit of pixel value."""
        request = AttributionRequest(classifier, pixels, [self.target_score], self.stream, self.batch_size)
        return self.magnitude.saliency(self.attribution.attribute(request).all)[0]


class ScoreUnit(StrEnum):
    """The unit of a score: the target's logit, or the probability of its class."""

    LOGIT = "logit"
    PROBABILITY = "probability"


@dataclass(frozen=True, eq=False)
class PerturbedScores:
    """Scores of perturbed images.

    Attributes:
        score: The score of every image.
        kept: Whether the class is still predicted; None for a target that isn't a single class.
    """

    score: Float[np.ndarray, "n"]
    kept: Bool[np.ndarray, "n"] | None


@dataclass(frozen=True, eq=False)
class Probe:
    """One image, the classifier that evaluates perturbed copies of it, and the target score to record.

    Attributes:
        classifier: The classifier.
        pixels: The image on the model's grid, in [0, 1], before normalization.
        target_score: The score.
        unit: Whether the logit or the probability is recorded.
        seed: Sets the order of equal values of a map, and the noise.
        batch_size: Images per batch.

    Raises `TargetError` for the probability of a target that isn't a single class.
    """

    classifier: Classifier
    pixels: Float[Tensor, "c *grid"]
    target_score: TargetScore
    unit: ScoreUnit = ScoreUnit.PROBABILITY
    seed: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.unit is ScoreUnit.PROBABILITY and self.target_score.class_index is None:
            raise TargetError("a single class, which has a probability", self.target_score.name, "use ScoreUnit.LOGIT")

    def evaluate(self, images: Iterable[Float[Tensor, "c *grid"]]) -> PerturbedScores:
        """The scores of all images; at most one batch of them is held in memory."""
        batches = (torch.stack(batch) for batch in batched(images, self.batch_size))
        predictions = [prediction for batch in batches for prediction in self.classifier.predict(batch)]
        class_index = self.target_score.class_index
        kept = (
            None
            if class_index is None
            else np.array([class_index in prediction.predicted() for prediction in predictions])
        )
        return PerturbedScores(np.array([self._score(prediction) for prediction in predictions], float), kept)

    def ranks(self, saliency: Float[np.ndarray, "*map"]) -> Int[np.ndarray, "*map"]:
        """The rank of every pixel in the order of decreasing saliency, from 0.

        Equal values are in random order, so a constant map is as good as a random one; reading order would favor some
        pixels. Raises `AttributionError` for a map that isn't finite or whose grid differs from that of the pixels.
        """
        grid = tuple(self.pixels.shape[1:])
        if saliency.shape != grid or not np.isfinite(saliency).all():
            got = f"shape {saliency.shape}, {np.count_nonzero(~np.isfinite(saliency))} values not finite"
            raise AttributionError(f"a finite map on the pixels' grid {grid}", got, "check the attribution")
        tie_breaks = np.random.default_rng(self.seed).permutation(saliency.size)
        ranks = np.empty(saliency.size, int)
        ranks[np.lexsort((tie_breaks, -saliency.ravel().astype(np.float64)))] = np.arange(saliency.size)
        return ranks.reshape(saliency.shape)

    def _score(self, prediction: Prediction) -> float:
        if self.unit is ScoreUnit.PROBABILITY:
            return float(prediction.probabilities[self.target_score.class_index])
        return float(self.target_score.of(prediction.logits))
