"""Fills: the pixels that replace erased ones.

Every round erases from the original image, and erased pixels are selected, not multiplied by a mask.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.codec import require_numbers
from unveil.errors import RecipeError, require_between
from unveil.inpainting import inpaint
from unveil.masks import distance_px
from unveil.seeding import seeded_generator


@dataclass(frozen=True, eq=False)
class FillContext:
    """The inputs of fills besides the image.

    Attributes:
        mean: The mean color of the classifier's training data, in pixel units.
        stream: The noise stream of the run, which seeds random fills.
    """

    mean: Float[Tensor, "c"]
    stream: str


class Fill(ABC):
    """Base class of fills."""

    @abstractmethod
    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Compute an image of replacements in pixel units; `erase` uses only its part where the cover is above 0."""

    def cover(self, erased: Bool[Tensor, "*grid"]) -> Float[Tensor, "*grid"]:
        """Compute the weight of the replacement at every pixel, in [0, 1]; 1 at erased pixels."""
        return erased.float()


def erase(
    pixels: Float[Tensor, "c *grid"], erased: Bool[Tensor, "*grid"], fill: Fill, fill_context: FillContext
) -> Float[Tensor, "c *grid"]:
    """Replace erased pixels: `x' = (1 − c) · x + c · r` with the fill's cover c and replacement r.

    Pixels with c = 0 keep the bits of x, and pixels with c = 1 take those of r: they are selected, so an inf or NaN on
    the other side can't leak. If nothing is erased, `pixels` itself is returned.

    >>> erased = torch.zeros(8, 8, dtype=torch.bool)
    >>> erased[0, 0] = True
    >>> erase(torch.zeros(3, 8, 8), erased, Constant(0.5), FillContext(torch.zeros(3), "")).sum()
    tensor(1.5000)
    """
    if not erased.any():
        return pixels
    cover = fill.cover(erased).to(pixels)
    replacement = fill.replacement(pixels, cover > 0, fill_context).to(pixels)
    mixed = torch.lerp(pixels, replacement, cover)
    return torch.where(cover <= 0, pixels, torch.where(cover >= 1, replacement, mixed))


@dataclass(frozen=True)
class Mean(Fill):
    """The mean color of the classifier's training data (0 after its normalization)."""

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Repeat the mean color."""
        return _broadcast(fill_context.mean, pixels)


@dataclass(frozen=True)
class Constant(Fill):
    """A constant color.

    Attributes:
        value: One value in [0, 1] for all channels, or one value per channel.

    Raises `RecipeError` for values out of range.
    """

    value: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        require_numbers(self)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if not values:
            raise RecipeError("values of a constant fill", "none", "give one value for all channels")
        for value in values:
            require_between("values of a constant fill", value, 0, 1, "0 is black, 1 is white")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Repeat the color. Raises `RecipeError` for another number of channels."""
        values = self.value if isinstance(self.value, tuple) else (self.value,) * len(pixels)
        if len(values) != len(pixels):
            expected = f"{len(pixels)} values, one per channel"
            raise RecipeError(expected, f"{len(values)}", "give one value for all channels")
        return _broadcast(torch.tensor(values), pixels)


