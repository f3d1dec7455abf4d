"""Gradient, Deconvnet and GuidedBackprop: one forward pass, and a backward pass for every scalar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.base import GradientMethod
from unveil.attribution.rules import BackwardRule, Deconv, Guided, RuleReport
from unveil.classifiers.base import Classifier
from unveil.errors import AttributionError
from unveil.targets import TargetScore


@dataclass(frozen=True)
class Gradient(GradientMethod):
    """∂score/∂pixels, the score being the target's logit (Simonyan et al. 2013). Works with every differentiable
    model."""

    rule: ClassVar[BackwardRule | None] = None

    def averaging_classifier(self, classifier: Classifier) -> Classifier:
        """The classifier's bf16 form if its check found the regions unchanged, else the classifier itself."""
        return classifier.for_averaging()

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Signed gradients under this method's backward rule, and what the rule met."""
        with torch.enable_grad():
            pixels = pixels.detach().requires_grad_()
            logits = classifier.logits(pixels)
            if not logits.requires_grad:
                raise AttributionError(
                    f"a classifier with gradients for {type(self).__name__}",
                    f"{classifier.name}, whose logits have no gradient",
                    "use --recipe black-box, or the attribution Rise() or Occlusion()",
                )
            # The rule is written once onto the graph; all backward passes of this forward pass then follow it.
            report = self.rule.attach(logits) if self.rule else None
            signed = backward(target_scores, logits, pixels)
        return signed.float(), report


@dataclass(frozen=True)
class Deconvnet(Gradient):
    """Gradient with rectifiers that pass max(g, 0) (Zeiler & Fergus 2014)."""

    rule: ClassVar[BackwardRule | None] = Deconv()


@dataclass(frozen=True)
class GuidedBackprop(Gradient):
    """Gradient with rectifiers that pass max(g, 0) · [x > 0] (Springenberg et al. 2014).

    Sharp, but partly blind to the later layers: it fails the randomization test of Adebayo et al. 2018.
    """

    rule: ClassVar[BackwardRule | None] = Guided()


def backward(
    target_scores: Sequence[TargetScore], logits: Float[Tensor, "n k"], inputs: Float[Tensor, "n c *grid"]
) -> Float[Tensor, "t n c *grid"]:
    """A backward pass for every scalar, over the one graph from `inputs` to `logits`, which is gone afterwards."""
    scores = [score_of(target_score, logits).sum() for target_score in target_scores]
    return torch.stack(
        [
            torch.autograd.grad(score, inputs, retain_graph=index + 1 < len(scores))[0]
            for index, score in enumerate(scores)
        ]
    )


def score_of(target_score: TargetScore, logits: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
    """Σ weight_i · logit_i for every image of a batch."""
    indices = [index for index, _ in target_score.weights]
    weights = torch.tensor([weight for _, weight in target_score.weights], dtype=logits.dtype, device=logits.device)
    return logits[:, indices] @ weights
