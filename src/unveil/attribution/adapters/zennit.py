"""Adapter for zennit: layer-wise relevance propagation as a recipe's attribution. zennit is imported only here."""

import copy
import dataclasses
import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.adapters.canonical import to_canonical_form
from unveil.attribution.adapters.coverage import Coverage, count_by_name, only_moves_values
from unveil.attribution.adapters.score_module import (
    Normalize,
    PixelNetwork,
    require_torch_classifier,
    translate_library_errors,
    unknown_name_error,
)
from unveil.attribution.base import GradientMethod
from unveil.attribution.rules import RuleReport, rectifier_name
from unveil.classifiers import Classifier, TorchClassifier
from unveil.classifiers.engine.guard import as_leaf, recording
from unveil.codec import require_numbers
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

MAX_SETTING = 1e6  # of epsilon and gamma
OURS_INSTEAD = {
    "GuidedBackprop": "GuidedBackprop()",
    "DeconvNet": "Deconvnet()",
    "Gradient": "Gradient()",
    "SmoothGrad": "SmoothGrad(Zennit(…))",
    "IntegratedGradients": 'Captum("IntegratedGradients")',
    "Occlusion": "Occlusion()",
}
ADVICE = "use Captum('IntegratedGradients') or Gradient() for this model"


@dataclass(frozen=True)
class Zennit(GradientMethod):
    """Relevance R of every pixel and channel, by layer-wise relevance propagation with a composite of zennit.

    R starts as the target's logit (Σ weight_i · logit_i for a margin) and is propagated back layer by layer. Except for
    the parts that biases and stabilizers absorb, Σ R is the target's score (Bach et al. 2015; Montavon et al. 2019). R
    is in logits.

    Rules are hooks on layers, so they are applied to a copy of the network in canonical form: batch norms are folded,
    and functional additions, ReLUs and average pools are layers; its logits are compared with the original's. A step
    that still has no rule (gates, attention, layer norms) would silently keep its plain derivative, so such a network
    is refused, with the name of the step. The normalization of pixels passes relevance on unchanged, and so does a
    batch norm that can't be folded (before its convolution, as in DenseNet), which is zennit's rule for it. Needs
    `unveil[zennit]`.

    Attributes:
        composite: EpsilonPlus, EpsilonPlusFlat, EpsilonAlpha2Beta1, EpsilonAlpha2Beta1Flat, EpsilonGammaBox,
            ExcitationBackprop or BetaSmooth (this last one is a gradient, in logits per unit of pixel value). The
            bounds of EpsilonGammaBox are the normalized pixel values 0 and 1.
        epsilon: The stabilizer of composites that have one, relative to the layer's output; above 0.
        gamma: The weight of positive contributions in composites that have one; at least 0.

    Raises `RecipeError` for settings out of range, and for gradient methods that unveil has itself.

    >>> Zennit("EpsilonGammaBox", gamma=0.5).gamma
    0.5
    """

    composite: str = "EpsilonPlusFlat"
    epsilon: float = 1e-6
    gamma: float = 0.25

    def __post_init__(self) -> None:
        require_numbers(self)
        if self.composite in OURS_INSTEAD:
            raise RecipeError(
                "a composite of zennit that isn't a method of unveil",
                self.composite,
                f"use {OURS_INSTEAD[self.composite]}",
            )
        if not (0 < self.epsilon <= MAX_SETTING and 0 <= self.gamma <= MAX_SETTING):
            got = f"epsilon {self.epsilon}, gamma {self.gamma}"
            expected = f"epsilon above 0, gamma from 0 on, and both at most {MAX_SETTING:g}"
            raise RecipeError(expected, got, "zennit's own are 1e-6 and 0.25")

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Compute the relevance for every target score and image; the report counts the nonlinearities that had a rule.

        Raises `AttributionError` for black boxes, networks that can't be traced, and those with steps without a rule.
        """
        composite_class = self.look_up()
        torch_classifier = require_torch_classifier(classifier, "zennit")
        with translate_library_errors(f"zennit's {self.composite}", classifier, ADVICE), recording():
            canonical_network = torch_classifier.cached("zennit", None, lambda: _canonical_network(torch_classifier))
            network = PixelNetwork(torch_classifier, copy.deepcopy(canonical_network))
            composite = composite_class(**self._arguments(composite_class, torch_classifier))
            if relevance := _propagates_relevance(composite):
                # Relevance passes the normalization of pixels unchanged; the chain rule would divide it by std.
                composite.layer_map = [(Normalize, _zennit().rules.Pass()), *composite.layer_map]
            pixels = as_leaf(pixels.to(network.normalize.dtype, copy=True))
            with composite.context(network):
                rules = _rules(composite, network)
                _refuse_derived_weights(rules)
                with Coverage(rules) as coverage:
                    logits = network(pixels)
                _refuse_uncovered(self.composite, composite, coverage, logits)
                starts = [
                    _initial_relevance(target_score, logits, relevance=relevance) for target_score in target_scores
                ]
                signed = [torch.autograd.grad(logits, pixels, start, retain_graph=True)[0] for start in starts]
        return torch.stack(signed).float(), RuleReport(_activations(coverage.order))

    def look_up(self) -> Any:
        """Return the composite's class. Raises `RecipeError` for a name or a setting that zennit doesn't have."""
        known = {item.__name__: item for item in _zennit().composites.COMPOSITES.values()}
        if self.composite not in known:
            raise unknown_name_error("a composite of zennit", self.composite, set(known) - set(OURS_INSTEAD))
        composite_class = known[self.composite]
        parameters = inspect.signature(composite_class).parameters
        for setting in dataclasses.fields(self)[1:]:
            value = getattr(self, setting.name)
            if setting.name not in parameters and value != setting.default:
                raise RecipeError(f"no {setting.name} for {self.composite}", str(value), "leave it out")
        return composite_class

    def _arguments(self, composite_class: Any, classifier: TorchClassifier) -> dict[str, Any]:
        """The arguments that a composite takes; the bounds are the normalized pixel values 0 and 1."""
        shape = (1, classifier.preprocessing.channels, *(1,) * len(classifier.preprocessing.crop))
        low, high = (classifier.normalized(torch.full(shape, end, device=classifier.device)) for end in (0.0, 1.0))
        values = {"epsilon": self.epsilon, "gamma": self.gamma, "low": low, "high": high}
        return {name: values[name] for name in inspect.signature(composite_class).parameters if name in values}


def _propagates_relevance(composite: Any) -> bool:
    """True for a composite with rules for linear layers; one with rules for ReLUs only (BetaSmooth) is a gradient."""
    return any(types is not nn.ReLU for types, _ in composite.layer_map)


def _refuse_uncovered(name: str, composite: Any, coverage: Coverage, logits: Tensor) -> None:
    """Raise `AttributionError` for steps without a rule, which would silently keep their plain derivative.

    Where a composite has no rule for ReLUs, the plain derivative is intended for them.
    """
    missed = [node for node in coverage.steps_outside(logits) if not only_moves_values(node)]
    if not _propagates_relevance(composite):
        missed = [node for node in missed if rectifier_name(node)]
    elif not any(issubclass(nn.ReLU, types) for types, _ in composite.layer_map):
        missed = [node for node in missed if rectifier_name(node) != "ReLU"]
    if missed or not coverage.order:
        got = f"{count_by_name(missed)} outside of layers with a rule" if missed else "no layer with a rule"
        raise AttributionError(f"a network whose every step has a rule of zennit's {name}", got, ADVICE)


def _rules(composite: Any, network: nn.Module) -> dict[nn.Module, Any]:
    """The rule of every layer that has one."""
    context: dict = {}
    rules = {layer: composite.module_map(context, name, layer) for name, layer in network.named_modules()}
    return {layer: rule for layer, rule in rules.items() if rule is not None}


def _refuse_derived_weights(rules: dict[nn.Module, Any]) -> None:
    """Refuse weights computed from others (weight norm): zennit's rules change parameters and would miss them."""
    for layer, rule in rules.items():
        weighted = isinstance(rule, _zennit().core.BasicHook) and hasattr(layer, "weight")
        if weighted and "weight" not in dict(layer.named_parameters(recurse=False)):
            got = f"a {type(layer).__name__} with weights computed from others"
            raise AttributionError("layers whose weights are parameters", got, ADVICE)


