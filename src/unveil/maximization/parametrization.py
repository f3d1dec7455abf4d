"""Parametrizations: what the ascent moves, and the image that it stands for."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.errors import RecipeError

START = 0.01  # standard deviation of what the ascent starts from
CORRELATION = 0.9  # assumed between any two color channels


class Parametrization(ABC):
    """How free parameters become an image of pixels in [0, 1]."""

    @abstractmethod
    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "*any"]:
        """Parameters of an image that shows nothing yet; `shape` is channels, height, width, `mean` has a value a
        channel."""

    @abstractmethod
    def pixels(self, parameters: Float[Tensor, "*any"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """The image; differentiable."""

    def project(self, parameters: Float[Tensor, "*any"]) -> None:
        """Bring parameters that a step has carried out of their range back into it, in place."""
        return


@dataclass(frozen=True)
class Pixels(Parametrization):
    """The pixels themselves, cut to [0, 1] after every step. Starts from the mean color with a little noise.

    Every pixel moves for itself, so what comes out is rough; Erhan et al. 2009.
    """

    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "c h w"]:
        """Mean color + N(0, 0.01²), cut to [0, 1]."""
        return (torch.tensor(mean)[:, None, None] + START * torch.randn(shape, generator=noise)).clamp(0, 1)

    def pixels(self, parameters: Float[Tensor, "c h w"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """As they are."""
        return parameters[None]

    def project(self, parameters: Float[Tensor, "c h w"]) -> None:
        """Cut to [0, 1]."""
        parameters.clamp_(0, 1)


@dataclass(frozen=True)
class Fourier(Parametrization):
    """Complex amplitudes of spatial frequencies, after Olah, Mordvintsev and Schubert 2017 (*Feature visualization*).

    x = sigmoid(M · irfft2(z / max(f, 1/max(h, w))^decay)), where f is the frequency in cycles a pixel, irfft2 is
    orthonormal, and M mixes colors. A step of the same size in every amplitude then changes coarse structure more than
    fine, as natural images have it (amplitudes fall with 1/f). With `decay=0` all frequencies are alike. `decorrelate`:
    for three channels M is `colors()`, else, and for any other number of channels, the identity.
    """

    decay: float = 1.0
    decorrelate: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 4:
            raise RecipeError("a decay from 0 to 4", str(self.decay), "1 is that of natural images")

    def start(
        self, shape: tuple[int, int, int], mean: tuple[float, ...], noise: torch.Generator
    ) -> Float[Tensor, "c h half 2"]:
        """Real and imaginary parts of N(0, 0.01²) each: an almost even gray."""
        channels, height, width = shape
        return START * torch.randn(channels, height, width // 2 + 1, 2, generator=noise)

    def pixels(self, parameters: Float[Tensor, "c h half 2"], shape: tuple[int, int, int]) -> Float[Tensor, "1 c h w"]:
        """The formula above."""
        grid = shape[1:]
        amplitudes = torch.view_as_complex(parameters) * self.gain(grid).to(parameters.device)
        planes = torch.fft.irfft2(amplitudes, s=grid, norm="ortho")
        if self.decorrelate and len(planes) == 3:
            planes = torch.tensordot(colors().to(planes), planes, dims=1)
        return planes.sigmoid()[None]

    def gain(self, grid: tuple[int, ...]) -> Float[Tensor, "h half"]:
        """1 / max(f, 1/max(h, w))^decay for every frequency of a real image, in the order of `rfft2`.

        The floor is the lowest frequency that the longer side can hold; it keeps the mean color finite.
        """
        height, width = grid
        f = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
        return f.clamp(min=1 / max(grid)) ** -self.decay


def colors() -> Float[Tensor, "3 3"]:
    """The matrix M from three independent planes of equal variance to red, green and blue as they vary together.

    Assumed: the three channels vary equally, and any two with correlation ρ = 0.9, so their covariance is
    C = (1 − ρ) I + ρ 11ᵀ. Its axes are lightness (1, 1, 1)/√3 with variance 1 + 2ρ, and two color axes with 1 − ρ, for
    which red − blue, (1, 0, −1)/√2, and green − magenta, (−1, 2, −1)/√6, are taken. M = V √Λ, so M Mᵀ = C. In these
    planes a step of the ascent changes lightness √(2.8 / 0.1) = 5.3 times as much as a color; in plain channels
    lightness and color would change alike, and the images come out garish.
    """
    axes = torch.tensor([[1.0, 1.0, -1.0], [1.0, 0.0, 2.0], [1.0, -1.0, -1.0]])
    lengths = torch.tensor([3.0, 2.0, 6.0])
    variances = torch.tensor([1 + 2 * CORRELATION, 1 - CORRELATION, 1 - CORRELATION])
    return axes * (variances / lengths).sqrt()
