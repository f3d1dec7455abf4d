"""SmoothGrad: the mean of signed gradients at noisy copies of the image (Smilkov et al. 2017)."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult, GradientMethod, Moments
from unveil.attribution.gradient import Gradient
from unveil.attribution.rules import RuleReport
from unveil.batching import AdaptiveBatches
from unveil.classifiers.base import Classifier
from unveil.codec import require_numbers
from unveil.errors import RecipeError, require_between
from unveil.seeding import seeded_generator

MAX_SAMPLES = 100_000
GROUPS = 4  # groups of draws with separate sums, which can be split into halves in three ways


@dataclass(frozen=True)
class UntilStable:
    """Draw samples until the regions are stable.

    After `min_samples` samples, and after every further `step` up to `max_samples`, the samples are split into
    independent halves in three ways. They suffice when the mean IoU of the regions of both halves is at least
    `min_stability`. The IoU is computed by `AttributionRequest.agreement`, which `find_regions` sets. **Without it,
    stability is unknown, and `max_samples` samples are taken.** All samples together are closer to the limit of
    infinitely many than one half is to the other: docs/speed.md says how close.

    Attributes:
        min_stability: The mean IoU of the regions of two halves that suffices, between 0 and 1.
        min_samples: The number of samples before the first check, at least 8.
        max_samples: The largest number of samples.
        step: The number of samples between two checks.

    Raises `RecipeError` for settings out of range.

    >>> UntilStable(max_samples=32)
    UntilStable(min_stability=0.6, min_samples=8, max_samples=32, step=8)
    """

    min_stability: float = 0.6
    min_samples: int = 8
    max_samples: int = 64
    step: int = 8

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.min_stability < 1:
            raise RecipeError("min_stability between 0 and 1", str(self.min_stability), "0.6 is usual")
        if not 2 * GROUPS <= self.min_samples <= self.max_samples or not self.step >= 1:
            got = f"min_samples {self.min_samples}, max_samples {self.max_samples}, step {self.step}"
            raise RecipeError(f"{2 * GROUPS} ≤ min_samples ≤ max_samples and step ≥ 1", got, "8, 64 and 8 are usual")
        require_between("max_samples", self.max_samples, 1, MAX_SAMPLES, "64 is usual")
        require_between("step", self.step, 1, MAX_SAMPLES, "8 is usual")


@dataclass(frozen=True)
class SmoothGrad(Attribution):
    """The mean of signed gradients g at noisy copies of the image (Smilkov et al. 2017).

    m = 1/n Σ_k g(x + e_k) with e_k ~ N(0, (noise · (max x − min x))²), n = `samples`, in logits per unit of pixel
    value. Signed gradients are averaged; their magnitude is taken once, at the end. Sums are accumulated, so memory
    doesn't grow with n. Sample k's noise depends on the request's `stream` and k, and samples are added one by one in
    their order, so the batch size doesn't affect the result.

    Attributes:
        method: The gradient that is averaged.
        samples: A number of at least 2, or `UntilStable`; "auto" is `UntilStable()`.
        noise: The standard deviation of the noise, as a share in (0, 1] of the image's own range of pixel values (the
            paper: 0.1 to 0.2).
        antithetic: Whether every draw is used twice, as x + e and as x − e; the mean of the two is one observation,
            and counts as two samples. Its expectation is the same; its variance is (1 + ρ)/2 of one gradient's, where ρ
            is the correlation of the two. Terms that are odd in e cancel: with guided backprop ρ is about −.5, so that
            half of the samples are enough (docs/speed.md). Needs an even number of samples, 4 or more.

    Raises `RecipeError` for settings out of range.

    >>> SmoothGrad(samples=20).samples
    20
    """

    method: GradientMethod = field(default_factory=Gradient)
    samples: int | UntilStable | Literal["auto"] = 50
    noise: float = 0.15
    antithetic: bool = False

    def __post_init__(self) -> None:
        require_numbers(self)
        if self.samples == "auto":
            object.__setattr__(self, "samples", UntilStable())
        counts = (
            (self.samples.min_samples, self.samples.max_samples, self.samples.step)
            if isinstance(self.samples, UntilStable)
            else (self.samples,)
        )
        if isinstance(self.samples, int | float):
            if not self.samples >= 2:
                do = "use Gradient() for a single one"
                raise RecipeError("at least 2 samples for SmoothGrad", str(self.samples), do)
            require_between("samples", self.samples, 2, MAX_SAMPLES, "16 to 64 are usual")
        if self.antithetic and (any(int(count) % 2 for count in counts) or int(counts[0]) < 4):
            raise RecipeError("an even number of samples, 4 or more, for pairs", str(self.samples), "or no pairs")
        if not 0 < self.noise <= 1:
            raise RecipeError("noise in (0, 1], a share of the image's range", str(self.noise), "0.15 is usual")

    def comparing_classifier(self, classifier: Classifier) -> Classifier:
        """Return the classifier whose gradients are averaged."""
        return self.method.averaging_classifier(classifier)

    def averaging_precision(self, classifier: Classifier) -> str:
        """Describe the precision in which the averaged gradients of `classifier` are computed, and why."""
        averaging = self.comparing_classifier(classifier)
        return super().averaging_precision(classifier) if averaging is classifier else averaging.averaging_precision

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute sums over the even and over the odd samples, two independent halves."""
        sums = _Sums(self, request)
        if not isinstance(self.samples, UntilStable):
            return sums.up_to(int(self.samples), int(self.samples)).result()
        rule = self.samples
        sums.up_to(rule.min_samples, rule.max_samples)
        while sums.count < rule.max_samples and not sums.is_stable(rule.min_stability):
            sums.up_to(min(sums.count + rule.step, rule.max_samples), rule.max_samples)
        request.on_sample(rule.max_samples, rule.max_samples)
        return sums.result()