def _initial_relevance(
    target_score: TargetScore, logits: Float[Tensor, "n k"], *, relevance: bool
) -> Float[Tensor, "n k"]:
    """weight_i · logit_i, whose sum is the score; for a gradient weight_i."""
    weights = torch.zeros_like(logits)
    for index, weight in target_score.weights:
        weights[:, index] = weight
    return weights * logits.detach() if relevance else weights


def _activations(order: list[nn.Module]) -> dict[str, int]:
    activation = _zennit().types.Activation
    return dict(Counter(type(layer).__name__ for layer in order if isinstance(layer, activation)))


def _canonical_network(classifier: TorchClassifier) -> nn.Module:
    """The classifier's network in canonical form. Raises `AttributionError` if that changes its logits."""
    shape = (2, classifier.preprocessing.channels, *classifier.preprocessing.crop)
    pixels = torch.rand(shape, generator=seeded_generator(classifier.fingerprint, 0)).to(classifier.device)
    with torch.no_grad():
        expected = PixelNetwork(classifier, classifier.copy_of_module())(pixels)
        network = to_canonical_form(classifier.copy_of_module(), _zennit().layer.Sum)
        logits = PixelNetwork(classifier, network)(pixels)
    error = float((logits - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not error < 1e-3:
        got = f"logits that differ by {error:.0%}"
        raise AttributionError("the same logits from the network in canonical form", got, ADVICE)
    return network


def _zennit() -> ModuleType:
    try:
        import zennit.composites  # noqa: PLC0415 (optional)
        import zennit.layer  # noqa: PLC0415
        import zennit.types  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("zennit", "zennit", "layer-wise relevance propagation") from error
    return zennit
