"""Backward rules on real architectures: exact against an independent reference, or refused; and Captum beside it.

    python benchmarks/conformance.py --json
    python benchmarks/conformance.py --markdown                                     # the table of docs/conformance.md
    python benchmarks/conformance.py --only torchvision/resnet18 timm/resnet10t

The reference never looks at the graph: it intercepts every call of a rectifier in Python while the model runs, and puts
an autograd function of its own there, in float64. Weights are random: the rules don't depend on them.
"""

import argparse
import json
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from captum.attr import Deconvolution
from captum.attr import GuidedBackprop as CaptumGuided
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from unveil import TorchClassifier, UnveilError, load_classifier
from unveil.attribution import AttributionRequest, Deconvnet, Gradient, GuidedBackprop
from unveil.targets import TargetScore

ARCHITECTURES = (
    *(f"torchvision/{name}" for name in (
        "alexnet", "vgg11", "vgg16_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121",
        "googlenet", "inception_v3", "squeezenet1_0", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5",
        "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_v2_s", "regnet_x_400mf",
        "regnet_y_400mf",
        "convnext_tiny", "vit_b_32", "swin_t",
    )),
    *(f"timm/{name}" for name in (
        "resnet10t", "resnet26d", "legacy_seresnet18", "res2net50_26w_4s", "dpn68", "hrnet_w18_small", "densenet121",
        "xception41", "inception_v4", "repvgg_a0", "rexnet_100", "ghostnet_100", "dla34", "selecsls42b", "cspresnet50",
        "mixer_s32_224", "deit_tiny_patch16_224", "levit_128s",
    )),
)  # fmt: skip
EXACT = 1e-5  # largest error relative to the largest value that counts as exact
RECTIFIERS = {
    torch.relu: "ReLU", torch.relu_: "ReLU", torch.nn.functional.relu: "ReLU", Tensor.relu: "ReLU",
    Tensor.relu_: "ReLU", torch.nn.functional.relu6: "ReLU6", torch.nn.functional.hardtanh: "ReLU6",
    torch.nn.functional.hardtanh_: "ReLU6",
}  # fmt: skip
OTHERS = {
    getattr(torch.nn.functional, name): shown
    for name, shown in {
        "silu": "SiLU", "gelu": "GELU", "hardswish": "Hardswish", "leaky_relu": "LeakyReLU", "elu": "ELU",
        "mish": "Mish", "hardsigmoid": "hardsigmoid", "softplus": "Softplus",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One architecture. `found`: nonlinearities called; an error is None if there is nothing to compare."""

    architecture: str
    found: dict[str, int]
    overridden: int
    verdict: str
    max_relative_error: float | None
    captum_error: float | None
    reason: str = ""


class _Rectifier(torch.autograd.Function):
    """min(max(x, 0), ceiling), going back by a rule of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: str, ceiling: float) -> Tensor:
        ctx.save_for_backward((x > 0) & (x < ceiling))
        ctx.rule = rule
        return x.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (open_,) = ctx.saved_tensors
        passed = gradients[0] if ctx.rule == "plain" else gradients[0].clamp(min=0)
        return passed if ctx.rule == "deconvnet" else passed * open_, None, None


class Reference(TorchFunctionMode):
    """While active, every call of a rectifier goes through `_Rectifier`; other nonlinearities are counted."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule, self.met = rule, Counter()

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = RECTIFIERS.get(func)
        if name == "ReLU6" and func is not torch.nn.functional.relu6:
            low, high = (*args[1:3], kwargs.get("min_val", -1.0), kwargs.get("max_val", 1.0))[:2]
            name = "ReLU6" if low == 0 and high == 6 else None
        if name:
            self.met[name] += 1
            return _Rectifier.apply(args[0], self.rule, 6.0 if name == "ReLU6" else float("inf"))
        if func in OTHERS:
            self.met[OTHERS[func]] += 1
        return func(*args, **kwargs)


def reference(module: nn.Module, inputs: Tensor, label: int, rule: str) -> tuple[Tensor, Counter]:
    """The gradient under a rule, and what was met."""
    inputs = inputs.clone().requires_grad_()
    mode = Reference(rule)
    with mode:
        logits = module(inputs)
    return torch.autograd.grad(logits[:, label].sum(), inputs)[0], mode.met


def check(name: str) -> Row:
    """One architecture in float64, all rules."""
    torch.manual_seed(0)
    made = load_classifier(name, "none")
    assert isinstance(made, TorchClassifier)  # noqa: S101
    module = made.copy_of_module().double()
    plain = replace(made.preprocessing, mean=(0.0,) * 3, std=(1.0,) * 3)
    classifier = TorchClassifier(module, plain, made.labels, name=name)
    pixels = torch.rand(3, *made.preprocessing.crop, generator=torch.Generator().manual_seed(0))
    inputs = pixels[None].double()
    label = classifier.predict(pixels[None])[0].leading(1)[0]
    question = AttributionRequest(classifier, pixels, [TargetScore("top", ((label, 1.0),))], "", 1)
    gradient = Gradient().attribute(question).all.mean[0]
    expected, met = reference(module, inputs, label, "plain")
    errors = [_error(gradient, expected[0])]
    captum = []
    overridden, reason = 0, ""
    for rule, method, theirs in (("deconvnet", Deconvnet(), Deconvolution), ("guided", GuidedBackprop(), CaptumGuided)):
        expected, _ = reference(module, inputs, label, rule)
        captum.append(_captum(theirs, module, inputs, label, expected))
        try:
            result = method.attribute(question)
        except UnveilError as error:
            reason = error.got
            continue
        overridden = result.rules.count if result.rules else 0
        errors.append(_error(result.all.mean[0], expected[0]))
    worst = max(errors)
    verdict = "wrong" if worst > EXACT else "refused" if reason else "exact"
    known = [error for error in captum if error is not None]
    return Row(name, dict(met), overridden, verdict, worst, max(known) if known and not reason else None, reason)


def _error(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other.double()).abs().max() / other.abs().max().clamp(min=1e-300))


def _captum(method: type, module: nn.Module, inputs: Tensor, label: int, expected: Tensor) -> float | None:
    """Captum's error; None where it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(module).attribute(inputs.clone().requires_grad_(), target=label)
    except (RuntimeError, AssertionError, ValueError, TypeError):
        return None
    return _error(found.detach()[0], expected[0])


def markdown(rows: list[Row]) -> str:
    """The table of the docs."""
    lines = ["| architecture | found | overridden | verdict | largest error | Captum's |", "|---|---|---|---|---|---|"]
    for row in rows:
        found = ", ".join(f"{count} {name}" for name, count in row.found.items()) or "none by name"
        error, captum = (
            "" if value is None else f"{value:.0e}" for value in (row.max_relative_error, row.captum_error)
        )
        lines.append(f"| {row.architecture} | {found} | {row.overridden or ''} | {row.verdict} | {error} | {captum} |")
    return "\n".join(lines)


def main() -> None:
    """Check all, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", nargs="+", default=ARCHITECTURES)
    options = parser.parse_args()
    rows = [check(name) for name in track(options.only, "architectures", console=Console(stderr=True), transient=True)]
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else markdown(rows))
    if any(row.verdict == "wrong" for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
