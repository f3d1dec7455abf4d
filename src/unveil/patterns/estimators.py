"""Estimators of the signal: from sums over samples to one pattern a unit.

A linear unit y = w·x (its bias left out) sees x = s + d: signal, which y tells of, and distractor, which w filters
out. An estimator is optimal if nothing of y is left in the distractor: cov[y, x] = cov[y, S(x)] (eq. 2 of the paper).
All of them give a pattern a with w·a = 1.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over samples for the units of one layer, float64; `active` marks the samples in a unit's regime.

    `count` N; `y` Σ y; and over the active samples `n` Σ 1, `x` Σ x, `xy` Σ x·y. Counted first, divided last: sums of
    two sets of samples add up.
    """

    count: Float[Tensor, ""]
    y: Float[Tensor, "units"]
    n: Float[Tensor, "units"]
    x: Float[Tensor, "units inputs"]
    xy: Float[Tensor, "units inputs"]

    @classmethod
    def of(
        cls,
        inputs: Float[Tensor, "samples inputs"],
        outputs: Float[Tensor, "samples units"],
        active: Bool[Tensor, "samples units"],
    ) -> "Sums":
        """The sums of one batch."""
        gate = active.to(inputs.dtype)
        return cls(
            torch.tensor(float(len(inputs)), dtype=torch.float64),
            outputs.sum(0),
            gate.sum(0),
            gate.T @ inputs,
            (gate * outputs).T @ inputs,
        )

    def __add__(self, other: "Sums") -> "Sums":
        """The sums of both sets of samples."""
        return Sums(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


class Estimator(ABC):
    """How a pattern follows from sums; and which samples are in a unit's regime."""

    @abstractmethod
    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """Which samples count for which unit, by its value with its bias, before the rectifier."""

    def patterns(self, sums: Sums, weights: Float[Tensor, "units inputs"]) -> Float[Tensor, "units inputs"]:
        """a = c / (w·c) with c = E₊[x·y] − E₊[x]·E[y], in units of the input per unit of the output.

        E₊ runs over the samples in the regime, **E[y] over all of them**: with the conditional mean in its place the
        estimator isn't optimal any more. A unit that is never active, or whose w·c vanishes, has no pattern: zeros.
        """
        n = sums.n.clamp(min=1)[:, None]
        covariance = sums.xy / n - (sums.x / n) * (sums.y / sums.count.clamp(min=1))[:, None]
        scale = (weights * covariance).sum(1, keepdim=True)
        # Rounding leaves about 1e-16 of the sums where the true value is 0.
        floor = 1e-12 * (weights * (sums.xy / n)).abs().sum(1, keepdim=True)
        return torch.where(scale.abs() > floor, covariance / torch.where(scale == 0, 1.0, scale), 0.0)


@dataclass(frozen=True)
class TwoComponent(Estimator):
    """S_{a+−} in its positive regime (eq. 8): what the signal is while the unit's rectifier is open.

    The regime is `w·x + b > 0`, with the bias: that is when a rectifier passes. The paper writes w·x > 0, its authors'
    code takes the rectifier's output, as here.
    """

    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """Where the unit is positive."""
        return activations > 0


@dataclass(frozen=True)
class LinearEstimator(Estimator):
    """S_a (eq. 4): a = cov[x, y] / var[y], over all samples."""

    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """Everywhere."""
        return torch.ones_like(activations, dtype=torch.bool)
