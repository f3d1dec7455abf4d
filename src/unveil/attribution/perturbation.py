"""Rise and Occlusion: attributions that ask a classifier for answers only, so that it may be a black box."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult, Moments
from unveil.errors import RecipeError
from unveil.seeding import seeded_generator


@dataclass(frozen=True)
class Rise(Attribution):
    """Random masks, weighted by the answers to them (Petsiuk et al. 2018).

    S = 1/(p·N) Σ_k f(x_k) · (M_k − p) with x_k = M_k·x + (1 − M_k)·mean color. The masks M_k are grids of `cells` a
    side that are open with probability p = `share`, enlarged linearly and shifted at random. f is the target's value
    (a logit).

    The paper has M_k in place of M_k − p (`centered` False). That adds mean(f)·E[M]/p, about the same number everywhere
    and mostly larger than the evidence; without it a pixel that doesn't matter has expectation 0, and a threshold means
    something. Masks are streamed: memory doesn't grow with N = `masks`, and mask k depends on the request's key and k
    alone.
    """

    masks: int = 1000
    cells: int = 7
    share: float = 0.5
    centered: bool = True

    def __post_init__(self) -> None:
        if self.masks < 2 or self.cells < 2 or not 0 < self.share < 1:
            got = f"masks {self.masks}, cells {self.cells}, share {self.share}"
            raise RecipeError("masks ≥ 2, cells ≥ 2 and a share between 0 and 1", got, "the paper has 4000, 7 and 0.5")

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Sums over the even and over the odd masks, two independent halves."""
        grid = request.pixels.shape[1:]
        sums = torch.zeros((2, 2, len(request.target_scores), 1, *grid), dtype=torch.float64)
        for start in range(0, self.masks, request.batch_size):
            stop = min(start + request.batch_size, self.masks)
            open_ = torch.stack([self.mask(request.stream, number, grid) for number in range(start, stop)])
            scores = _scores(request, _blend(request, open_[:, None].float()))
            weights = (open_ - self.share if self.centered else open_) / self.share
            for offset, (weight, row) in enumerate(zip(weights, scores, strict=True)):
                one = row.reshape(-1, 1, *(1,) * len(grid)) * weight
                total, squares = sums[(start + offset) % 2]
                total += one
                squares += one.square()
            request.on_sample(stop, self.masks)
        counts = ((self.masks + 1) // 2, self.masks // 2)
        even, odd = (Moments(count, *half) for count, half in zip(counts, sums, strict=True))
        return AttributionResult(even, odd)

    def mask(self, stream: str, number: int, grid: tuple[int, ...]) -> Float[Tensor, "*grid"]:
        """Mask k, float64 in [0, 1]: 1 where the image is seen."""
        random = seeded_generator(f"{stream}/rise", number)
        cells = (torch.rand((1, 1, *(self.cells + 1,) * len(grid)), generator=random) < self.share).double()
        sides = [-(-side // self.cells) for side in grid]  # of a cell, rounded up
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)]
        large = functional.interpolate(
            cells, [side * (self.cells + 1) for side in sides], mode=mode, align_corners=False
        )
        shifts = [int(torch.randint(side, (1,), generator=random)) for side in sides]
        window = tuple(slice(shift, shift + side) for shift, side in zip(shifts, grid, strict=True))
        return large[(0, 0, *window)]


@dataclass(frozen=True)
class Occlusion(Attribution):
    """What covering a window takes away (Zeiler & Fergus 2014).

    S(p) = mean over the windows W that contain p of f(x) − f(x without W). Windows are `size_px` px a side,
    `stride_px` px apart, cut off at the border; a covered window shows the mean color. Two halves of the windows, in a
    chequered order, say how settled it is.
    """

    size_px: int = 16
    stride_px: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.stride_px <= self.size_px:
            raise RecipeError(
                "1 ≤ stride ≤ size", f"stride {self.stride_px}, size {self.size_px}", "16 and 8 suit 224 x 224"
            )

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """The mean drop of the windows over every pixel."""
        grid = request.pixels.shape[1:]
        windows = list(self.windows(grid))
        (whole,) = _scores(request, request.pixels[None])
        halves = torch.zeros((2, len(request.target_scores), 1, *grid), dtype=torch.float64)
        covered = torch.zeros(grid, dtype=torch.float64)
        for start in range(0, len(windows), request.batch_size):
            part = windows[start : start + request.batch_size]
            open_ = torch.ones((len(part), 1, *grid))
            for number, (_, window) in enumerate(part):
                open_[(number, 0, *window)] = 0
            for (half, window), row in zip(part, _scores(request, _blend(request, open_)), strict=True):
                halves[(half, slice(None), 0, *window)] += (whole - row).reshape(-1, *(1,) * len(grid))
                covered[window] += 1
            request.on_sample(min(start + len(part), len(windows)), len(windows))
        # Each half stands for all windows: their mean is the mean over all.
        even, odd = (Moments(1, total, total.square()) for total in 2 * halves / covered)
        return AttributionResult(even, odd)

    def windows(self, grid: tuple[int, ...]) -> Iterator[tuple[int, tuple[slice, ...]]]:
        """Every window and the half it belongs to; all pixels are in at least one."""
        starts = [range(0, max(1, side - self.size_px + self.stride_px), self.stride_px) for side in grid]
        for index in product(*(range(len(one)) for one in starts)):
            corner = [one[number] for one, number in zip(starts, index, strict=True)]
            yield sum(index) % 2, tuple(slice(first, first + self.size_px) for first in corner)


def _blend(request: AttributionRequest, open_: Float[Tensor, "n 1 *grid"]) -> Float[Tensor, "n c *grid"]:
    """The image where open, the mean color of the training data where not."""
    mean = torch.tensor(request.classifier.preprocessing.mean).reshape(-1, *(1,) * (request.pixels.ndim - 1))
    seen = open_.to(request.pixels)
    return seen * request.pixels + (1 - seen) * mean.to(request.pixels)


def _scores(request: AttributionRequest, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n t"]:
    """Every target's value for every image, float64. Raises `ClassifierError` for answers that aren't finite."""
    logits = np.stack([one.logits for one in request.classifier.predict(pixels, request.batch_size)])
    return torch.from_numpy(np.stack([target_score.of(logits) for target_score in request.target_scores], axis=1))
