"""SmoothGrad: the mean of signed gradients at noisy copies of the image (Smilkov et al. 2017)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.base import Attribution, AttributionResult, GradientMethod, Moments, Question
from unveil.attribution.gradient import Gradient
from unveil.errors import RecipeError
from unveil.noise import generator


@dataclass(frozen=True)
class SmoothGrad(Attribution):
    """m = 1/n Σ_k g(x + e_k) with e_k ~ N(0, (noise · (max x − min x))²), n = `samples`.

    Signed gradients are averaged; their magnitude is taken once, at the end. `noise` is a share of the image's own
    range of values, in pixel units before the classifier's normalisation (the paper: 0.1 to 0.2). Samples are
    streamed: memory doesn't grow with n. Sample k's noise depends on the question's key and k alone, and samples are
    added up one by one in their order, so the batch size doesn't enter the result.
    """

    method: GradientMethod = field(default_factory=Gradient)
    samples: int = 50
    noise: float = 0.15

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise RecipeError("at least 2 samples for SmoothGrad", str(self.samples), "use Gradient() for a single one")
        if not 0 < self.noise <= 1:
            raise RecipeError("noise in (0, 1], a share of the image's range", str(self.noise), "0.15 is usual")

    def attribute(self, question: Question) -> AttributionResult:
        """Sums over the even and over the odd samples, two independent halves."""
        shape = (len(question.scalars), *question.pixels.shape)
        sums = torch.zeros((2, 2, *shape), dtype=torch.float64, device=question.pixels.device)
        rules = None
        for start, noisy in self._batches(question):
            signed, rules = self.method.gradients(question.classifier, noisy, question.scalars)
            for offset, sample in enumerate(signed.unbind(1)):
                total, squares = sums[(start + offset) % 2]
                total += sample
                squares += sample.double().square()
            question.on_sample(start + len(noisy), self.samples)
        counts = ((self.samples + 1) // 2, self.samples // 2)
        even, odd = (Moments(count, *half) for count, half in zip(counts, sums, strict=True))
        return AttributionResult(even, odd, rules)

    def _batches(self, question: Question) -> Iterator[tuple[int, Float[Tensor, "n c *grid"]]]:
        pixels = question.pixels
        sigma = self.noise * (pixels.max() - pixels.min())
        for start in range(0, self.samples, question.batch_size):
            stop = min(start + question.batch_size, self.samples)
            # Drawn on the CPU, so that every device sees the same noise.
            unit = torch.stack(
                [torch.randn(pixels.shape, generator=generator(question.key, sample)) for sample in range(start, stop)]
            )
            yield start, pixels + sigma * unit.to(pixels.device)
