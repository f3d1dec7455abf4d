"""Regions of many images at once: samples of several images share a batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.attribution import Gradient, Moments, SmoothGrad
from unveil.classifiers import Classifier
from unveil.fills import FillContext, erase
from unveil.masks import union
from unveil.predictions import Output
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore
from unveil.training.settings import TrainingError, TrainingSettings

BoolMaps = Bool[np.ndarray, "n rounds *grid"]
OnCount = Callable[[int, int], None]  # done, total
IMAGES = 64  # images whose samples share batches, and are kept in memory
SAMPLES = 64  # noisy copies per batch


@dataclass(frozen=True, eq=False)
class FoundRegions:
    """What searches found in some images.

    Attributes:
        erased: What is erased after round r, in column r − 1; the same as after the round before where nothing more was
            found.
        rounds: The number of rounds that found anything, per image.
    """

    erased: BoolMaps
    rounds: np.ndarray

    def __len__(self) -> int:
        return len(self.rounds)


def find_regions_of_many(
    classifier: Classifier,
    images: Callable[[Sequence[int]], Float[Tensor, "b c *grid"]],
    columns: Sequence[int],
    settings: TrainingSettings,
    stream: str,
    on_count: OnCount = lambda done, total: None,
) -> FoundRegions:
    """Find the regions of many images, each for one label, round after round.

    Args:
        classifier: A classifier with gradients.
        images: Returns the pixels of some images, given their numbers.
        columns: The label that is searched for in each image; −1 for none.
        settings: `rounds`, `samples`, and the recipe.
        stream: The name of the noise.
        on_count: Called with the number of images done, and their total.

    A search is that of `find_regions` with a fixed number of samples. It ends for an image when its label isn't
    predicted any more, or when nothing is found. Images with the same label share batches: the gradient of a sum of
    scores has the gradient of each image's own score in its rows. Raises `TrainingError` for a recipe without
    SmoothGrad over gradients.

    >>> import unveil
    >>> from unveil.planted import draw_scene
    >>> classifier = unveil.load_classifier("planted/demo")
    >>> pixels = torch.from_numpy(draw_scene(200_010).pixels)[None]
    >>> settings = TrainingSettings(rounds=2, recipe=unveil.recipes.demo())
    >>> found = find_regions_of_many(classifier, lambda rows: pixels, [3], settings, "example")
    >>> found.erased.shape, int(found.rounds[0]) <= 2
    ((1, 2, 128, 128), True)
    """
    search = _Search(classifier, settings, stream)
    grid = tuple(classifier.preprocessing.crop)
    erased = np.zeros((len(columns), settings.rounds, *grid), dtype=bool)
    rounds = np.zeros(len(columns), dtype=int)
    done = 0
    for rows in _by_label(columns):
        pixels = images(rows)
        active = np.ones(len(rows), dtype=bool)
        now = np.zeros((len(rows), *grid), dtype=bool)
        for round_ in range(settings.rounds):
            if active.any():
                active = search.advance(pixels, now, active, columns[rows[0]], rows, round_)
                rounds[rows] += active
            erased[rows, round_] = now
        done += len(rows)
        on_count(done, sum(column >= 0 for column in columns))
    return FoundRegions(erased, rounds)


def _by_label(columns: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of images with the same label, at most `IMAGES` at once."""
    for column in sorted(set(columns) - {-1}):
        rows = [row for row, one in enumerate(columns) if one == column]
        yield from (rows[start : start + IMAGES] for start in range(0, len(rows), IMAGES))


class _Search:
    """Rounds of several images with the same label."""

    def __init__(self, classifier: Classifier, settings: TrainingSettings, stream: str) -> None:
        recipe = settings.recipe.for_grid(classifier.preprocessing.crop)
        smooth = recipe.attribution
        if not isinstance(smooth, SmoothGrad) or not isinstance(smooth.method, Gradient):
            expected, got = "a recipe with SmoothGrad over gradients", type(smooth).__name__
            raise TrainingError(expected, got, "use recommended, paper, or demo")
        self._classifier, self._recipe, self._smooth, self._method = classifier, recipe, smooth, smooth.method
        self._samples, self._stream = settings.samples, stream
        self._context = FillContext(torch.tensor(classifier.preprocessing.mean), stream)

    def advance(
        self,
        pixels: Float[Tensor, "b c *grid"],
        erased: Bool[np.ndarray, "b *grid"],
        active: Bool[np.ndarray, " b"],
        column: int,
        numbers: Sequence[int],
        round_: int,
    ) -> Bool[np.ndarray, " b"]:
        """Do one round: add what is found to `erased`; returns the images in which anything was found."""
        places = np.flatnonzero(active)
        shown = torch.stack([self._erase(pixels[place], erased[place]) for place in places])
        predicted = [
            _is_predicted(prediction.logits, column, self._classifier.output)
            for prediction in self._classifier.predict(shown, SAMPLES)
        ]
        chosen = [(place, image) for place, image, holds in zip(places, shown, predicted, strict=True) if holds]
        found = np.zeros(len(active), dtype=bool)
        if not chosen:
            return found
        names = [f"{self._stream}/{numbers[int(place)]}/{round_}" for place, _ in chosen]
        maps = self._maps(torch.stack([image for _, image in chosen]), TargetScore("", ((column, 1.0),)), names)
        for (place, _), saliency in zip(chosen, maps, strict=True):
            regions = self._recipe.selector.select(saliency, erased[place]).regions
            if regions:
                erased[place] |= union(regions, erased[place].shape)
                found[place] = True
        return found

    def _erase(self, pixels: Float[Tensor, "c *grid"], erased: Bool[np.ndarray, "*grid"]) -> Float[Tensor, "c *grid"]:
        return erase(pixels, torch.from_numpy(erased).to(pixels.device), self._recipe.fill, self._context)

    def _maps(
        self, pixels: Float[Tensor, "b c *grid"], score: TargetScore, names: Sequence[str]
    ) -> Float[np.ndarray, "b *grid"]:
        """A saliency map for each image, of antithetic pairs of samples."""
        pairs = self._samples // 2
        total = torch.zeros(pixels.shape, dtype=torch.float64)
        squares = torch.zeros_like(total)
        together = max(1, SAMPLES // self._samples)
        for start in range(0, len(pixels), together):
            part = pixels[start : start + together]
            noisy = torch.cat(
                [self._noisy(image, name, pairs) for image, name in zip(part, names[start:], strict=False)]
            )
            signed, _ = self._method.gradients(self._classifier, noisy, [score])
            pairwise = signed[0].cpu().double().unflatten(0, (len(part), 2, pairs)).mean(1)
            total[start : start + together] = pairwise.sum(1)
            squares[start : start + together] = pairwise.square().sum(1)
        return self._recipe.magnitude.saliency(Moments(pairs, total, squares)).astype(np.float32)

    def _noisy(self, pixels: Float[Tensor, "c *grid"], name: str, pairs: int) -> Float[Tensor, "n c *grid"]:
        draws = torch.randn((pairs, *pixels.shape), generator=seeded_generator(name, 0)).to(pixels)
        noise = self._smooth.noise * (pixels.max() - pixels.min()) * draws
        return torch.cat([pixels + noise, pixels - noise])


def _is_predicted(logits: Float[np.ndarray, "k"], column: int, output: Output) -> bool:
    return bool(logits[column] > 0) if output is Output.SIGMOID else int(logits.argmax()) == column
