"""Parametrizations: the parameters that the ascent changes, and the image computed from them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.codec import require_numbers
from unveil.errors import RecipeError

START = 0.01  # standard deviation of the initial parameters
CORRELATION = 0.9  # assumed between any two color channels


class Parametrization(ABC):
    """Base class of parametrizations: how parameters become an image with pixels in [0, 1]."""

    @abstractmethod
    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "*any"]:
        """Draw the parameters of the initial image; `shape` is (c, h, w), `mean` has one value per channel."""

    @abstractmethod
    def pixels(self, parameters: Float[Tensor, "*any"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """Compute the image of this `shape` (c, h, w) from its `parameters`; differentiable."""

    def project(self, parameters: Float[Tensor, "*any"]) -> None:
        """Clip parameters that are out of range after a step, in place."""
        return


@dataclass(frozen=True)
class Pixels(Parametrization):
    """The pixels themselves, clipped to [0, 1] after every step (Erhan et al. 2009).

    The ascent starts from the mean color with a little noise. Every pixel changes independently, so images are rough.
    """

    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """Draw mean color + N(0, 0.01²), clipped to [0, 1]."""
        return (torch.tensor(mean)[:, None, None] + START * torch.randn(shape, generator=noise)).clamp(0, 1)

    def pixels(self, parameters: Float[Tensor, "c h w"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """Return the parameters, which are the pixels."""
        return parameters[None]

    def project(self, parameters: Float[Tensor, "c h w"]) -> None:
        """Clip to [0, 1]."""
        parameters.clamp_(0, 1)


@dataclass(frozen=True)
class Fourier(Parametrization):
    """Complex amplitudes z of spatial frequencies (Olah, Mordvintsev and Schubert 2017, *Feature visualization*).

    x = sigmoid(M · irfft2(z / max(f, 1/max(h, w))^decay)), where f is the frequency in cycles per pixel, irfft2 is
    orthonormal, and M mixes colors. A step of equal size in every amplitude changes coarse structure more than fine
    structure, as in natural images, whose amplitudes fall with 1/f.

    Attributes:
        decay: The exponent, from 0 (all frequencies are equal) to 4.
        decorrelate: Whether M is `colors()` for images with three channels; otherwise M is the identity.

    Raises `RecipeError` for a decay out of range.
    """

    decay: float = 1.0
    decorrelate: bool = True

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 <= self.decay <= 4:
            raise RecipeError("a decay from 0 to 4", str(self.decay), "1 is the decay of natural images")

    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "c h half 2"]:
        """Draw real and imaginary parts from N(0, 0.01²): an almost uniform gray."""
        channels, height, width = shape
        return START * torch.randn(channels, height, width // 2 + 1, 2, generator=noise)

    def pixels(self, parameters: Float[Tensor, "c h half 2"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """Compute the image by the formula of the class."""
        grid = shape[1:]
        amplitudes = torch.view_as_complex(parameters) * self.gain(grid).to(parameters.device)
        planes = torch.fft.irfft2(amplitudes, s=grid, norm="ortho")
        if self.decorrelate and len(planes) == 3:
            planes = torch.tensordot(colors().to(planes), planes, dims=1)
        return planes.sigmoid()[None]

    def gain(self, grid: tuple[int, ...]) -> Float[Tensor, "h half"]:
        """Compute 1 / max(f, 1/max(h, w))^decay for every frequency on this `grid`, in the order of `rfft2`.

        The lower bound is the lowest frequency along the longer side; it keeps the mean color finite.
        """
        height, width = grid
        f = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
        return f.clamp(min=1 / max(grid)) ** -self.decay


def colors() -> Float[Tensor, "3 3"]:
    """Compute the matrix M that maps three uncorrelated planes of equal variance to correlated red, green and blue.

    The three channels are assumed to have equal variances and pairwise correlations ρ = 0.9, so their covariance is
    C = (1 − ρ) I + ρ 11ᵀ. Its axes are lightness, (1, 1, 1)/√3, with variance 1 + 2ρ, and two color axes with variance
    1 − ρ: red − blue, (1, 0, −1)/√2, and green − magenta, (−1, 2, −1)/√6. M = V √Λ, so M Mᵀ = C. In these planes a step
    of the ascent changes lightness √(2.8 / 0.1) = 5.3 times as much as a color; in plain channels both would change
    equally, and colors would be too strong.
    """
    axes = torch.tensor([[1.0, 1.0, -1.0], [1.0, 0.0, 2.0], [1.0, -1.0, -1.0]])
    lengths = torch.tensor([3.0, 2.0, 6.0])
    variances = torch.tensor([1 + 2 * CORRELATION, 1 - CORRELATION, 1 - CORRELATION])
    return axes * (variances / lengths).sqrt()
