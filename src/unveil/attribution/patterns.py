"""PatternNet and PatternAttribution (Kindermans et al. 2017): backward passes along estimated patterns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.attribution.base import GradientMethod
from unveil.attribution.gradient import backward
from unveil.attribution.rules import RuleReport
from unveil.classifiers import Classifier, TorchClassifier
from unveil.patterns import PatternError, Rewired, load_patterns
from unveil.targets import TargetScore


@dataclass(frozen=True)
class PatternNet(GradientMethod):
    """The signal: the logit sent back with every linear layer's pattern a in place of its weights w.

    `patterns`: a file made by `unveil patterns` for this model. Magnitudes grow through many layers; only directions
    within a map mean something. The result is in units of pixel value per logit.
    """

    patterns: str
    attribution: ClassVar[bool] = False

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Backward passes of every scalar along the patterns."""
        if not isinstance(classifier, TorchClassifier):
            raise PatternError("a PyTorch model for patterns", classifier.name, "use a method for black boxes")
        path = Path(self.patterns)
        modified = path.stat().st_mtime_ns if path.exists() else 0
        network = classifier.cached(
            type(self).__name__,
            (self.patterns, modified),
            lambda: _rewired(classifier, self.patterns, attribution=self.attribution),
        )
        with torch.enable_grad():
            inputs = classifier.normalized(pixels).detach().requires_grad_()
            signed = backward(target_scores, network(inputs), inputs)
        # The normalization is a linear layer with one input, 1/std: its pattern is std.
        std = torch.tensor(classifier.preprocessing.std).to(signed).reshape(-1, *(1,) * (pixels.ndim - 2))
        return (signed if self.attribution else signed * std).float(), None


@dataclass(frozen=True)
class PatternAttribution(PatternNet):
    """How much each pixel's signal gave to the logit: every linear layer goes back by w ∘ a."""

    attribution: ClassVar[bool] = True


def _rewired(classifier: TorchClassifier, file: str, *, attribution: bool) -> Rewired:
    patterns = load_patterns(file)
    if patterns.fingerprint != classifier.fingerprint:
        raise PatternError(
            f"patterns of {classifier.name}", f"{file}, made for other weights", "make it with: unveil patterns"
        )
    return Rewired.of(classifier.copy_of_module(), patterns.by_layer, attribution=attribution)
