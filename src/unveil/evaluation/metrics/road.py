"""ROAD (Rong et al. 2022): remove pixels in the order of a map, or against it, and impute them from what is left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.errors import RecipeError
from unveil.evaluation.metrics.curves import PerturbationCurve
from unveil.evaluation.metrics.imputation import imputed
from unveil.evaluation.metrics.probe import Probe
from unveil.seeding import seeded_generator

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NOISE = 0.01  # in pixel units


@dataclass(frozen=True, eq=False)
class Road:
    """Curves for the most relevant first (low is good) and for the least relevant first (high is good)."""

    morf: PerturbationCurve
    lerf: PerturbationCurve

    @property
    def gap(self) -> float:
        """Half the difference of the mean scores, least relevant first minus most relevant first: 0 for a random map,
        high is good."""
        return float(self.lerf.scores.mean() - self.morf.scores.mean()) / 2


def road(
    probe: Probe, saliency: Float[np.ndarray, "h w"], shares: Sequence[float] = SHARES, noise: float = NOISE
) -> Road:
    """Both curves at every share of pixels removed.

    Removed pixels are imputed linearly (`imputed`), so that little is left to see of which ones they were, and get
    Gaussian noise of standard deviation `noise` in pixel units. The noise is named by the seed and the share: the same
    in both orders and for every map. Raises `RecipeError` for shares that don't rise between 0 and 1.
    """
    if not shares or shares[0] < 0 or shares[-1] >= 1 or any(np.diff(shares) <= 0):
        raise RecipeError("rising shares, from 0 and below 1", str(tuple(shares)), "0.1, 0.2, … 0.9 are usual")
    ranks = probe.ranks(saliency)
    counts = [round(share * saliency.size) for share in shares]
    most = [ranks < count for count in counts]
    least = [ranks >= saliency.size - count for count in counts]
    reached = np.array(counts) / saliency.size
    morf, lerf = (probe.ask(_without(probe, missing, noise)) for missing in (most, least))
    return Road(PerturbationCurve(reached, morf.score, morf.kept), PerturbationCurve(reached, lerf.score, lerf.kept))


def _without(
    probe: Probe, missing: Sequence[Bool[np.ndarray, "h w"]], noise: float
) -> Iterator[Float[Tensor, "c h w"]]:
    pixels = probe.pixels.cpu().double()
    for number, gone in enumerate(missing):
        unit = torch.randn(pixels.shape, generator=seeded_generator(f"{probe.seed}/road", number), dtype=torch.float64)
        filled = torch.from_numpy(imputed(pixels.numpy(), gone)) + noise * unit
        yield torch.where(torch.from_numpy(gone), filled, pixels).to(probe.pixels)
