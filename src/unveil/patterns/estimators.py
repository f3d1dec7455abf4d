"""Estimators of the signal: they compute one pattern per unit from sums over samples.

The input of a linear unit y = w·x (without its bias) is x = s + d: the signal s, which determines y, and the
distractor d, which w filters out. An estimator S is optimal if the distractor has no information on y:
cov[y, x] = cov[y, S(x)] (eq. 2 of the paper). All estimators give a pattern a with w·a = 1.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over samples for the units of one layer, in float64; sums of two sets of samples add up.

    Attributes:
        count: The number of samples N.
        y: Σ y over all samples.
        n: The number of active samples of each unit.
        x: Σ x over the active samples.
        xy: Σ x·y over the active samples.
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
        """Compute the sums of one batch; `active` marks the samples that count for a unit."""
        gate = active.to(inputs.dtype)
        return cls(
            torch.tensor(float(len(inputs)), dtype=torch.float64),
            outputs.sum(0),
            gate.sum(0),
            gate.T @ inputs,
            (gate * outputs).T @ inputs,
        )

    def __add__(self, other: "Sums") -> "Sums":
        """Add the sums of two sets of samples."""
        return Sums(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


class Estimator(ABC):
    """Base class of estimators: which samples count for a unit, and how its pattern is computed from sums."""

    @abstractmethod
    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """Choose the samples that count for each unit, by `activations`: outputs with bias, before the rectifier."""

    def patterns(self, sums: Sums, weights: Float[Tensor, "units inputs"]) -> Float[Tensor, "units inputs"]:
        """Compute a = c / (w·c) with c = E₊[x·y] − E₊[x]·E[y], in units of the input per unit of the output.

        `sums` are those of one layer with these `weights`. E₊ is the mean over the active samples, but **E[y] is the
        mean over all samples**: with the conditional mean the estimator isn't optimal any more. A unit that is never
        active, or whose w·c vanishes, has no pattern: zeros.
        """
        n = sums.n.clamp(min=1)[:, None]
        covariance = sums.xy / n - (sums.x / n) * (sums.y / sums.count.clamp(min=1))[:, None]
        scale = (weights * covariance).sum(1, keepdim=True)
        # Rounding leaves about 1e-16 of the sums where the true value is 0.
        floor = 1e-12 * (weights * (sums.xy / n)).abs().sum(1, keepdim=True)
        return torch.where(scale.abs() > floor, covariance / torch.where(scale == 0, 1.0, scale), 0.0)


@dataclass(frozen=True)
class TwoComponent(Estimator):
    """S_{a+−} in its positive regime (Kindermans et al. 2017, eq. 8): the signal while the unit's rectifier is open.

    A sample is active if w·x + b > 0, with the bias, because a rectifier passes positive values. The paper writes
    w·x > 0; the authors' code uses the rectifier's output, as here.

    >>> x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    >>> w = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    >>> y = x @ w.T
    >>> TwoComponent().patterns(Sums.of(x, y, TwoComponent().active(y)), w).tolist()
    [[1.0, 0.0]]
    """

    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """True where `activations` are positive."""
        return activations > 0


@dataclass(frozen=True)
class LinearEstimator(Estimator):
    """S_a (Kindermans et al. 2017, eq. 4): a = cov[x, y] / var[y], over all samples."""

    def active(self, activations: Float[Tensor, "samples units"]) -> Bool[Tensor, "samples units"]:
        """True for all `activations`."""
        return torch.ones_like(activations, dtype=torch.bool)
