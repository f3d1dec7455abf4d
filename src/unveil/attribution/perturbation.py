"""Rise and Occlusion: attributions that need predictions only, so that the classifier may be a black box."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult, Moments
from unveil.codec import require_numbers
from unveil.errors import RecipeError, require_between
from unveil.seeding import seeded_generator

MAX_MASKS, MAX_CELLS, MAX_WINDOW_PX = 1_000_000, 1000, 10_000


@dataclass(frozen=True)
class Rise(Attribution):
    """Random masks, weighted by the scores of the masked images (RISE, Petsiuk et al. 2018).

    S = 1/(p·N) Σ_k f(x_k) · (M_k − p) with x_k = M_k·x + (1 − M_k)·mean color, where f is the target score (a logit).
    S is in logits. The masks M_k are random grids that are enlarged linearly and shifted at random. They are made one
    batch at a time, so memory doesn't grow with N, and mask k depends on the request's stream and k alone.

    Attributes:
        masks: The number of masks N, at least 2; the paper has 4000.
        cells: Cells of the random grid along each axis, at least 2.
        share: The probability p that a cell is open, between 0 and 1.
        centered: False uses M_k in place of M_k − p, as the paper does. That adds mean(f)·E[M]/p, which is about the
            same everywhere and usually larger than the evidence. Centered, a pixel that doesn't matter has
            expectation 0, so that a threshold has a meaning.

    Raises `RecipeError` for settings out of range.
    """

    masks: int = 1000
    cells: int = 7
    share: float = 0.5
    centered: bool = True

    def __post_init__(self) -> None:
        require_numbers(self)
        if self.masks < 2 or self.cells < 2 or not 0 < self.share < 1:
            got = f"masks {self.masks}, cells {self.cells}, share {self.share}"
            raise RecipeError("masks ≥ 2, cells ≥ 2 and a share between 0 and 1", got, "the paper has 4000, 7 and 0.5")
        require_between("masks", self.masks, 2, MAX_MASKS, "the paper has 4000")
        require_between("cells", self.cells, 2, MAX_CELLS, "the paper has 7")

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute sums over the even and over the odd masks, two independent halves."""
        grid = request.pixels.shape[1:]
        sums = torch.zeros((2, 2, len(request.target_scores), 1, *grid), dtype=torch.float64)
        for start in range(0, self.masks, request.batch_size):
            stop = min(start + request.batch_size, self.masks)
            open_ = torch.stack([self.mask(request.stream, number, grid) for number in range(start, stop)])
            scores = _scores(request, _blend(request, open_[:, None].float()))
            weights = (open_ - self.share if self.centered else open_) / self.share
            for offset, (weight, row) in enumerate(zip(weights, scores, strict=True)):
                weighted = row.reshape(-1, 1, *(1,) * len(grid)) * weight
                total, squares = sums[(start + offset) % 2]
                total += weighted
                squares += weighted.square()
            request.on_sample(stop, self.masks)
        counts = ((self.masks + 1) // 2, self.masks // 2)
        even, odd = (Moments(count, *half) for count, half in zip(counts, sums, strict=True))
        return AttributionResult(even, odd)

    def mask(self, stream: str, number: int, grid: tuple[int, ...]) -> Float[Tensor, "*grid"]:
        """Draw mask k = `number` on a `grid`, float64, 1 where the image is kept and 0 where not; `stream` seeds it."""
        random = seeded_generator(f"{stream}/rise", number)
        cells = (torch.rand((1, 1, *(self.cells + 1,) * len(grid)), generator=random) < self.share).double()
        sides = [-(-side // self.cells) for side in grid]  # px of a cell, rounded up
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(grid)]
        enlarged = functional.interpolate(
            cells, [side * (self.cells + 1) for side in sides], mode=mode, align_corners=False
        )
        shifts = [int(torch.randint(side, (1,), generator=random)) for side in sides]
        window = tuple(slice(shift, shift + side) for shift, side in zip(shifts, grid, strict=True))
        return enlarged[(0, 0, *window)]


@dataclass(frozen=True)
class Occlusion(Attribution):
    """The mean drop of the score when a window around a pixel is covered (Zeiler & Fergus 2014).

    S(p) = mean over the windows W that contain p of f(x) − f(x without W), in logits. Windows are cut off at the
    border; a covered window has the mean color. Two halves of the windows, in a checkerboard order, measure the
    stability.

    Attributes:
        size_px: The side length of a window in px.
        stride_px: The distance of neighboring windows in px, at least 1 and at most `size_px`.

    Raises `RecipeError` for settings out of range.
    """

    size_px: int = 16
    stride_px: int = 8

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 1 <= self.stride_px <= self.size_px:
            raise RecipeError(
                "1 ≤ stride ≤ size", f"stride {self.stride_px}, size {self.size_px}", "16 and 8 suit 224 x 224"
            )
        require_between("size_px", self.size_px, 1, MAX_WINDOW_PX, "16 suits 224 x 224")

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute the mean drop of the windows that contain each pixel, for both halves of the windows."""
        grid = request.pixels.shape[1:]
        windows = list(self.windows(grid))
        (original,) = _scores(request, request.pixels[None])
        halves = torch.zeros((2, len(request.target_scores), 1, *grid), dtype=torch.float64)
        covered = torch.zeros(grid, dtype=torch.float64)
        for start in range(0, len(windows), request.batch_size):
            part = windows[start : start + request.batch_size]
            open_ = torch.ones((len(part), 1, *grid))
            for number, (_, window) in enumerate(part):
                open_[(number, 0, *window)] = 0
            for (half, window), row in zip(part, _scores(request, _blend(request, open_)), strict=True):
                halves[(half, slice(None), 0, *window)] += (original - row).reshape(-1, *(1,) * len(grid))
                covered[window] += 1
            request.on_sample(min(start + len(part), len(windows)), len(windows))
        # Each half stands for all windows: their mean is the mean over all.
        even, odd = (Moments(1, total, total.square()) for total in 2 * halves / covered)
        return AttributionResult(even, odd)

    def windows(self, grid: tuple[int, ...]) -> Iterator[tuple[int, tuple[slice, ...]]]:
        """Yield every window of a `grid` with the half it belongs to, 0 or 1; each pixel is in at least one window."""
        starts = [range(0, max(1, side - self.size_px + self.stride_px), self.stride_px) for side in grid]
        for index in product(*(range(len(axis)) for axis in starts)):
            corner = [axis[number] for axis, number in zip(starts, index, strict=True)]
            yield sum(index) % 2, tuple(slice(first, first + self.size_px) for first in corner)


def _blend(request: AttributionRequest, open_: Float[Tensor, "n 1 *grid"]) -> Float[Tensor, "n c *grid"]:
    """The image where the mask is open, the mean color of the training data elsewhere."""
    mean = torch.tensor(request.classifier.preprocessing.mean).reshape(-1, *(1,) * (request.pixels.ndim - 1))
    kept = open_.to(request.pixels)
    return kept * request.pixels + (1 - kept) * mean.to(request.pixels)


def _scores(request: AttributionRequest, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n t"]:
    """Every target score for every image, float64. Raises `ClassifierError` for logits that aren't finite."""
    logits = np.stack([prediction.logits for prediction in request.classifier.predict(pixels, request.batch_size)])
    return torch.from_numpy(np.stack([target_score.of(logits) for target_score in request.target_scores], axis=1))
