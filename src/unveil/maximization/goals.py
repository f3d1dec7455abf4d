"""Goals: the number per image that is maximized, a target's logit, or the activation of a unit or channel."""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.gradient import score_of
from unveil.classifiers import TorchClassifier
from unveil.errors import TargetError
from unveil.predictions import Prediction
from unveil.targets import Predicted, Target, Top


@dataclass(frozen=True)
class NetworkUnit:
    """A channel of a layer's output, or one unit of a channel.

    Attributes:
        layer: A name of the module's `named_modules()`. If the layer is used several times in a forward pass, its last
            output is used.
        channel: An index from 0 on, along the second axis of the output, or along the last axis of an output with three
            axes (the tokens of a transformer).
        position: The indices along the other axes except the first, from 0 on; None for the mean over all positions.

    >>> str(NetworkUnit("layer4", 7, (3, 3)))
    'layer4, channel 7 at 3, 3'
    """

    layer: str
    channel: int
    position: tuple[int, ...] | None = None

    def __str__(self) -> str:
        at = "" if self.position is None else f" at {', '.join(map(str, self.position))}"
        return f"{self.layer}, channel {self.channel}{at}"


Goal = Target | NetworkUnit
Activation = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n"]]


@contextmanager
def open_activation(classifier: TorchClassifier, goal: Goal) -> Iterator[tuple[str, Activation]]:
    """Context manager for the goal's name and its activation, a differentiable function of pixels in [0, 1].

    A layer gets a forward hook, which is removed when the context is left. Raises `TargetError` for a goal that the
    classifier doesn't have.
    """
    if not isinstance(goal, NetworkUnit):
        yield _logit_activation(classifier, goal)
        return
    hook = _ActivationHook(goal)
    # The classifier's own copy, never the user's module.
    handle = _find_layer(classifier._module, goal.layer).register_forward_hook(hook)
    try:
        yield str(goal), lambda pixels: hook.activation(classifier, pixels)
    finally:
        handle.remove()


def _logit_activation(classifier: TorchClassifier, target: Target) -> tuple[str, Activation]:
    expected = "a target that is the same for every image"
    if isinstance(target, Top | Predicted):
        raise TargetError(expected, f"{target}, which depends on the image", "name a class or a margin of two")
    # A class or a margin doesn't depend on the prediction.
    prediction = Prediction(np.zeros(len(classifier.labels)), classifier.output)
    target_scores = target.resolve(prediction, prediction, classifier.labels)
    if len(target_scores) != 1:
        got = f"{target}, which has {len(target_scores)} scores"
        raise TargetError(expected, got, "maximize one class at a time")
    return target_scores[0].name, lambda pixels: score_of(target_scores[0], classifier.logits(pixels))


def _find_layer(module: nn.Module, name: str) -> nn.Module:
    layers = {key: layer for key, layer in module.named_modules() if key}
    if name in layers:
        return layers[name]
    close = difflib.get_close_matches(name, layers, n=3, cutoff=0.5)
    hint = ", ".join(map(repr, close or [*layers][:1] + [*layers][1:][-2:])) or "a target: the model has no layers"
    raise TargetError(f"one of the model's {len(layers)} layers", repr(name), f"try {hint}")


class _ActivationHook:
    """A forward hook that stores one unit's activation."""

    def __init__(self, unit: NetworkUnit) -> None:
        self._unit = unit
        self._stored: Tensor | None = None

    def __call__(self, layer: nn.Module, inputs: object, output: object) -> None:
        # The activation is copied here, because an in-place rectifier would overwrite the output.
        self._stored = self._read(output)

    def activation(self, classifier: TorchClassifier, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """Compute the activation in a forward pass of these pixels."""
        self._stored = None
        classifier.logits_by_layers(pixels)
        if self._stored is None:
            got = "a forward pass that doesn't call it"
            raise TargetError(f"the layer {self._unit.layer!r} to be used", got, "choose another layer")
        activation, self._stored = self._stored, None
        return activation

    def _read(self, output: object) -> Float[Tensor, "n"]:
        unit = self._unit
        if not isinstance(output, Tensor) or output.ndim < 2 or not output.is_floating_point():
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise TargetError(f"channels from the layer {unit.layer!r}", got, "choose a layer inside or after it")
        maps = output.movedim(-1, 1) if output.ndim == 3 else output
        if not 0 <= unit.channel < maps.shape[1]:
            expected = f"a channel from 0 to {maps.shape[1] - 1} of {unit.layer!r}"
            raise TargetError(expected, str(unit.channel), "choose one of these")
        values = maps[:, unit.channel]
        if unit.position is None:
            return _to_float32(values).flatten(1).mean(1) if values.ndim > 1 else _to_float32(values)
        grid = tuple(values.shape[1:])
        inside = len(unit.position) == len(grid) and all(
            0 <= index < side for index, side in zip(unit.position, grid, strict=True)
        )
        if not inside:
            shape = "x".join(map(str, grid)) or "a single value"
            raise TargetError(f"a position on the grid of {unit.layer!r}, {shape}", str(unit.position), "count from 0")
        return _to_float32(values[(slice(None), *unit.position)])


def _to_float32(values: Tensor) -> Tensor:
    # Always a copy, and never in half precision, where a mean over many positions would be rounded.
    return values.to(torch.promote_types(values.dtype, torch.float32), copy=True)
