"""What stays the same during a run: image, classifier, recipe, seed, first prediction and tracks."""

import platform
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from unveil import __version__
from unveil.classifiers import Classifier, PreparedImage
from unveil.errors import RecipeError
from unveil.fills import FillContext, Mean, erase
from unveil.images import Image
from unveil.predictions import Prediction
from unveil.recipes import Recipe
from unveil.records.run import ClassifierInfo, Round, Run, Source
from unveil.records.trust import TrustCards
from unveil.stopping import StopReason
from unveil.targets import Class, Target, TargetScore
from unveil.trust import MaskedClassifier


@dataclass(frozen=True, eq=False)
class Track:
    """A line of rounds with its own erased area. A joint run has one, named None; `stop` is filled when it ends, and
    `asked` with every scalar that a round asked about, by its name."""

    name: str | None
    target: Target
    stop: list[StopReason] = field(default_factory=list)
    asked: dict[str, TargetScore] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunContext:
    """One run's question; `rounds.iter_rounds(search)` answers it."""

    image: Image
    classifier: Classifier
    recipe: Recipe
    seed: int
    batch_size: int
    prepared: PreparedImage
    first: Prediction
    tracks: tuple[Track, ...]

    @classmethod
    def begin(
        cls, image: Image, classifier: Classifier, recipe: Recipe, seed: int = 0, batch_size: int | None = None
    ) -> "RunContext":
        """Prepare the image, ask the classifier for the first time, and lay out the tracks."""
        if batch_size is not None and batch_size < 1:
            raise RecipeError("a batch size of at least 1", str(batch_size), "leave it out, or say 1 to save memory")
        prepared = classifier.prepare(image)
        _try_fill(recipe, prepared, classifier)
        (first,) = classifier.predict(prepared.pixels[None])
        tracks = _tracks(recipe, first, classifier.labels)
        return cls(image, classifier, recipe, seed, batch_size or classifier.batch_size, prepared, first, tracks)

    @property
    def stream(self) -> str:
        """Names this run's noise: the seed and the content of the image."""
        return f"{self.seed}/{self.image.sha256}"

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the model's grid."""
        return tuple(self.prepared.pixels.shape[1:])

    @cached_property
    def masked(self) -> MaskedClassifier:
        """Asks the classifier about this image with parts erased, for the trust cards and the null."""
        return MaskedClassifier(self.classifier, self.prepared.pixels, self.recipe.fill, self.stream, self.batch_size)

    @cached_property
    def blank(self) -> Prediction:
        """The prediction for an image of nothing but the mean color."""
        pixels = self.prepared.pixels
        everything = torch.ones(self.grid, dtype=torch.bool, device=pixels.device)
        nothing = erase(pixels, everything, Mean(), _ground(self.classifier, self.stream))
        (said,) = self.classifier.predict(nothing[None], self.batch_size)
        return said

    def erase(self, erased: Bool[np.ndarray, "*grid"]) -> Float[Tensor, "c *grid"]:
        """The original with these pixels replaced by the recipe's fill."""
        pixels = self.prepared.pixels
        fill_context = _ground(self.classifier, self.stream)
        return erase(pixels, torch.from_numpy(erased).to(pixels.device), self.recipe.fill, fill_context)

    def finish(self, done: tuple[Round, ...], seconds: float, trust: TrustCards | None = None) -> Run:
        """The record of all rounds, with the cards of their regions."""
        return Run(
            source=Source(
                self.image.source,
                self.image.sha256,
                self.image.channels,
                self.prepared.geometry,
                self.image.spacing_mm,
                self.image.value_range,
                self.image.placement,
            ),
            classifier=ClassifierInfo(
                self.classifier.name,
                self.classifier.fingerprint,
                self.classifier.labels,
                self.classifier.output,
                str(self.classifier.device),
                self.classifier.precision,
            ),
            recipe=self.recipe.as_dict(),
            seed=self.seed,
            rounds=done,
            first=self.first,
            stops={track.name: track.stop[0] for track in self.tracks},
            versions={**versions(), "gradients": self.classifier.averaging_precision},
            seconds=seconds,
            final_images={track.name: to_uint8(self.erase(_erased(self, done, track))) for track in self.tracks},
            trust=trust,
        )


def to_uint8(pixels: Float[Tensor, "c *grid"]) -> UInt8[np.ndarray, "c *grid"]:
    """Pixels in [0, 1] as 0 … 255, for the record."""
    return (pixels.clamp(0, 1) * 255).round().byte().cpu().numpy()


def versions() -> dict[str, str]:
    """Versions of everything that can change a run's numbers."""
    libraries = {name: version(name) for name in ("torch", "numpy", "scipy", "pillow")}
    return {
        "unveil": __version__,
        **libraries,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _tracks(recipe: Recipe, first: Prediction, labels: tuple[str, ...]) -> tuple[Track, ...]:
    # Resolving also checks the target before any work is done.
    target_scores = recipe.target.resolve(first, first, labels)
    if recipe.joint or len(target_scores) < 2:
        return (Track(None, recipe.target),)
    # A track of its own asks about one fixed class: what the recipe's target meant in the first round.
    return tuple(
        Track(target_score.name, Class(target_score.label))
        for target_score in target_scores
        if target_score.label is not None
    )


def _ground(classifier: Classifier, stream: str) -> FillContext:
    return FillContext(torch.tensor(classifier.preprocessing.mean), stream)


def _try_fill(recipe: Recipe, prepared: PreparedImage, classifier: Classifier) -> None:
    """A corner is erased first, so that a fill that can't work says so before a round's work is done."""
    corner = prepared.pixels[(slice(None), *(slice(8),) * (prepared.pixels.ndim - 1))]
    erased = torch.zeros(corner.shape[1:], dtype=torch.bool, device=corner.device)
    erased.view(-1)[0] = True
    erase(corner, erased, recipe.fill, _ground(classifier, ""))


def _erased(search: RunContext, done: tuple[Round, ...], track: Track) -> Bool[np.ndarray, "*grid"]:
    mine = [one for one in done if one.track == track.name]
    return mine[-1].erased_after.to_array() if mine else np.zeros(search.grid, dtype=bool)
