"""The one door to zennit: layer-wise relevance propagation by its composites, as a recipe's attribution."""

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

from unveil.attribution.adapters.canonical import canonical
from unveil.attribution.adapters.coverage import Coverage, counted, moves
from unveil.attribution.adapters.score_module import Normalize, PixelNetwork, foreign, unknown, with_module
from unveil.attribution.base import GradientMethod
from unveil.attribution.rules import RuleReport, rectifier_name
from unveil.classifiers import Classifier, TorchClassifier
from unveil.errors import AttributionError, MissingLibraryError, RecipeError
from unveil.seeding import seeded_generator
from unveil.targets import TargetScore

OURS_INSTEAD = {
    "GuidedBackprop": "GuidedBackprop()",
    "DeconvNet": "Deconvnet()",
    "Gradient": "Gradient()",
    "SmoothGrad": "SmoothGrad(Zennit(…))",
    "IntegratedGradients": 'Captum("IntegratedGradients")',
    "Occlusion": "Occlusion()",
}
ELSE = "use Captum('IntegratedGradients') or Gradient() for this model"


@dataclass(frozen=True)
class Zennit(GradientMethod):
    """Relevance R of every pixel and channel by a composite of zennit: `Zennit("EpsilonPlusFlat")`.

    R starts as the target's logit (Σ weight_i · logit_i for a margin) and is handed back layer by layer; but for what
    biases and the stabilisers take, Σ R is the target's score (Bach et al. 2015; Montavon et al. 2019). In logits.
    `composite`: EpsilonPlus, EpsilonPlusFlat, EpsilonAlpha2Beta1, EpsilonAlpha2Beta1Flat, EpsilonGammaBox,
    ExcitationBackprop, BetaSmooth (this last is a gradient, in logits per unit of pixel value). `epsilon` and `gamma`
    go to those that have them. The box of EpsilonGammaBox is what the classifier makes of pixels 0 and 1.

    Rules hang on layers, so a copy of the network is first brought into a form that has them: batch norms folded,
    functional additions, ReLUs and average pools made layers; its logits are compared. Whatever then has no rule
    (gates, attention, layer norms) would silently keep its plain derivative, and is refused by name. The normalization
    of pixels passes relevance on. A batch norm that can't be folded (before its convolution, as in DenseNet) passes it
    on too, which is zennit's rule for them. Needs `unveil[zennit]`.
    """

    composite: str = "EpsilonPlusFlat"
    epsilon: float = 1e-6
    gamma: float = 0.25

    def __post_init__(self) -> None:
        if self.composite in OURS_INSTEAD:
            raise RecipeError(
                "a composite of zennit that unveil lacks", self.composite, f"use {OURS_INSTEAD[self.composite]}"
            )
        if not (self.epsilon > 0 and self.gamma >= 0):
            got = f"epsilon {self.epsilon}, gamma {self.gamma}"
            raise RecipeError("epsilon above 0 and gamma from 0 on", got, "zennit's own are 1e-6 and 0.25")

    def gradients(
        self, classifier: Classifier, pixels: Float[Tensor, "n c *grid"], target_scores: Sequence[TargetScore]
    ) -> tuple[Float[Tensor, "t n c *grid"], RuleReport | None]:
        """Relevance for every scalar and image; the report counts the nonlinearities that had a rule.

        Raises `AttributionError` for black boxes, networks that can't be traced, and those with steps without a rule.
        """
        kind = self.look_up()
        torch_classifier = with_module(classifier, "zennit")
        with foreign(f"zennit's {self.composite}", classifier, ELSE), torch.enable_grad():
            canonical_network = torch_classifier.cached("zennit", None, lambda: _canonical_network(torch_classifier))
            network = PixelNetwork(torch_classifier, copy.deepcopy(canonical_network))
            composite = kind(**self._arguments(kind, torch_classifier))
            if relevance := _hands_back_relevance(composite):
                # Relevance passes the normalization of pixels as it is; the chain rule would divide it by std.
                composite.layer_map = [(Normalize, _zennit().rules.Pass()), *composite.layer_map]
            pixels = pixels.detach().to(network.normalize.dtype, copy=True).requires_grad_()
            with composite.context(network):
                rules = _rules(composite, network)
                _refuse_unfit(rules)
                with Coverage(rules) as coverage:
                    logits = network(pixels)
                _refuse_uncovered(self.composite, composite, coverage, logits)
                starts = [_start(target_score, logits, relevance=relevance) for target_score in target_scores]
                signed = [torch.autograd.grad(logits, pixels, start, retain_graph=True)[0] for start in starts]
        return torch.stack(signed).float(), RuleReport(_activations(coverage.order))

    def look_up(self) -> Any:
        """The composite's class. Raises `RecipeError` for a name or a setting that zennit doesn't have."""
        known = {kind.__name__: kind for kind in _zennit().composites.COMPOSITES.values()}
        if self.composite not in known:
            raise unknown("a composite of zennit", self.composite, set(known) - set(OURS_INSTEAD))
        kind = known[self.composite]
        has = inspect.signature(kind).parameters
        for setting in dataclasses.fields(self)[1:]:
            value = getattr(self, setting.name)
            if setting.name not in has and value != setting.default:
                raise RecipeError(f"no {setting.name} for {self.composite}", str(value), "leave it out")
        return kind

    def _arguments(self, kind: Any, classifier: TorchClassifier) -> dict[str, Any]:
        """Those that a composite takes; the box is what the classifier makes of pixels 0 and 1."""
        shape = (1, classifier.preprocessing.channels, *(1,) * len(classifier.preprocessing.crop))
        low, high = (classifier.normalized(torch.full(shape, end, device=classifier.device)) for end in (0.0, 1.0))
        given = {"epsilon": self.epsilon, "gamma": self.gamma, "low": low, "high": high}
        return {name: given[name] for name in inspect.signature(kind).parameters if name in given}