@dataclass(frozen=True)
class Blur(Fill):
    """A Gaussian blur of the kept pixels, normalized by their weight.

    r = G(x · kept) / G(kept), where `kept` is 1 at pixels that aren't erased. A blur of the whole image would leave a
    faint copy of the erased evidence in place. Far from all kept pixels, where G(kept) vanishes, r is the mean color.

    Attributes:
        sigma_px: The standard deviation of the blur in px, above 0.

    Raises `RecipeError` for a standard deviation out of range.
    """

    sigma_px: float = 8.0

    def __post_init__(self) -> None:
        require_numbers(self)
        require_between("sigma_px of a blur", self.sigma_px, 0, 1000, "8 suits 224 x 224", above=True)

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Blur the kept pixels into the erased area."""
        kept = ~covered.cpu()
        values = torch.cat([torch.where(kept, pixels.cpu().double(), 0.0), kept.double()[None]])
        # Replacements are needed in the box of erased pixels only, and only the box of kept ones adds to them.
        wanted = _box(~kept)
        *blurred, weight = gaussian_blur(values, self.sigma_px, _box(kept), wanted)
        mean = _broadcast(fill_context.mean, pixels).cpu().double()
        result = mean.clone()
        part = (slice(None), *wanted)
        result[part] = (torch.stack(blurred) + 1e-6 * mean[part]) / (weight + 1e-6)
        return result.to(pixels)


def gaussian_blur(
    values: Float[Tensor, "c *grid"], sigma_px: float, known: tuple[slice, ...], wanted: tuple[slice, ...]
) -> Float[Tensor, "c *wanted"]:
    """Convolve every channel with a Gaussian, with zeros outside the box `known`, as one matrix product per axis.

    Returns the box `wanted` of the result. A wide kernel has about as many taps as an axis has pixels, so products take
    no more operations than the convolution, and are several times as fast.
    """
    sides, values = values.shape[1:], values[(slice(None), *known)]
    for axis, (side, inputs, outputs) in enumerate(zip(sides, known, wanted, strict=True), start=1):
        weights = _gaussian_matrix(side, sigma_px)[outputs, inputs].to(values)
        # PyTorch knows lists of dimensions here, its type hints do not.
        product = torch.tensordot(values, weights, dims=([axis], [1]))  # pyright: ignore[reportArgumentType]
        values = product.movedim(-1, axis)
    return values


def _box(inside: Bool[Tensor, "*grid"]) -> tuple[slice, ...]:
    """The smallest box around the pixels inside; empty if there are none."""
    points = torch.nonzero(inside)
    if not len(points):
        return (slice(0, 0),) * inside.ndim
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(points.amin(0), points.amax(0), strict=True))


@lru_cache(maxsize=16)
def _gaussian_matrix(side: int, sigma_px: float) -> Float[Tensor, "n n"]:
    """Row i holds the weights of a Gaussian around pixel i, cut at 4 standard deviations; whole kernels sum to 1."""
    radius = int(4 * sigma_px + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    total = torch.exp(-0.5 * (offsets / sigma_px) ** 2).sum()
    places = torch.arange(side, dtype=torch.float64)
    apart = (places[:, None] - places).abs()
    return torch.where(apart <= radius, torch.exp(-0.5 * (apart / sigma_px) ** 2) / total, 0.0)


@dataclass(frozen=True)
class Noise(Fill):
    """The mean color plus Gaussian noise, clipped to [0, 1].

    Attributes:
        level: The standard deviation of the noise in pixel units, in (0, 1].

    Raises `RecipeError` for a level out of range.
    """

    level: float = 0.2

    def __post_init__(self) -> None:
        require_numbers(self)
        require_between("a noise level", self.level, 0, 1, "0.2 is usual", above=True)

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Draw the noise; it is the same in every round of a run, so rounds differ only in what is erased."""
        unit = torch.randn(pixels.shape, generator=seeded_generator(f"{fill_context.stream}/fill", 0)).to(pixels)
        return (_broadcast(fill_context.mean, pixels) + self.level * unit).clamp(0, 1)


@dataclass(frozen=True)
class Inpaint(Fill):
    """Inpainting from the border of the erased area inwards by OpenCV (Telea 2004); needs `unveil[inpaint]`.

    For two-dimensional images only.

    Attributes:
        radius_px: The radius in px of the neighborhood that a pixel is computed from, 1 to 100.

    Raises `RecipeError` for a radius out of range.
    """

    radius_px: int = 5

    def __post_init__(self) -> None:
        require_numbers(self)
        require_between("radius_px of an inpainting", self.radius_px, 1, 100, "5 is usual")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Inpaint every channel, at 8 bits."""
        return torch.from_numpy(inpaint(pixels.cpu().numpy(), covered.cpu().numpy(), self.radius_px)).to(pixels)


@dataclass(frozen=True)
class SoftEdge(Fill):
    """Another fill with a soft edge, which fades into the image around the erased area.

    cover(d) = (1 + cos(π d / width_px)) / 2 at a distance of d < width_px, and 1 at erased pixels. Erased pixels are
    replaced completely, and no hard edge is left that the classifier could respond to.

    Attributes:
        fill: The fill of the erased area.
        width_px: The width of the edge in px, 1 to 1000.

    Raises `RecipeError` for a width out of range.
    """

    fill: Fill = field(default_factory=Mean)
    width_px: int = 8

    def __post_init__(self) -> None:
        require_numbers(self)
        require_between("width_px of a soft edge", self.width_px, 1, 1000, "8 is usual; a hard edge needs no SoftEdge")

    def replacement(
        self, pixels: Float[Tensor, "c *grid"], covered: Bool[Tensor, "*grid"], fill_context: FillContext
    ) -> Float[Tensor, "c *grid"]:
        """Compute the inner fill for all pixels with a cover above 0, so that a blur doesn't use the fading edge."""
        return self.fill.replacement(pixels, covered, fill_context)

    def cover(self, erased: Bool[Tensor, "*grid"]) -> Float[Tensor, "*grid"]:
        """Compute a raised cosine of the distance to the erased area."""
        distance = distance_px(erased.cpu().numpy())
        near = distance < self.width_px
        cover = np.zeros(distance.shape, np.float32)
        cover[near] = (1 + np.cos(np.pi * (distance[near] / self.width_px))) / 2
        return torch.from_numpy(cover).to(erased.device)


def _broadcast(color: Float[Tensor, "c"], pixels: Float[Tensor, "c *grid"]) -> Float[Tensor, "c *grid"]:
    return color.to(pixels).reshape(-1, *(1,) * (pixels.ndim - 1)).expand_as(pixels)
