"""Saliency: one non-negative map made from a signed attribution."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unveil.attribution.base import Moments
from unveil.box_filter import box_mean, require_odd


class Magnitude(ABC):
    """How signed gradients of all channels become one non-negative number a pixel, in logits per unit of pixel
    value."""

    @abstractmethod
    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """One map a target."""


@dataclass(frozen=True)
class L2(Magnitude):
    """S = sqrt(Σ_c m_c²)."""

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Euclidean length over the channels."""
        return moments.mean.square().sum(dim=1).sqrt().cpu().numpy()


@dataclass(frozen=True)
class MaxAbs(Magnitude):
    """S = max_c |m_c|, as in Simonyan et al. 2013."""

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Largest absolute value over the channels."""
        return moments.mean.abs().amax(dim=1).cpu().numpy()


@dataclass(frozen=True)
class PositiveSum(Magnitude):
    """S = max(0, Σ_c m_c): what speaks for the target only; for maps whose sign means something, as those of `Rise`."""

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """The sum over the channels, where it is positive."""
        return moments.mean.sum(dim=1).clamp(min=0).cpu().numpy()


@dataclass(frozen=True)
class UnbiasedL2(Magnitude):
    """S = sqrt(max(0, box mean of Σ_c (m_c² − v_c/n))).

    With n samples E[m_c²] is the true square plus v_c/n, so the plain length adds a floor of noise that hides weak
    evidence. The estimate of that floor is taken off before anything non-linear happens: first the difference, then a
    mean over `size_px` × `size_px` pixels (zero outside the image), only then clamped at 0. With a single sample
    nothing is taken off.
    """

    size_px: int = 5

    def __post_init__(self) -> None:
        require_odd(self.size_px, "5 is usual")

    def saliency(self, moments: Moments) -> Float[np.ndarray, "t *grid"]:
        """Length over the channels, less its noise."""
        power = (moments.mean.square() - moments.variance_of_mean).sum(dim=1).cpu().numpy()
        return np.sqrt(np.stack([box_mean(one, self.size_px) for one in power]).clip(min=0))


@dataclass(frozen=True)
class ShrunkL2(Magnitude):
    """S = |m| · sqrt(max(0, B(|m|² − Σ_c v_c/n)) / B(|m|²)): the length, less where its surroundings are mostly noise.

    B is the mean over `size_px` × `size_px` pixels. The factor is the share of the local power that isn't noise, as in
    a Wiener filter, with both powers estimated on the spot: near 1 where the samples agree, 0 where they don't. With
    many samples S becomes `L2`, and keeps its detail; with few it is closer to the `L2` of many than that of few is
    (docs/speed.md). With a single sample nothing is known of the noise, and S is `L2`.
    """

    size_px: int = 9

    def __post_init__(self) -> None:
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
