"""Gradient ascent: steps that increase the activation of an image, and the resulting image."""

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
from unveil.classifiers.engine.guard import guarded, recording
from unveil.codec import Codec, require_numbers
from unveil.errors import ClassifierError, RecipeError, TargetError
from unveil.images import Image
from unveil.maximization.goals import Activation, Goal, open_activation
from unveil.maximization.parametrization import Fourier, Parametrization, Pixels
from unveil.recording import to_uint8
from unveil.seeding import check_seed, seeded_generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251 (a type only)

EPSILON = 1e-4  # smooths the total variation, in pixel units
OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Maximization:
    """Settings of the ascent: Adam minimizes a loss over the parameters of an image x with pixels in [0, 1].

    loss = −activation(rolled x) + total_variation · TV(x) + l2 · Σ (x − mean)², where mean is the classifier's mean
    color. TV is `total_variation`.

    Attributes:
        steps: The number of steps, 1 to 1 000 000.
        learning_rate: The learning rate of Adam, in (0, 10].
        parametrization: How parameters become an image.
        jitter_px: Each step rolls x by up to this many px in both directions (0 to 1000), so that the image doesn't
            depend on the positions of strides.
        total_variation: The weight of the total variation, in activation per unit of pixel value; at least 0.
        l2: The weight of the squared distance to the mean color, in activation per squared unit; at least 0.

    Raises `RecipeError` for settings out of range.

    >>> Maximization(steps=64).learning_rate
    0.01
    """

    steps: int = 256
    learning_rate: float = 0.01
    parametrization: Parametrization = field(default_factory=Fourier)
    jitter_px: int = 8
    total_variation: float = 1e-4
    l2: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self)
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
        """Encode the settings as plain values for a record."""
        return _SETTINGS.encode(self, top=True)


_SETTINGS = Codec((Maximization, Fourier, Pixels))
DEFAULT = Maximization()


@dataclass(frozen=True, eq=False)
class MaximizedImage:
    """The image that the ascent ended with.

    Attributes:
        pixels: The image, (c, h, w), float32 in [0, 1].
        scores: The activation of the image itself (not rolled) at the start and after every step, so the last one is
            that of `pixels`. In logits for a target, else in the unit's own scale.
        goal: The name of the goal.
        settings: The settings of the ascent.
        seed: The seed of the noise.
        classifier: The name of the classifier.
    """

    pixels: Float[np.ndarray, "c h w"] = field(repr=False)
    scores: tuple[float, ...] = field(repr=False)
    goal: str
    settings: Maximization
    seed: int
    classifier: str

    def image(self) -> Image:
        """Convert to an `Image`, which can be explained itself. Raises `ImageError` below 8 x 8 px."""
        return Image.from_array(self.pixels, channels_last=False, source=f"maximized {self.goal}")

    def figure(self, path: str | Path | None = None) -> "Figure":
        """Draw the image and the curve of its score; with a `path` (.png, .svg, .pdf), also write the figure."""
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
    """Find an image with a large activation of a class, a unit or a channel, by gradient ascent.

    The classifier isn't changed. Sources: Erhan et al. 2009, *Visualizing higher-layer features of a deep network*;
    Simonyan, Vedaldi and Zisserman 2013.

    Args:
        classifier: The classifier, for two-dimensional images.
        goal: A `Class` or a `Margin`, whose logits are maximized, or a `NetworkUnit`.
        settings: The settings of the ascent.
        seed: The same seed gives the same image on the same machine.
        on_step: Called after every step with its number (from 1 on) and the score after it.

    Raises `TargetError` for a goal that the classifier doesn't have or that doesn't depend on the pixels, and
    `ClassifierError` for volumes, and as soon as the activation or a gradient isn't finite.

    >>> from unveil import Class, load_classifier
    >>> result = maximize(load_classifier("planted/demo"), Class(0), Maximization(steps=4))
    >>> result.scores[-1] > result.scores[0]
    True
    """
    seed = check_seed(seed)
    crop, mean = classifier.preprocessing.crop, classifier.preprocessing.mean
    if len(crop) != 2:
        raise ClassifierError("a classifier of two-dimensional images", f"a grid {crop}", "use another model")
    guard = guarded(classifier.name, "compute gradients")
    with open_activation(classifier, goal) as (name, activation), recording(), guard:
        ascent = _Ascent(name, activation, settings, f"maximize/{seed}/{name}", mean, (len(mean), *crop))
        pixels, scores = ascent.run(classifier.device, on_step)
    return MaximizedImage(pixels.cpu().numpy(), scores, name, settings, seed, classifier.name)


