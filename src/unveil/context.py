"""The context of a run: image, classifier, recipe and seed, and its tracks with the state of the loop."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float

from unveil.classifiers import Classifier, PreparedImage
from unveil.errors import RecipeError
from unveil.fills import FillContext, Mean, erase
from unveil.images import Image
from unveil.masked import MaskedClassifier
from unveil.predictions import Prediction
from unveil.recipes import Recipe
from unveil.records import Region, Round
from unveil.seeding import check_seed
from unveil.stopping import StopReason
from unveil.targets import Class, Target, TargetScore

BoolMap = Bool[np.ndarray, "*grid"]
FloatMap = Float[np.ndarray, "*grid"]


@dataclass(eq=False)
class Track:
    """A sequence of rounds with an erased area of its own. A joint run has one track, named None.

    All state of the loop is here.

    Attributes:
        name: The name of the track's class; None for the track of a joint run.
        target: What the track explains.
        rounds: The rounds done so far.
        first_maps: The smoothed saliency map of each target in the first round.
        stop: The reason to stop; None while the track can continue.
    """

    name: str | None
    target: Target
    rounds: list[Round] = field(default_factory=list)
    first_maps: dict[TargetScore, FloatMap] = field(default_factory=dict)
    stop: StopReason | None = None

    @property
    def artifacts(self) -> frozenset[int]:
        """The labels that were searched for and that no region shows; they aren't searched for again.

        Labels that were predicted for the whole image aren't among them: erasing didn't make them.
        """
        if not self.rounds:
            return frozenset()
        shown = {label.class_index for region in self._regions for label in region.shown or ()}
        searched = {item.target_score.class_index for round_ in self.rounds for item in round_.maps}
        real = shown | set(self.rounds[0].before.predicted())
        return frozenset(index for index in searched - real if index is not None)

    @property
    def rounds_without_label(self) -> int:
        """The number of rounds since a region showed a label."""
        shows = [any(region.shown for region in round_.regions) for round_ in self.rounds]
        return next((back for back, one in enumerate(reversed(shows)) if one), len(shows))

    @property
    def _regions(self) -> Iterator[Region]:
        return (region for round_ in self.rounds for region in round_.regions)


@dataclass(frozen=True, eq=False)
class RunContext:
    """One run: its settings, which stay the same, and its tracks, which advance with every round.

    Attributes:
        image: The image.
        classifier: The classifier.
        recipe: All settings.
        seed: The seed of all noise.
        prepared: The image on the model's grid, with the geometry of the way there.
        masked: The classifier and the image; it predicts and caches masked views.
        first: The prediction before anything was erased.
        tracks: The tracks with the state of the loop.
        started: The time of the start in s, of a clock that only increases.
    """

    image: Image
    classifier: Classifier
    recipe: Recipe
    seed: int
    prepared: PreparedImage
    masked: MaskedClassifier
    first: Prediction
    tracks: tuple[Track, ...]
    started: float

    @classmethod
    def create(
        cls, image: Image, classifier: Classifier, recipe: Recipe, seed: int = 0, batch_size: int | None = None
    ) -> "RunContext":
        """Prepare the image, predict it, and create the tracks.

        Raises an `UnveilError` if the image, the target or the fill can't be used, before any round is done.
        """
        if batch_size is not None and batch_size < 1:
            raise RecipeError("a batch size of at least 1", str(batch_size), "leave it out, or use 1 to save memory")
        seed = check_seed(seed)
        started = time.monotonic()
        prepared = classifier.prepare(image)
        recipe = recipe.for_grid(classifier.preprocessing.crop)
        _check_fill(recipe, prepared, classifier)
        size = classifier.batch_size if batch_size is None else batch_size
        # The noise stream of this run: the seed and the content of the image.
        stream = f"{seed}/{image.sha256}"
        comparing = recipe.attribution.comparing_classifier(classifier)
        masked = MaskedClassifier(classifier, prepared.pixels, recipe.fill, stream, size, comparing)
        (first,) = masked.predict([masked.view(np.zeros(masked.grid, dtype=bool))])
        tracks = _tracks(recipe, first, classifier.labels)
        return cls(image, classifier, recipe, seed, prepared, masked, first, tracks, started)

    @property
    def stream(self) -> str:
        """The name of this run's noise: the seed and the content of the image."""
        return self.masked.stream

    @property
    def batch_size(self) -> int:
        """Images per batch."""
        return self.masked.batch_size

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the model's grid."""
        return self.masked.grid

    @property
    def rounds(self) -> tuple[Round, ...]:
        """All rounds done so far, track by track."""
        return tuple(round_ for track in self.tracks for round_ in track.rounds)

    @cached_property
    def blank(self) -> Prediction:
        """The prediction for an image of the mean color only."""
        (prediction,) = self.masked.predict([self.masked.view(np.ones(self.grid, dtype=bool), Mean())])
        return prediction

    def is_open_ended(self, track: Track) -> bool:
        """Whether a label that is lost makes room for the next one: the target follows the predictions, and regions
        are named, so that the run can tell when only artifacts are left."""
        return track.target.follows_predictions and self.recipe.label_check is not None

    def prediction_of(self, track: Track) -> Prediction:
        """The prediction with everything erased that the track has erased so far."""
        return track.rounds[-1].after if track.rounds else self.first

    def erased_of(self, track: Track) -> BoolMap:
        """What the track has erased so far, on the model's grid."""
        return track.rounds[-1].erased_after.to_array() if track.rounds else np.zeros(self.grid, dtype=bool)


def _tracks(recipe: Recipe, first: Prediction, labels: Sequence[str]) -> tuple[Track, ...]:
    # Resolving the target also checks it before any work is done.
    target_scores = recipe.target.resolve(first, first, labels)
    if recipe.joint or len(target_scores) < 2:
        return (Track(None, recipe.target),)
    # Each separate track explains one fixed class: one of those that the recipe's target meant in the first round.
    return tuple(
        Track(score.name, Class(score.class_index)) for score in target_scores if score.class_index is not None
    )


def _check_fill(recipe: Recipe, prepared: PreparedImage, classifier: Classifier) -> None:
    """Erase one corner pixel, so that a fill that can't be used raises before a round is computed."""
    corner = prepared.pixels[(slice(None), *(slice(8),) * (prepared.pixels.ndim - 1))]
    erased = torch.zeros(corner.shape[1:], dtype=torch.bool, device=corner.device)
    erased.view(-1)[0] = True
    erase(corner, erased, recipe.fill, FillContext(torch.tensor(classifier.preprocessing.mean), ""))
