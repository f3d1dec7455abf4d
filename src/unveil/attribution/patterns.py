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
from unveil.classifiers.engine.guard import as_leaf, guarded, recording
from unveil.patterns import PatternError, RewiredNetwork, load_patterns
from unveil.targets import TargetScore


@dataclass(frozen=True)
class PatternNet(GradientMethod):
    """The signal: a backward pass with each layer's pattern a in place of its weights w (Kindermans et al. 2017).

    In units of pixel value per logit. Magnitudes grow through many layers, so only directions within a map have a
    meaning.

    Attributes:
        patterns: The path of a file made by `unveil patterns` for this model.
    """

    patterns: str
    attribution: ClassVar[bool] = False

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Compute one backward pass along the patterns per target score.

        Raises `PatternError` for black boxes, for a file that can't be read, and for patterns of other weights.
        """
        if not isinstance(classifier, TorchClassifier):
            raise PatternError("a PyTorch model for patterns", classifier.name, "use a method for black boxes")
        path = Path(self.patterns)
        modified = path.stat().st_mtime_ns if path.exists() else 0
        network = classifier.cached(
            type(self).__name__,
            (self.patterns, modified),
            lambda: _rewire(classifier, self.patterns, attribution=self.attribution),
        )
        with recording(), guarded(classifier.name, "compute gradients"):
            inputs = as_leaf(classifier.normalized(pixels))
            signed = backward(target_scores, classifier.read_logits(network, inputs), inputs)
        # The normalization is a linear layer with one input, 1/std: its pattern is std.
        std = torch.tensor(classifier.preprocessing.std).to(signed).reshape(-1, *(1,) * (pixels.ndim - 2))
        return (signed if self.attribution else signed * std).float(), None


@dataclass(frozen=True)
class PatternAttribution(PatternNet):
    """The contribution of each pixel's signal to the logit (Kindermans et al. 2017), in logits.

    A backward pass with w ∘ a in place of each layer's weights w, where a is the layer's pattern.

    Attributes:
        patterns: The path of a file made by `unveil patterns` for this model.
    """

    attribution: ClassVar[bool] = True


def _rewire(classifier: TorchClassifier, file: str, *, attribution: bool) -> RewiredNetwork:
    patterns = load_patterns(file)
    if patterns.fingerprint != classifier.fingerprint:
        raise PatternError(
            f"patterns of {classifier.name}", f"{file}, made for other weights", "make it by: unveil patterns"
        )
    return RewiredNetwork.of(classifier.copy_of_module(), patterns.by_layer, attribution=attribution)