def total_variation(pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Compute TV(x) = Σ (√(dx² + dy² + ε²) − ε), where dx and dy are the differences to the next pixel right and below.

    In pixel units, summed over images, channels and pixels; differences beyond the border are 0. ε = 10⁻⁴ keeps the
    derivative finite where the image is constant.
    """
    right = torch.nn.functional.pad(pixels.diff(dim=3), (0, 1))
    below = torch.nn.functional.pad(pixels.diff(dim=2), (0, 0, 0, 1))
    return (torch.sqrt(right**2 + below**2 + EPSILON**2) - EPSILON).sum()


def draw_offset(stream: str, step: int, jitter_px: int) -> tuple[int, int]:
    """Draw the px by which a step rolls the image down and right, each uniform over −jitter_px … jitter_px."""
    down, right = torch.randint(
        -jitter_px, jitter_px + 1, (2,), generator=seeded_generator(f"{stream}/jitter", step)
    ).tolist()
    return down, right


@dataclass(frozen=True, eq=False)
class _Ascent:
    """One ascent: goal, settings, noise stream, and the image's mean color and shape."""

    name: str
    activation: Activation
    settings: Maximization
    stream: str
    mean: tuple[float, ...]
    shape: tuple[int, int, int]

    def run(self, device: torch.device, on_step: OnStep) -> tuple[Float[Tensor, "c h w"], tuple[float, ...]]:
        """Do all steps; return the last image, and the scores from the first image on."""
        parametrization = self.settings.parametrization
        start = parametrization.start(self.shape, self.mean, seeded_generator(f"{self.stream}/start", 0))
        parameters = start.to(device).requires_grad_()
        adam = torch.optim.Adam([parameters], lr=self.settings.learning_rate)
        scores = [self._score(parameters, 0)]
        has_gradient = False
        for step in range(1, self.settings.steps + 1):
            parameters.grad, nonzero = self._gradient(parameters, step)
            has_gradient = has_gradient or nonzero
            adam.step()
            with torch.no_grad():
                parametrization.project(parameters)
            scores.append(self._score(parameters, step))
            on_step(step, scores[-1])
        if not has_gradient:
            # A unit after a rectifier may be inactive for every image near the start.
            got = f"a gradient of 0 in each of {self.settings.steps} steps"
            raise TargetError(f"{self.name} to depend on the pixels", got, "try the layer before its rectifier")
        return parametrization.pixels(parameters.detach(), self.shape)[0].float(), tuple(scores)

    def _gradient(self, parameters: Float[Tensor, "*any"], step: int) -> tuple[Float[Tensor, "*any"], bool]:
        """Compute the gradient of the loss, and whether that of the activation itself is nonzero."""
        settings = self.settings
        pixels = settings.parametrization.pixels(parameters, self.shape)
        rolled = pixels.roll(draw_offset(self.stream, step, settings.jitter_px), (2, 3))
        activation = self.activation(rolled)[0]
        if not activation.requires_grad:
            expected = f"a gradient of {self.name} with respect to the pixels"
            raise ClassifierError(expected, "none", "use a model that is differentiable")
        loss = -activation
        if settings.total_variation:
            loss = loss + settings.total_variation * total_variation(pixels)
        if settings.l2:
            mean = torch.tensor(self.mean).to(pixels)[:, None, None]
            loss = loss + settings.l2 * (pixels - mean).square().sum()
        gradient, activation_gradient = torch.autograd.grad(loss, (parameters, rolled))
        if not gradient.isfinite().all():
            raise self._not_finite(f"a gradient that isn't finite in step {step}")
        return gradient, bool(activation_gradient.any())

    def _score(self, parameters: Float[Tensor, "*any"], step: int) -> float:
        with torch.no_grad():
            score = float(self.activation(self.settings.parametrization.pixels(parameters, self.shape))[0])
        if not math.isfinite(score):
            raise self._not_finite(f"{score} {f'after step {step}' if step else 'at the start'}")
        return score

    def _not_finite(self, got: str) -> ClassifierError:
        advice = "check the weights; try a smaller learning rate or --precision fp32"
        return ClassifierError(f"finite activations and gradients of {self.name}", got, advice)
