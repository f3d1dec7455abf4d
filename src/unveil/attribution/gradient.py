"""Gradient, Deconvnet and GuidedBackprop: one forward pass, and one backward pass per target score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.base import GradientMethod
from unveil.attribution.rules import BackwardRule, Deconv, Guided, RuleReport
from unveil.classifiers.base import Classifier
from unveil.classifiers.engine.guard import as_leaf, gradient_of, guarded, recording
from unveil.errors import AttributionError
from unveil.targets import TargetScore


@dataclass(frozen=True)
class Gradient(GradientMethod):
    """The gradient ∂score/∂pixels, where the score is the target's logit (Simonyan et al. 2013).

    In logits per unit of pixel value; works with every differentiable model.

    >>> from unveil import load_classifier
    >>> from unveil.attribution import AttributionRequest
    >>> classifier = load_classifier("planted/demo")
    >>> request = AttributionRequest(classifier, torch.rand(3, 128, 128), [TargetScore("a", ((0, 1.0),))], "noise", 1)
    >>> Gradient().attribute(request).all.mean.shape
    torch.Size([1, 3, 128, 128])
    """

    rule: ClassVar[BackwardRule | None] = None

    def averaging_classifier(self, classifier: Classifier) -> Classifier:
        """Return the classifier's bf16 form if its check found the regions unchanged, else the classifier itself."""
        return classifier.for_averaging()

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Compute signed gradients under this method's backward rule, and the rectifiers that it was applied to.

        Raises `AttributionError` for logits without a gradient, and for networks that the rule isn't defined for.
        """
        if not classifier.differentiable:
            raise no_gradients(type(self).__name__, classifier)
        with recording(), guarded(classifier.name, "compute gradients"):
            pixels = as_leaf(pixels)
            logits = classifier.logits(pixels)
            if not logits.requires_grad:
                raise no_gradients(type(self).__name__, classifier)
            # The rule is registered once on the graph; all backward passes of this forward pass then follow it.
            report = self.rule.attach(logits) if self.rule else None
            signed = backward(target_scores, logits, pixels)
        return signed.float(), report


@dataclass(frozen=True)
class Deconvnet(Gradient):
    """The gradient with another rule at rectifiers: they pass max(g, 0) for a gradient g (Zeiler & Fergus 2014).

    In logits per unit of pixel value. For networks whose only nonlinear units are ReLU and ReLU6.
    """

    rule: ClassVar[BackwardRule | None] = Deconv()


@dataclass(frozen=True)
class GuidedBackprop(Gradient):
    """The gradient with another rule at rectifiers: they pass max(g, 0) · [x > 0] for an input x and a gradient g.

    Springenberg et al. 2014. In logits per unit of pixel value. For networks whose only nonlinear units are ReLU and
    ReLU6. Maps are sharp, but depend little on the later layers: the method fails the parameter randomization test of
    Adebayo et al. 2018.
    """

    rule: ClassVar[BackwardRule | None] = Guided()


def no_gradients(method: str, classifier: Classifier) -> AttributionError:
    """The error for a method that needs gradients of a classifier that has none."""
    return AttributionError(
        f"a classifier with gradients for {method}",
        f"{classifier.name}, whose logits have no gradient",
        "use --recipe black-box, or the attribution Rise() or Occlusion()",
    )


def backward(
    target_scores: Sequence[TargetScore], logits: Float[Tensor, "n k"], inputs: Float[Tensor, "n c *grid"]
) -> Float[Tensor, "t n c *grid"]:
    """Compute one backward pass per target score over the graph from the leaf `inputs` to `logits`, and free it."""
    scores = [score_of(target_score, logits).sum() for target_score in target_scores]
    return torch.stack(
        [gradient_of(score, inputs, keep_graph=index + 1 < len(scores)) for index, score in enumerate(scores)]
    )


def score_of(target_score: TargetScore, logits: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
    """Compute Σ weight_i · logit_i for every image of a batch."""
    indices = [index for index, _ in target_score.weights]
    weights = torch.tensor([weight for _, weight in target_score.weights], dtype=logits.dtype, device=logits.device)
    return logits[:, indices] @ weights
