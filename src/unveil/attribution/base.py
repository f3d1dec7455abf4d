"""Requests and results of attributions: results are sums of signed gradients, from which all maps are derived."""

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

    Attributes:
        classifier: The classifier to explain.
        pixels: The image on the model's grid, (c, *grid), in pixel units: before the classifier's normalization.
        target_scores: The scores, one map each.
        stream: The name of the noise: the same name gives the same noise for any batch size and device.
        batch_size: Images per batch.
        on_sample: Called with the number of samples done and their total.
        agreement: Returns the IoU in [0, 1] of the regions from two independent halves of the samples. `UntilStable`
            stops by it, and takes its `max_samples` where it is None.
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
    """Sums over samples of signed gradients g, float64, in the shape (targets, channels, *grid).

    Attributes:
        count: The number of samples n.
        total: Σ g, in logits per unit of pixel value.
        squares: Σ g².

    >>> ones = torch.ones(1, 1, 2, dtype=torch.float64)
    >>> both = Moments(1, ones, ones) + Moments(1, 3 * ones, 9 * ones)
    >>> both.mean.flatten().tolist(), both.variance_of_mean.flatten().tolist()
    ([2.0, 2.0], [1.0, 1.0])
    """

    count: int
    total: Float[Tensor, "t c *grid"]
    squares: Float[Tensor, "t c *grid"]

    def __add__(self, other: "Moments") -> "Moments":
        """Add the sums of two sets of samples."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> Float[Tensor, "t c *grid"]:
        """The mean m = Σg / n, in logits per unit of pixel value."""
        return self.total / self.count

    @property
    def variance_of_mean(self) -> Float[Tensor, "t c *grid"]:
        """v / n with the sample variance v = (Σg² − n·m²) / (n − 1); 0 for a single sample, which has no variance."""
        if self.count < 2:
            return torch.zeros_like(self.total)
        variance = (self.squares - self.total.square() / self.count) / (self.count - 1)
        return variance.clamp(min=0) / self.count


@dataclass(frozen=True, eq=False)
class AttributionResult:
    """A signed attribution per target, channel and pixel, as two independent halves of the samples.

    Attributes:
        even: The sums over samples 0, 2, 4, …
        odd: The sums over samples 1, 3, 5, …; None for a method without noise, which has a single sample.
        rules: The rectifiers that a backward rule was applied to; None for methods without one.
    """

    even: Moments
    odd: Moments | None
    rules: RuleReport | None = None

    @property
    def all(self) -> Moments:
        """The sums over all samples."""
        return self.even if self.odd is None else self.even + self.odd


class Attribution(ABC):
    """Base class of methods that attribute a classifier's score to the pixels of an image."""

    @abstractmethod
    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute the attribution of every score in `request`; the classifier isn't changed."""

    def comparing_classifier(self, classifier: Classifier) -> Classifier:
        """Return the form of `classifier` for predictions that are only compared with each other: that of averaged
        gradients where this method averages some, so that one check decides for both, else the classifier itself."""
        return classifier

    def averaging_precision(self, classifier: Classifier) -> str:
        """Describe the precision in which this method averages gradients of `classifier`, and why, for records."""
        if classifier.precision != "auto":
            return classifier.averaging_precision
        return "fp32: the attribution doesn't average gradients"


class GradientMethod(Attribution):
    """Base class of attributions that are one backward pass, so that `SmoothGrad` can average them."""

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute the backward pass at the image itself: one sample, without noise."""
        signed, rules = self.gradients(request.classifier, request.pixels[None], request.target_scores)
        request.on_sample(1, 1)
        total = signed[:, 0].double()
        return AttributionResult(Moments(1, total, total.square()), None, rules)

    def averaging_classifier(self, classifier: Classifier) -> Classifier:
        """Return the classifier that computes gradients to be averaged over noise; by default `classifier` itself."""
        return classifier

    @abstractmethod
    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Compute signed gradients of every target score for every image of a batch, with one forward pass.

        Returns the gradients and the rectifiers that a backward rule was applied to (None for methods without a rule).
        """