def _hands_back_relevance(composite: Any) -> bool:
    """Whether it has rules for linear layers; what has rules for ReLUs only (BetaSmooth) hands back a gradient."""
    return any(types is not nn.ReLU for types, _ in composite.layer_map)


def _refuse_uncovered(name: str, composite: Any, coverage: Coverage, logits: Tensor) -> None:
    """Steps without a rule would keep their plain derivative without a word. Where a composite has no rule for ReLUs,
    that is what it wants for them."""
    missed = [node for node in coverage.outside(logits) if not moves(node)]
    if not _hands_back_relevance(composite):
        missed = [node for node in missed if rectifier_name(node)]
    elif not any(issubclass(nn.ReLU, types) for types, _ in composite.layer_map):
        missed = [node for node in missed if rectifier_name(node) != "ReLU"]
    if missed or not coverage.order:
        got = f"{counted(missed)} outside of layers with a rule" if missed else "no layer with a rule"
        raise AttributionError(f"a network whose every step has a rule of zennit's {name}", got, ELSE)


def _rules(composite: Any, network: nn.Module) -> dict[nn.Module, Any]:
    """Every layer that has a rule, and its rule."""
    context: dict = {}
    found = {layer: composite.module_map(context, name, layer) for name, layer in network.named_modules()}
    return {layer: rule for layer, rule in found.items() if rule is not None}


def _refuse_unfit(rules: dict[nn.Module, Any]) -> None:
    """zennit's rules change a layer's parameters; weights that are made of others (weight norm) they would miss."""
    for layer, rule in rules.items():
        weighted = isinstance(rule, _zennit().core.BasicHook) and hasattr(layer, "weight")
        if weighted and "weight" not in dict(layer.named_parameters(recurse=False)):
            got = f"a {type(layer).__name__} with weights made of others"
            raise AttributionError("layers whose weights are parameters", got, ELSE)


def _start(target_score: TargetScore, logits: Float[Tensor, "n k"], *, relevance: bool) -> Float[Tensor, "n k"]:
    """weight_i · logit_i, which add up to the score; for a gradient weight_i."""
    weights = torch.zeros_like(logits)
    for index, weight in target_score.weights:
        weights[:, index] = weight
    return weights * logits.detach() if relevance else weights


def _activations(order: list[nn.Module]) -> dict[str, int]:
    activation = _zennit().types.Activation
    return dict(Counter(type(layer).__name__ for layer in order if isinstance(layer, activation)))


def _canonical_network(classifier: TorchClassifier) -> nn.Module:
    """The classifier's network in canonical form. Raises `AttributionError` where that changes its logits."""
    shape = (2, classifier.preprocessing.channels, *classifier.preprocessing.crop)
    pixels = torch.rand(shape, generator=seeded_generator(classifier.fingerprint, 0)).to(classifier.device)
    with torch.no_grad():
        expected = PixelNetwork(classifier, classifier.copy_of_module())(pixels)
        form = canonical(classifier.copy_of_module(), _zennit().layer.Sum)
        got = PixelNetwork(classifier, form)(pixels)
    error = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not error < 1e-3:
        raise AttributionError("the same logits from the network in the form for rules", f"{error:.0%} others", ELSE)
    return form


def _zennit() -> ModuleType:
    try:
        import zennit.composites  # noqa: PLC0415 (optional)
        import zennit.layer  # noqa: PLC0415
        import zennit.types  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("zennit", "zennit", "layer-wise relevance propagation") from error
    return zennit
