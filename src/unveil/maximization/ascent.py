"""The ascent: gradient steps that make an image's activation larger, and what came of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unveil.classifiers import TorchClassifier
from unveil.codec import Codec
from unveil.errors import ClassifierError, RecipeError, TargetError
from unveil.images import Image
from unveil.maximization.goals import Activation, Goal, open_activation
from unveil.maximization.parametrization import Fourier, Parametrization, Pixels
from unveil.recording import to_uint8
from unveil.seeding import seeded_generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251 (a type only)

EPSILON = 1e-4  # of the total variation, in pixel units
OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Maximization:
    """How an image is sought: Adam with `learning_rate` for `steps` steps on

    loss = −activation(rolled x) + total_variation · TV(x) + l2 · Σ (x − mean)²

    x: pixels in [0, 1], made by `parametrization`; mean: the classifier's mean color. Each step sees x rolled by up to
    `jitter_px` px in both directions, so that the image can't rely on where exactly a stride falls.
    """

    steps: int = 256
    learning_rate: float = 0.01
    parametrization: Parametrization = field(default_factory=Fourier)
    jitter_px: int = 8
    total_variation: float = 1e-4
    l2: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1_000_000:
            raise RecipeError("1 to 1000000 steps", str(self.steps), "256 are usual")
        if not 0 < self.learning_rate <= 10:
            raise RecipeError("a learning rate in (0, 10]", str(self.learning_rate), "0.01 is usual")
        if not 0 <= self.jitter_px <= 1000:
            raise RecipeError("a jitter of 0 to 1000 px", str(self.jitter_px), "8 suits 224 x 224")
        for name in ("total_variation", "l2"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RecipeError(f"{name} of 0 or more", str(getattr(self, name)), "0 leaves the penalty out")

    def as_dict(self) -> dict:
        """Plain values, for a record."""
        return _SETTINGS.encode(self, top=True)


_SETTINGS = Codec((Maximization, Fourier, Pixels))
DEFAULT = Maximization()


@dataclass(frozen=True, eq=False)
class MaximizedImage:
    """What was found. `pixels`: float32 in [0, 1].

    `scores`: the activation of the image as it is, not rolled, at the start and after every step; so the last one
    belongs to `pixels`. In logits for a target, in the unit's own scale otherwise.
    """

    pixels: Float[np.ndarray, "c h w"] = field(repr=False)
    scores: tuple[float, ...] = field(repr=False)
    goal: str
    settings: Maximization
    seed: int
    classifier: str

    def image(self) -> Image:
        """As an image that can be asked about again. Raises `ImageError` below 8 x 8 px."""
        return Image.from_array(self.pixels, channels_last=False, source=f"maximized {self.goal}")

    def figure(self, path: str | Path | None = None) -> "Figure":
        """The image and the curve of its score. Also written to `path` (.png, .svg, .pdf)."""
        from unveil.render import draw_maximized, write_figure  # noqa: PLC0415 (a second of imports)

        note = f"{self.classifier} · {len(self.scores) - 1} steps · seed {self.seed}"
        figure = draw_maximized(to_uint8(torch.from_numpy(self.pixels)), self.scores, self.goal, note)
        if path is not None:
            write_figure(figure, Path(path))
        return figure


def maximize(
    classifier: TorchClassifier,
    goal: Goal,
    settings: Maximization = DEFAULT,
    *,
    seed: int = 0,
    on_step: OnStep = lambda step, score: None,
) -> MaximizedImage:
    """The image that a class, a unit or a channel answers to most strongly, as far as gradient ascent finds it.

    `goal`: a `Class` or a `Margin`, which mean their logits, or a `NetworkUnit`. The same seed gives the same image on
    the same machine. `on_step` is told of every step that is done (from 1 on) and of the score after it.

    Raises `TargetError` for a goal that the classifier doesn't have or that doesn't answer to the pixels, and
    `ClassifierError` as soon as activation or gradient aren't finite. The classifier is left as it was in any case.

    Erhan et al. 2009, *Visualizing higher-layer features of a deep network*; Simonyan, Vedaldi and Zisserman 2013.
    """
    crop, mean = classifier.preprocessing.crop, classifier.preprocessing.mean
    if len(crop) != 2:
        raise ClassifierError("a classifier of two-dimensional images", f"a grid {crop}", "take another model")
    with open_activation(classifier, goal) as (name, activation), torch.enable_grad():
        ascent = _Ascent(name, activation, settings, f"maximize/{seed}/{name}", mean, (len(mean), *crop))
        pixels, scores = ascent.climb(classifier.device, on_step)
    return MaximizedImage(pixels.cpu().numpy(), scores, name, settings, seed, classifier.name)


def total_variation(pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """TV(x) = Σ (√(dx² + dy² + ε²) − ε), dx and dy the differences to the next pixel right and below, ε = 10⁻⁴.

    In pixel units, summed over images, channels and places; beyond the border the image goes on as its last pixel. ε
    keeps the derivative finite where the image is flat.
    """
    right = torch.nn.functional.pad(pixels.diff(dim=3), (0, 1))
    below = torch.nn.functional.pad(pixels.diff(dim=2), (0, 0, 0, 1))
    return (torch.sqrt(right**2 + below**2 + EPSILON**2) - EPSILON).sum()


def offset(key: str, step: int, jitter_px: int) -> tuple[int, int]:
    """How far a step rolls the image down and right: each uniform over −jitter_px … jitter_px, by name of the step."""
    down, right = torch.randint(
        -jitter_px, jitter_px + 1, (2,), generator=seeded_generator(f"{key}/jitter", step)
    ).tolist()
    return down, right


@dataclass(frozen=True, eq=False)
class _Ascent:
    """One ascent: what is asked, how, the key of its noise, and the image's mean and shape."""

    name: str
    activation: Activation
    settings: Maximization
    key: str
    mean: tuple[float, ...]
    shape: tuple[int, int, int]

    def climb(self, device: torch.device, on_step: OnStep) -> tuple[Float[Tensor, "c h w"], tuple[float, ...]]:
        """All steps: the last image, and the scores from the first image on."""
        how = self.settings.parametrization
        start = how.start(self.shape, self.mean, seeded_generator(f"{self.key}/start", 0))
        parameters = start.to(device).requires_grad_()
        adam = torch.optim.Adam([parameters], lr=self.settings.learning_rate)
        scores = [self._score(parameters, 0)]
        answered = False
        for step in range(1, self.settings.steps + 1):
            parameters.grad, answers = self._gradient(parameters, step)
            answered = answered or answers
            adam.step()
            with torch.no_grad():
                how.project(parameters)
            scores.append(self._score(parameters, step))
            on_step(step, scores[-1])
        if not answered:
            # A unit behind a rectifier may be off for every image near the start.
            got = f"a gradient of 0 in each of {self.settings.steps} steps"
            raise TargetError(f"{self.name} to answer to the pixels", got, "try the layer before its rectifier")
        return how.pixels(parameters.detach(), self.shape)[0].float(), tuple(scores)

    def _gradient(self, parameters: Float[Tensor, "*any"], step: int) -> tuple[Float[Tensor, "*any"], bool]:
        """The loss' gradient, and whether the activation itself had any."""
        settings = self.settings
        pixels = settings.parametrization.pixels(parameters, self.shape)
        rolled = pixels.roll(offset(self.key, step, settings.jitter_px), (2, 3))
        activation = self.activation(rolled)[0]
        if not activation.requires_grad:
            got = "one that is cut off from them"
            raise ClassifierError(
                f"a gradient of {self.name} at the pixels", got, "take a model that is differentiable"
            )
        loss = -activation
        if settings.total_variation:
            loss = loss + settings.total_variation * total_variation(pixels)
        if settings.l2:
            mean = torch.tensor(self.mean).to(pixels)[:, None, None]
            loss = loss + settings.l2 * (pixels - mean).square().sum()
        whole, of_activation = torch.autograd.grad(loss, (parameters, rolled))
        if not whole.isfinite().all():
            raise self._not_finite(f"a gradient that isn't, in step {step}")
        return whole, bool(of_activation.any())

    def _score(self, parameters: Float[Tensor, "*any"], step: int) -> float:
        with torch.no_grad():
            score = float(self.activation(self.settings.parametrization.pixels(parameters, self.shape))[0])
        if not math.isfinite(score):
            raise self._not_finite(f"{score} {f'after step {step}' if step else 'at the start'}")
        return score

    def _not_finite(self, got: str) -> ClassifierError:
        do = "check the weights; try a smaller learning rate or --precision fp32"
        return ClassifierError(f"finite activations and gradients of {self.name}", got, do)
