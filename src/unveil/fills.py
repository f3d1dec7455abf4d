"""Fills: what replaces erased pixels. Always from the original image, and chosen, never multiplied."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.errors import RecipeError
from unveil.inpainting import inpaint
from unveil.masks import distance_px
from unveil.seeding import seeded_generator


@dataclass(frozen=True, eq=False)
class FillContext:
    """What a fill may know: the mean color of the classifier's training data, and the key of its noise."""

    mean: Float[Tensor, "c"]
    stream: str


class Fill(ABC):
    """What replaces erased pixels."""

    @abstractmethod
    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """A whole image of replacements, in pixel units; only its erased part is used."""

    def cover(self, erased: Bool[Tensor, "*grid"]) -> Float[Tensor, "*grid"]:
        """How much of the replacement every pixel gets, in [0, 1]; 1 wherever erased."""
        return erased.float()


def erase(
    pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill: Fill, fill_context: FillContext
) -> Float[Tensor, "c *grid"]:
    """x' = fill where erased, x elsewhere; in a soft edge a mixture of both.

    Pixels with cover 0 are the original's bits and pixels with cover 1 the fill's: chosen by `where`, so that an inf
    or NaN on the side that isn't chosen can't leak.
    """
    if not erased.any():
        return pixels
    replacement = fill.replacement(pixels, erased, fill_context).to(pixels)
    cover = fill.cover(erased).to(pixels)
    mixed = torch.lerp(pixels, replacement, cover)
    return torch.where(cover <= 0, pixels, torch.where(cover >= 1, replacement, mixed))


@dataclass(frozen=True)
class Mean(Fill):
    """The mean color of the classifier's training data (0 after its normalization)."""

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """One color everywhere."""
        return _broadcast(fill_context.mean, pixels)


@dataclass(frozen=True)
class Constant(Fill):
    """One value in [0, 1] for all channels, or one value a channel."""

    value: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if not values or not all(0 <= value <= 1 for value in values):
            raise RecipeError("values in [0, 1] for a constant fill", str(self.value), "0 is black, 1 is white")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """One color everywhere."""
        values = self.value if isinstance(self.value, tuple) else (self.value,) * len(pixels)
        if len(values) != len(pixels):
            raise RecipeError(
                f"{len(pixels)} values, one a channel", f"{len(values)}", "give one value for all channels"
            )
        return _broadcast(torch.tensor(values), pixels)


@dataclass(frozen=True)
class Blur(Fill):
    """A blurred copy of what is not erased: Gaussian with `sigma_px` px, normalized over the kept pixels.

    b = G(x · kept) / G(kept). A plain blur would leave a faint copy of the erased evidence in place. Far from any kept
    pixel, where G(kept) vanishes, the mean color takes over.
    """

    sigma_px: float = 8.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma_px < 1000:
            raise RecipeError("a blur of more than 0 px", str(self.sigma_px), "8 suits 224 x 224")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """The surroundings, smeared into the hole."""
        kept = (~erased.cpu()).double()[None]
        weight = self._gaussian(kept)
        smeared = self._gaussian(torch.where(erased.cpu(), 0.0, pixels.cpu().double()))
        mean = _broadcast(fill_context.mean, pixels).cpu().double()
        return ((smeared + 1e-6 * mean) / (weight + 1e-6)).to(pixels)

    def _gaussian(self, values: Float[Tensor, "c *grid"]) -> Float[Tensor, "c *grid"]:
        from scipy.ndimage import gaussian_filter  # noqa: PLC0415 (only this fill needs it)

        sigma = (0.0, *(self.sigma_px,) * (values.ndim - 1))
        return torch.from_numpy(gaussian_filter(values.numpy(), sigma, mode="constant"))


@dataclass(frozen=True)
class Noise(Fill):
    """The mean color plus Gaussian noise with standard deviation `level` in pixel units, cut to [0, 1]."""

    level: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise RecipeError("a noise level in (0, 1]", str(self.level), "0.2 is usual")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """The same noise in every round of a run, so that rounds differ by what is erased only."""
        unit = torch.randn(pixels.shape, generator=seeded_generator(f"{fill_context.stream}/fill", 0)).to(pixels)
        return (_broadcast(fill_context.mean, pixels) + self.level * unit).clamp(0, 1)


@dataclass(frozen=True)
class Inpaint(Fill):
    """The hole closed from its rim inwards by OpenCV (Telea 2004), looking `radius_px` px around. Needs
    `unveil[inpaint]`."""

    radius_px: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.radius_px <= 100:
            raise RecipeError("a radius of 1 to 100 px", str(self.radius_px), "5 is usual")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Every channel inpainted, at 8 bits."""
        return torch.from_numpy(inpaint(pixels.cpu().numpy(), erased.cpu().numpy(), self.radius_px)).to(pixels)


@dataclass(frozen=True)
class SoftEdge(Fill):
    """Another fill with a soft edge: over `width_px` px outside the erased area it fades into the image.

    cover(d) = (1 + cos(π d / width)) / 2 at distance d < width, 1 inside. What is erased is erased wholly; the fading
    lies around it, so that no hard edge is left for the classifier to see.
    """

    fill: Fill = field(default_factory=Mean)
    width_px: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.width_px <= 1000:
            raise RecipeError("a soft edge of at least 1 px", str(self.width_px), "leave SoftEdge out for a hard edge")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """The inner fill's, asked for all that is covered at all: so a blur or an inpainting doesn't use the fading
        rim."""
        return self.fill.replacement(pixels, self.cover(erased) > 0, fill_context)

    def cover(self, erased: Bool[Tensor, "*grid"]) -> Float[Tensor, "*grid"]:
        """A raised cosine of the distance to the erased area."""
        distance = np.minimum(distance_px(erased.cpu().numpy()) / self.width_px, 1.0)
        return torch.from_numpy((1 + np.cos(np.pi * distance)) / 2).float().to(erased.device)


def _broadcast(color: Float[Tensor, "c"], pixels: Float[Tensor, "c *grid"]) -> Float[Tensor, "c *grid"]:
    return color.to(pixels).reshape(-1, *(1,) * (pixels.ndim - 1)).expand_as(pixels)
