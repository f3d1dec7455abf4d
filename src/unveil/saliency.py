"""Saliency maps: one non-negative value per pixel from a signed attribution."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.attribution.base import Moments
from unveil.box_filter import box_mean, require_odd
from unveil.codec import require_numbers


class Magnitude(ABC):
    """Base class of magnitudes: how signed gradients of all channels become one non-negative value per pixel.

    Values are in logits per unit of pixel value, or in the attribution's own unit. In the formulas, m_c is the mean
    gradient of channel c over n samples, and v_c its sample variance.
    """

    @abstractmethod
    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """One map per target: (t, c, *grid) moments to a (t, *grid) array."""


@dataclass(frozen=True)
class L2(Magnitude):
    """The Euclidean length over the channels, S = sqrt(Σ_c m_c²).

    >>> import torch
    >>> moments = Moments(1, torch.tensor([[[3.0], [4.0]]]), torch.zeros(1, 2, 1))
    >>> L2().saliency(moments).tolist()
    [[5.0]]
    """

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Euclidean length over the channels."""
        return moments.mean.square().sum(dim=1).sqrt().cpu().numpy()


@dataclass(frozen=True)
class MaxAbs(Magnitude):
    """The largest absolute value over the channels, S = max_c |m_c| (Simonyan et al. 2013)."""

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Largest absolute value over the channels."""
        return moments.mean.abs().amax(dim=1).cpu().numpy()


@dataclass(frozen=True)
class PositiveSum(Magnitude):
    """The positive part of the sum over the channels, S = max(0, Σ_c m_c): evidence for the target only.

    For attributions whose sign has a meaning, such as `Rise`.
    """

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """The sum over the channels, where it is positive."""
        return moments.mean.sum(dim=1).clamp(min=0).cpu().numpy()


@dataclass(frozen=True)
class UnbiasedL2(Magnitude):
    """The length over the channels without its bias by noise: S = sqrt(max(0, box mean of Σ_c (m_c² − v_c/n))).

    With n samples, E[m_c²] is the true square plus v_c/n, so `L2` has a noise floor that hides weak evidence. The
    estimated floor is subtracted before any nonlinear step: first the difference, then the box mean (zero outside the
    image), then the clamp at 0. With a single sample nothing is subtracted.

    Attributes:
        size_px: The side length of the box in px; odd.

    Raises `RecipeError` for an even size.
    """

    size_px: int = 5

    def __post_init__(self) -> None:
        require_numbers(self)
        require_odd(self.size_px, "5 is usual")

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Euclidean length over the channels, without its noise floor."""
        power = (moments.mean.square() - moments.variance_of_mean).sum(dim=1).cpu().numpy()
        return np.sqrt(np.stack([box_mean(channel_sum, self.size_px) for channel_sum in power]).clip(min=0))


@dataclass(frozen=True)
class ShrunkL2(Magnitude):
    """The length over the channels, shrunk where most is noise: S = |m| · sqrt(max(0, B(|m|² − Σ_c v_c/n)) / B(|m|²)).

    B is the mean over a box. The factor is the share of the local power that isn't noise, as in
    a Wiener filter whose powers are estimated locally: near 1 where the samples agree, 0 where they don't. With many
    samples S approaches `L2` and keeps its detail; with few samples S is closer to the `L2` of many samples than the
    `L2` of few is (docs/speed.md). With a single sample the noise is unknown, and S is `L2`.

    Attributes:
        size_px: The side length of the box in px; odd.

    Raises `RecipeError` for an even size.
    """

    size_px: int = 9

    def __post_init__(self) -> None:
        require_numbers(self)
        require_odd(self.size_px, "9 is usual")

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Length over the channels, times the local share of signal."""
        power = moments.mean.square().sum(dim=1).cpu().numpy()
        noise = moments.variance_of_mean.sum(dim=1).cpu().numpy()
        return np.stack([self._shrunk(*pair) for pair in zip(power, noise, strict=True)])

    def _shrunk(
        self, power: Float[np.ndarray, "*grid"], noise: Float[np.ndarray, "*grid"]
    ) -> Float[np.ndarray, "*grid"]:
        around = box_mean(power, self.size_px)
        share = np.zeros_like(around)
        np.divide(box_mean(power - noise, self.size_px), around, out=share, where=around > 0)
        return np.sqrt(power * share.clip(min=0))
