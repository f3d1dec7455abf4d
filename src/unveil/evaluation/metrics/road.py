"""ROAD (Rong et al. 2022): remove pixels in the order of a map or in reverse, and impute them from the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.errors import RecipeError
from unveil.evaluation.metrics.curves import PerturbationCurve
from unveil.evaluation.metrics.imputation import impute
from unveil.evaluation.metrics.probe import Probe
from unveil.seeding import seeded_generator

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NOISE = 0.01  # in pixel units


@dataclass(frozen=True, eq=False)
class RoadCurves:
    """Curves for the most relevant pixels first (`morf`, lower is better) and the least relevant first (`lerf`, higher
    is better)."""

    morf: PerturbationCurve
    lerf: PerturbationCurve

    @property
    def gap(self) -> float:
        """Half the difference of the mean scores, least relevant first minus most relevant first: 0 for a random map,
        higher is better."""
        return float(self.lerf.scores.mean() - self.morf.scores.mean()) / 2


def road(
    probe: Probe, saliency: Float[np.ndarray, "h w"], shares: Sequence[float] = SHARES, noise: float = NOISE
) -> RoadCurves:
    """Both curves at every share of pixels removed.

    Removed pixels are imputed linearly (`impute`), so the image barely shows which pixels they were, and get Gaussian
    noise of standard deviation `noise` in pixel units. The noise depends on the seed and the share only: it is the same
    in both orders and for every map. Raises `RecipeError` unless shares rise, from at least 0 to below 1.
    """
    if not shares or shares[0] < 0 or shares[-1] >= 1 or any(np.diff(shares) <= 0):
        raise RecipeError("rising shares, from 0 and below 1", str(tuple(shares)), "0.1, 0.2, … 0.9 are usual")
    ranks = probe.ranks(saliency)
    counts = [round(share * saliency.size) for share in shares]
    most_relevant = [ranks < count for count in counts]
    least_relevant = [ranks >= saliency.size - count for count in counts]
    removed = np.array(counts) / saliency.size
    orders = (most_relevant, least_relevant)
    morf, lerf = (probe.evaluate(_without(probe, missing, noise)) for missing in orders)
    return RoadCurves(
        PerturbationCurve(removed, morf.score, morf.kept), PerturbationCurve(removed, lerf.score, lerf.kept)
    )


def _without(
    probe: Probe, missing: Sequence[Bool[np.ndarray, "h w"]], noise: float
) -> Iterator[Float[Tensor, "c h w"]]:
    pixels = probe.pixels.cpu().double()
    for number, gone in enumerate(missing):
        unit = torch.randn(pixels.shape, generator=seeded_generator(f"{probe.seed}/road", number), dtype=torch.float64)
        filled = torch.from_numpy(impute(pixels.numpy(), gone)) + noise * unit
        yield torch.where(torch.from_numpy(gone), filled, pixels).to(probe.pixels)
