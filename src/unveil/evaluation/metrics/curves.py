"""Deletion and insertion (Petsiuk et al. 2018, RISE): the score while the image goes or comes, the most salient pixels
first."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from unveil.errors import RecipeError
from unveil.evaluation.metrics.labels import Item, by_label
from unveil.evaluation.metrics.probe import Probe

STEPS = 224  # a row of a 224 x 224 image at a time
BLUR_PX, BLUR_SIGMA_PX = 11, 5.0


@dataclass(frozen=True, eq=False)
class PerturbationCurve:
    """The score after each share of the pixels, and whether the class was still predicted (None if it isn't one
    class)."""

    shares: Float[np.ndarray, "points"]
    scores: Float[np.ndarray, "points"]
    kept: Bool[np.ndarray, "points"] | None

    @property
    def auc(self) -> float:
        """∫ score d(share) by trapezia, over the range of the shares: the mean height of the curve."""
        widths = np.diff(self.shares)
        return float((widths * (self.scores[1:] + self.scores[:-1])).sum() / (2 * widths.sum()))


def deletion(probe: Probe, saliency: Float[np.ndarray, "*map"], steps: int = STEPS) -> PerturbationCurve:
    """The score while pixels become the mean color of the training data, in `steps` equal steps (low is good)."""
    gone = probe.pixels.new_tensor(probe.classifier.preprocessing.mean).reshape(-1, *(1,) * (probe.pixels.ndim - 1))
    return _exchange(probe, saliency, probe.pixels, gone.expand_as(probe.pixels), steps)


def insertion(probe: Probe, saliency: Float[np.ndarray, "*map"], steps: int = STEPS) -> PerturbationCurve:
    """The score while the pixels of a smeared image become those of the image itself (high is good)."""
    return _exchange(probe, saliency, smeared(probe), probe.pixels, steps)


def smeared(probe: Probe) -> Float[Tensor, "c *grid"]:
    """The image convolved with RISE's kernel: a Gaussian of 5 px on 11 px a side, its tails folded back in, the mean
    color outside of the image."""
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
    said = probe.ask(torch.where(ranks < count, last, first) for count in counts.tolist())
    return PerturbationCurve(counts / saliency.size, said.score, said.kept)


def summarize_curves(curves: Sequence[PerturbationCurve], groups: Sequence[Hashable], seed: int = 0) -> dict[str, Any]:
    """Over images: the mean `auc`, the mean curve (`scores` at `shares`) and the share of images whose class is `kept`
    there (the accuracy of ROAD, if all were right at first), with intervals by drawing groups.

    `kept` is None unless all curves are about one class. Raises `RecipeError` for curves of different shares.
    """
    if not curves:
        return {"images": 0, "auc": None}
    shares = curves[0].shares
    if any(not np.array_equal(one.shares, shares) for one in curves):
        raise RecipeError("curves with the same shares", "different ones", "use images of one size, and as many steps")
    items = [Item("", group) for group in groups]
    kept = [np.zeros(len(shares)) if one.kept is None else one.kept.astype(float) for one in curves]
    rows = np.stack([np.concatenate([[one.auc], one.scores, had]) for one, had in zip(curves, kept, strict=True)])
    found = by_label(items, rows, np.ones_like(rows), seed).pooled
    known = all(one.kept is not None for one in curves)
    middle = 1 + len(shares)
    return {
        "images": len(curves),
        **found.as_dict(("auc",)),
        "shares": shares.tolist(),
        "scores": found.value[1:middle].tolist(),
        "scores_95": _pairs(found.interval[:, 1:middle]),
        "kept": found.value[middle:].tolist() if known else None,
        "kept_95": _pairs(found.interval[:, middle:]) if known else None,
    }


def _pairs(interval: Float[np.ndarray, "2 points"]) -> list[list[float]] | None:
    return None if np.isnan(interval).any() else interval.T.tolist()