class _Sums:
    """Σg and Σg² of the draws so far, in groups: draw k belongs to group k mod `GROUPS`.

    A draw is one sample, or a pair of antithetic ones, whose mean is g.
    """

    def __init__(self, smooth: SmoothGrad, request: AttributionRequest) -> None:
        self._method, self._request, self._draws = smooth.method, request, 0
        self._signs = (1, -1) if smooth.antithetic else (1,)
        pixels = request.pixels
        shape = (GROUPS, 2, len(request.target_scores), *pixels.shape)
        self._sums = torch.zeros(shape, dtype=torch.float64, device=pixels.device)
        self._sigma = smooth.noise * (pixels.max() - pixels.min())
        self._classifier = smooth.comparing_classifier(request.classifier)
        self._batches = AdaptiveBatches(max(1, request.batch_size // len(self._signs)))
        self._rules: RuleReport | None = None

    @property
    def count(self) -> int:
        """Samples so far."""
        return self._draws * len(self._signs)

    def up_to(self, count: int, most: int) -> "_Sums":
        """Accumulate samples up to `count`; `most` is the total reported as progress."""

        def work(start: int, stop: int) -> None:
            signed, self._rules = self._method.gradients(
                self._classifier, self._noisy(start, stop), self._request.target_scores
            )
            observed = signed.unflatten(1, (len(self._signs), -1)).double().mean(1)
            for draw, gradient in enumerate(observed.unbind(1), start=start):
                total, squares = self._sums[draw % GROUPS]
                total += gradient
                squares.addcmul_(gradient, gradient)
            self._request.on_sample(stop * len(self._signs), most)

        draws = count // len(self._signs)
        self._batches.over(self._draws, draws, work)
        self._draws = draws
        return self

    def is_stable(self, min_stability: float) -> bool:
        """True if the mean IoU of the regions of both halves, over three ways to split the draws, is large enough."""
        agreement = self._request.agreement
        if agreement is None:
            return False
        ious = [agreement(*halves) for halves in self._halves()]
        return sum(ious) / len(ious) >= min_stability

    def result(self) -> AttributionResult:
        """All samples so far, with even and odd draws separate."""
        even, odd = self._halves()[0]
        return AttributionResult(even, odd, self._rules)

    def _halves(self) -> list[tuple[Moments, Moments]]:
        counts = [(self._draws - number + GROUPS - 1) // GROUPS for number in range(GROUPS)]
        a, b, c, d = (Moments(count, *sums) for count, sums in zip(counts, self._sums, strict=True))
        return [(a + c, b + d), (a + b, c + d), (a + d, b + c)]

    def _noisy(self, start: int, stop: int) -> Float[Tensor, "n c *grid"]:
        pixels, stream = self._request.pixels, self._request.stream
        # Drawn on the CPU, so that the noise is the same on every device.
        draws = [torch.randn(pixels.shape, generator=seeded_generator(stream, draw)) for draw in range(start, stop)]
        unit = torch.stack(draws)
        if pixels.device.type == "cuda":
            unit = unit.pin_memory()
        noise = self._sigma * unit.to(pixels.device, non_blocking=True)
        return torch.cat([pixels + sign * noise for sign in self._signs])
