"""Ranking patches by an optimized mask of deletion, as I-GOS does (Qi, Khorram & Li, AAAI 2020): descent along an
integrated gradient."""

from dataclasses import dataclass

import numpy as np
import torch
from asking import MaskedImage
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unveil.seeding import seeded_generator

LONGEST, SHORTEST, SHRINK, ENOUGH = 200.0, 1e-5, 0.2, 1e-4  # of a step; Armijo's share


@dataclass(frozen=True)
class IntegratedDescent:
    """Minimizes f(x ⊕ m) + `area`·mean|1 − m| + `roughness`·TV(m) over m in [0, 1], one value a patch; m = 0 is hidden.

    x ⊕ m shows the image where m = 1 and the mean color where m = 0 (m enlarged linearly), and f is the label's
    probability. The direction is the mean of ∂f over `steps` points k/steps·m, with noise of `noise` in pixel units, so
    that a probability near 1 still says where it comes from; its length is cut to a fifth until Armijo's
    condition holds. Settings are those of the structured attention graphs' authors.
    """

    iterations: int = 15
    steps: int = 20
    area: float = 1.0
    roughness: float = 20.0
    noise: float = 0.2

    def rank(self, masked: MaskedImage, cells: int) -> list[int]:
        """Numbers of all patches, the one that deletion needs most first.

        Values cut at 0 or 1 are equal: these are ordered by the first direction.
        """
        mask, first = self.descend(masked, cells)
        values, ties = mask.double().cpu().numpy().ravel(), -first.double().cpu().numpy().ravel()
        return [int(number) for number in np.lexsort((ties, values))]

    def descend(
        self, masked: MaskedImage, cells: int
    ) -> tuple[Float[Tensor, "1 1 cells cells"], Float[Tensor, "1 1 cells cells"]]:
        """The optimized mask, and the first direction."""
        mask = torch.ones((1, 1, cells, cells)).to(masked.pixels)
        first = torch.zeros_like(mask)
        for iteration in range(self.iterations):
            direction = self._direction(masked, mask, iteration)
            first = direction if iteration == 0 else first
            mask = self._step(masked, mask, direction)
        return mask, first

    def loss(self, masked: MaskedImage, mask: Float[Tensor, "1 1 cells cells"]) -> Float[Tensor, ""]:
        """What is minimized."""
        return self._probability(masked, mask, None).sum() + self._penalty(mask)

    def _direction(
        self, masked: MaskedImage, mask: Float[Tensor, "1 1 cells cells"], iteration: int
    ) -> Float[Tensor, "1 1 cells cells"]:
        shares = torch.arange(1, self.steps + 1).to(mask)[:, None, None, None] / self.steps
        random = seeded_generator(f"integrated descent/{masked.label_index}", iteration)
        noise = self.noise * torch.randn((self.steps, *masked.pixels.shape), generator=random).to(mask)
        with torch.enable_grad():
            mask = mask.detach().requires_grad_()
            mean = self._probability(masked, shares * mask, noise).mean()
            (direction,) = torch.autograd.grad(mean + self._penalty(mask), mask)
        return direction

    def _step(
        self, masked: MaskedImage, mask: Float[Tensor, "1 1 cells cells"], direction: Float[Tensor, "1 1 cells cells"]
    ) -> Float[Tensor, "1 1 cells cells"]:
        with torch.no_grad():
            before, slope = float(self.loss(masked, mask)), float(direction.square().sum())
            length = LONGEST
            while True:
                tried = (mask - length * direction).clamp(0, 1)
                if length < SHORTEST or float(self.loss(masked, tried)) <= before - ENOUGH * length * slope:
                    return tried
                length *= SHRINK

    def _probability(
        self, masked: MaskedImage, mask: Float[Tensor, "n 1 cells cells"], noise: Float[Tensor, "n c h w"] | None
    ) -> Float[Tensor, "n"]:
        cover = functional.interpolate(mask, masked.shape, mode="bilinear", align_corners=False)
        shown = masked.blend(cover)
        return masked.log_odds(shown if noise is None else shown + noise).sigmoid()

    def _penalty(self, mask: Float[Tensor, "1 1 cells cells"]) -> Float[Tensor, ""]:
        rough = mask.diff(dim=2).square().mean() + mask.diff(dim=3).square().mean()
        return self.area * (1 - mask).abs().mean() + self.roughness * rough
