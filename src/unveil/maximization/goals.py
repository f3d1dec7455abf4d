"""Goals: what is maximized, as one number for an image. A target's logits, or a unit or channel inside the network."""

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
    """A channel of a layer's output, or one unit of it: `NetworkUnit("features.3.conv1", 7)`, `NetworkUnit("layer4",
    7, (3, 3))`.

    `layer` is a name of the module's `named_modules()`. Channels are the second axis of the output, and the last one of
    an output with three axes (the tokens of a transformer). `position` has a value for each of the other axes but the
    first; None is the mean over all positions. Of a layer that is used several times in a forward pass, the last use
    counts.
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
    """The goal's name, and its activation as a differentiable function of pixels in [0, 1].

    A layer is watched by a forward hook that is gone when the context is left, however it is left. Raises `TargetError`
    for a goal that the classifier doesn't have.
    """
    if not isinstance(goal, NetworkUnit):
        yield _logits_of(classifier, goal)
        return
    watch = _Watch(goal)
    # The classifier's own copy, never the user's module.
    handle = _find_layer(classifier._module, goal.layer).register_forward_hook(watch)
    try:
        yield str(goal), lambda pixels: watch.ask(classifier, pixels)
    finally:
        handle.remove()


def _logits_of(classifier: TorchClassifier, target: Target) -> tuple[str, Activation]:
    expected = "a target that means the same for every image"
    if isinstance(target, Top | Predicted):
        raise TargetError(expected, f"{target}, which depends on one", "name a class or a margin of two")
    nothing = Prediction(np.zeros(len(classifier.labels)), classifier.output)
    target_scores = target.resolve(nothing, nothing, classifier.labels)
    if len(target_scores) != 1:
        raise TargetError(
            expected, f"{target}, which means {len(target_scores)} scalars", "ask for one class at a time"
        )
    return target_scores[0].name, lambda pixels: score_of(target_scores[0], classifier.logits(pixels))


def _find_layer(module: nn.Module, name: str) -> nn.Module:
    layers = {key: layer for key, layer in module.named_modules() if key}
    if name in layers:
        return layers[name]
    close = difflib.get_close_matches(name, layers, n=3, cutoff=0.5)
    hint = ", ".join(map(repr, close or [*layers][:1] + [*layers][1:][-2:])) or "a target: the model has no layers"
    raise TargetError(f"one of the model's {len(layers)} layers", repr(name), f"try {hint}")


class _Watch:
    """A forward hook that keeps one unit's activation."""

    def __init__(self, unit: NetworkUnit) -> None:
        self._unit = unit
        self._seen: Tensor | None = None

    def __call__(self, layer: nn.Module, given: object, output: object) -> None:
        # The activation is read here and not later: a rectifier that works in place would overwrite the output.
        self._seen = self._read(output)

    def ask(self, classifier: TorchClassifier, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """The activation in a forward pass of these pixels."""
        self._seen = None
        classifier.logits_by_layers(pixels)
        if self._seen is None:
            got = "a forward pass that doesn't call it"
            raise TargetError(f"the layer {self._unit.layer!r} to be used", got, "choose another layer")
        seen, self._seen = self._seen, None
        return seen

    def _read(self, output: object) -> Float[Tensor, "n"]:
        unit = self._unit
        if not isinstance(output, Tensor) or output.ndim < 2 or not output.is_floating_point():
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise TargetError(f"channels from the layer {unit.layer!r}", got, "choose a layer inside it or after it")
        maps = output.movedim(-1, 1) if output.ndim == 3 else output
        if not 0 <= unit.channel < maps.shape[1]:
            expected = f"a channel from 0 to {maps.shape[1] - 1} of {unit.layer!r}"
            raise TargetError(expected, str(unit.channel), "choose one of these")
        values = maps[:, unit.channel]
        if unit.position is None:
            return _wide(values).flatten(1).mean(1) if values.ndim > 1 else _wide(values)
        grid = tuple(values.shape[1:])
        inside = len(unit.position) == len(grid) and all(
            0 <= place < side for place, side in zip(unit.position, grid, strict=True)
        )
        if not inside:
            shape = "x".join(map(str, grid)) or "a single value"
            raise TargetError(f"a position on the grid of {unit.layer!r}, {shape}", str(unit.position), "count from 0")
        return _wide(values[(slice(None), *unit.position)])


def _wide(values: Tensor) -> Tensor:
    # A copy in any case, and not in half precision, where a mean over many positions would be rounded.
    return values.to(torch.promote_types(values.dtype, torch.float32), copy=True)
