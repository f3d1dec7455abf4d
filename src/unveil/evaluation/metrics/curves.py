"""Deletion and insertion (Petsiuk et al. 2018, RISE): the score while the most salient pixels are changed first."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from unveil.bootstrap import Estimate
from unveil.errors import RecipeError
from unveil.evaluation.metrics.labels import LabelMeasurement, estimate_by_label
from unveil.evaluation.metrics.probe import Probe

STEPS = 224  # one row of a 224 x 224 image per step
BLUR_PX, BLUR_SIGMA_PX = 11, 5.0


@dataclass(frozen=True, eq=False)
class PerturbationCurve:
    """The score of one image while its pixels are changed.

    Attributes:
        shares: The shares of the pixels that are changed, in [0, 1].
        scores: The score at each share.
        kept: Whether the class is still predicted at each share; None for a target that isn't a single class.
    """

    shares: Float[np.ndarray, "points"]
    scores: Float[np.ndarray, "points"]
    kept: Bool[np.ndarray, "points"] | None

    @property
    def auc(self) -> float:
        """∫ score d(share) by the trapezoidal rule, over the range of the shares: the mean height of the curve."""
        widths = np.diff(self.shares)
        return float((widths * (self.scores[1:] + self.scores[:-1])).sum() / (2 * widths.sum()))


def deletion(probe: Probe, saliency: Float[np.ndarray, "*map"], steps: int = STEPS) -> PerturbationCurve:
    """The score while pixels become the mean color of the training data, in `steps` equal steps (lower is better)."""
    mean = probe.pixels.new_tensor(probe.classifier.preprocessing.mean).reshape(-1, *(1,) * (probe.pixels.ndim - 1))
    return _exchange(probe, saliency, probe.pixels, mean.expand_as(probe.pixels), steps)


def insertion(probe: Probe, saliency: Float[np.ndarray, "*map"], steps: int = STEPS) -> PerturbationCurve:
    """The score while the pixels of a blurred image become those of the image itself (higher is better)."""
    return _exchange(probe, saliency, blur_image(probe), probe.pixels, steps)


def blur_image(probe: Probe) -> Float[Tensor, "c *grid"]:
    """The image convolved with RISE's kernel: a Gaussian of 5 px on 11 px per side, its tails folded back in, with the
    mean color outside the image."""
    impulse = np.zeros(BLUR_PX)
    impulse[BLUR_PX // 2] = 1
    weights = ndimage.gaussian_filter1d(impulse, BLUR_SIGMA_PX)
    mean = np.array(probe.classifier.preprocessing.mean).reshape(-1, *(1,) * (probe.pixels.ndim - 1))
    values = probe.pixels.cpu().double().numpy() - mean
    for axis in range(1, values.ndim):
        values = ndimage.correlate1d(values, weights, axis, mode="constant")
    return torch.from_numpy(values + mean).to(probe.pixels)


def _exchange(
    probe: Probe,
    saliency: Float[np.ndarray, "*map"],
    first: Float[Tensor, "c *grid"],
    last: Float[Tensor, "c *grid"],
    steps: int,
) -> PerturbationCurve:
    ranks = torch.from_numpy(probe.ranks(saliency)).to(first.device)
    if not 1 <= steps <= saliency.size:
        raise RecipeError(f"1 to {saliency.size} steps", str(steps), "224 is as published")
    counts = np.round(np.linspace(0, saliency.size, steps + 1)).astype(int)
    scores = probe.evaluate(torch.where(ranks < count, last, first) for count in counts.tolist())
    return PerturbationCurve(counts / saliency.size, scores.score, scores.kept)


@dataclass(frozen=True)
class CurveSummary:
    """Means over the curves of several images.

    Attributes:
        images: The number of images.
        auc: The area under the curve.
        shares: The shares of the pixels that are changed.
        scores: The score at each share.
        kept: The share of images whose class is still predicted (the accuracy of ROAD, if all were right at first).
    """

    images: int
    auc: Estimate
    shares: tuple[float, ...] = ()
    scores: tuple[Estimate, ...] = ()
    kept: tuple[Estimate, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "images": self.images,
            **self.auc.as_dict("auc"),
            "shares": list(self.shares),
            **_columns("scores", self.scores),
            **_columns("kept", self.kept),
        }


def _columns(name: str, estimates: Sequence[Estimate] | None) -> dict[str, Any]:
    """The values as one list, the intervals as another; None where they are unknown."""
    if estimates is None:
        return {name: None, f"{name}_95": None}
    intervals = [estimate.interval for estimate in estimates]
    pairs = None if None in intervals else [list(pair) for pair in intervals if pair is not None]
    return {name: [estimate.value for estimate in estimates], f"{name}_95": pairs}


def summarize_curves(curves: Sequence[PerturbationCurve], groups: Sequence[Hashable], seed: int = 0) -> CurveSummary:
    """Means over images, with intervals by drawing groups.

    `kept` is None unless all curves are about a single class. Raises `RecipeError` for curves of different shares.
    """
    if not curves:
        return CurveSummary(0, Estimate(None))
    shares = curves[0].shares
    if any(not np.array_equal(curve.shares, shares) for curve in curves):
        raise RecipeError(
            "curves with the same shares", "different ones", "use images of one size and one number of steps"
        )
    items = [LabelMeasurement("", group) for group in groups]
    kept = [np.zeros(len(shares)) if curve.kept is None else curve.kept.astype(float) for curve in curves]
    rows = np.stack(
        [np.concatenate([[curve.auc], curve.scores, flags]) for curve, flags in zip(curves, kept, strict=True)]
    )
    pooled = estimate_by_label(items, rows, np.ones_like(rows), seed).pooled
    points = len(shares)
    return CurveSummary(
        images=len(curves),
        auc=pooled[0],
        shares=tuple(shares.tolist()),
        scores=tuple(pooled[1 + point] for point in range(points)),
        kept=None
        if any(curve.kept is None for curve in curves)
        else tuple(pooled[1 + points + point] for point in range(points)),
    )
