"""What an attribution is asked, and what it gives: sums of signed gradients, from which everything else is derived."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.rules import RuleReport
from unveil.classifiers.base import Classifier
from unveil.targets import TargetScore

OnSample = Callable[[int, int], None]
OnHalves = Callable[["Moments", "Moments"], float]


@dataclass(frozen=True)
class AttributionRequest:
    """One image, the scores to attribute to its pixels, and how to compute the attribution.

    `stream` names the noise: the same name gives the same noise for any batch size and device. `on_sample(done,
    total)` reports progress. `agreement(even, odd)` returns the IoU in [0, 1] of the regions from two independent
    halves of the samples; `UntilStable` stops by it, and takes its `max_samples` where it is None.
    """

    classifier: Classifier
    pixels: Float[Tensor, "c *grid"]
    target_scores: Sequence[TargetScore]
    stream: str
    batch_size: int
    on_sample: OnSample = lambda done, total: None
    agreement: "OnHalves | None" = None


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over samples: `count` n, `total` Σg and `squares` Σg², float64. Counted first, divided last."""

    count: int
    total: Float[Tensor, "t c *grid"]
    squares: Float[Tensor, "t c *grid"]

    def __add__(self, other: "Moments") -> "Moments":
        """The sums of both sets of samples together."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> Float[Tensor, "t c *grid"]:
        """m = Σg / n, in logits per unit of pixel value."""
        return self.total / self.count

    @property
    def variance_of_mean(self) -> Float[Tensor, "t c *grid"]:
        """v / n with the sample variance v = (Σg² − n·m²) / (n − 1); 0 for a single sample, which has none."""
        if self.count < 2:
            return torch.zeros_like(self.total)
        variance = (self.squares - self.total.square() / self.count) / (self.count - 1)
        return variance.clamp(min=0) / self.count


@dataclass(frozen=True, eq=False)
class AttributionResult:
    """Signed, per target, pixel and channel; as two independent halves of the samples.

    `odd` is None where there is a single sample (a plain gradient has no noise, so nothing to settle).
    """

    even: Moments
    odd: Moments | None
    rules: RuleReport | None = None

    @property
    def all(self) -> Moments:
        """All samples together."""
        return self.even if self.odd is None else self.even + self.odd


class Attribution(ABC):
    """A method that attributes a classifier's score to the pixels of an image."""

    @abstractmethod
    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute the attribution of every score in `request`; the classifier isn't changed."""

    def averaging_precision(self, classifier: Classifier) -> str:
        """Precision in which this method averages gradients of `classifier`, and why, for the record of a run."""
        if classifier.precision != "auto":
            return classifier.averaging_precision
        return "fp32: the attribution doesn't average gradients"


class GradientMethod(Attribution):
    """An attribution that is one backward pass, so that SmoothGrad can average it."""

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """The backward pass at the image itself: one sample, without noise."""
        signed, rules = self.gradients(request.classifier, request.pixels[None], request.target_scores)
        request.on_sample(1, 1)
        total = signed[:, 0].double()
        return AttributionResult(Moments(1, total, total.square()), None, rules)

    def averaging_classifier(self, classifier: Classifier) -> Classifier:
        """The classifier that computes gradients to be averaged over noise; by default the classifier itself."""
        return classifier

    @abstractmethod
    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Signed gradients of every scalar for every image of a batch; one forward pass serves all scalars."""
