"""Adapter for pytorch-grad-cam: unscaled class activation maps as a recipe's attribution. It is imported only here."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unveil.attribution.adapters.score_module import (
    ScoreModule,
    attribute_each_score,
    resize_to_grid,
    unknown_name_error,
)
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import AttributionError, MissingLibraryError, RecipeError

OURS_INSTEAD = {
    "GuidedBackpropReLUModel": "GuidedBackprop()",
    # These combine maps that are already scaled to [0, 1]; there is no unscaled map.
    "FullGrad": 'Captum("InputXGradient")',
    "RefineCAM": 'Cam("GradCAMPlusPlus")',
    "SESS": 'Cam("GradCAM")',
    "FinerCAM": 'Cam("GradCAM") with the target Margin',
}

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Cam(Attribution):
    """A class activation map of `pytorch_grad_cam`, before it is scaled to [0, 1].

    Grad-CAM computes max(0, Σ_k w_k A_k), where A_k is channel k of a layer's output and w_k is the mean of
    ∂score/∂A_k over its positions (Selvaraju et al. 2017), enlarged linearly to the grid; the other methods are those
    of their papers. The library scales every map to [0, 1], which makes the weakest evidence look like the strongest.
    The map is taken before that, in the method's own unit (for Grad-CAM that of A times logits per A), and a map of
    zeros stays zero. The method works on a copy of the model. EigenCAM and KPCA_CAM don't depend on the target, and
    their sign is arbitrary. Needs `unveil[cam]`.

    Attributes:
        method: The name of the class in `pytorch_grad_cam`.
        layer: The name of the layer in the model. Empty for the last one that a forward pass completes among layers
            that are or contain a convolution and output more than one position (`layer4` in a ResNet, `features` in VGG
            and DenseNet).

    Raises `RecipeError` for methods without an unscaled map, with the one to use instead.

    >>> Cam("LayerCAM", layer="layer3")
    Cam(method='LayerCAM', layer='layer3')
    """

    method: str = "GradCAM"
    layer: str = ""

    def __post_init__(self) -> None:
        if self.method in OURS_INSTEAD:
            raise RecipeError(
                "a method whose map can be taken before it is scaled", self.method, f"use {OURS_INSTEAD[self.method]}"
            )

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """Compute one non-negative map per target score.

        Raises `AttributionError` for black boxes and for models that the method can't explain.
        """
        method = self.look_up()
        advice = "try another method, or name a convolution"

        def compute_map(module: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> Tensor:
            return compute_unscaled_cam(method(module, [_choose_layer(module, pixels, self.layer)]), pixels)

        return attribute_each_score(
            request, "pytorch-grad-cam", f"pytorch-grad-cam's {self.method}", advice, compute_map
        )

    def look_up(self) -> Any:
        """Return the method's class. Raises `RecipeError` for a name that the library doesn't have."""
        known = _methods()
        if self.method not in known:
            raise unknown_name_error("a method of pytorch_grad_cam", self.method, known)
        return known[self.method]


def compute_unscaled_cam(
    method: Any, pixels: Float[Tensor, "one c *grid"], **arguments: Any
) -> Float[Tensor, "one chan *grid"]:
    """Compute the map of one image by a method object of the library, before it is scaled to [0, 1].

    Values are clamped at 0, as the library does. For several layers, their maps are averaged.
    """
    recorded, get_cam_image = [], method.get_cam_image
    if not method.detach:
        # ShapleyCAM takes second derivatives; where a network is linear, autograd has them only through the weights.
        method.model.requires_grad_()

    def get_and_record(*positional: Any, **named: Any) -> Any:
        recorded.append(get_cam_image(*positional, **named))
        return recorded[-1]

    method.get_cam_image = get_and_record
    # The library keeps a layer's output without copying it: a later in-place step (out += x) would change it.
    handles = [layer.register_forward_hook(_clone_output) for layer in method.target_layers]
    try:
        with _without_progress_bars(type(method)):
            method(pixels, **{"targets": [_only_score], **arguments})
    finally:
        method.get_cam_image = get_cam_image
        method.activations_and_grads.release()
        for handle in handles:
            handle.remove()
    grid = tuple(pixels.shape[2:])
    maps = [resize_to_grid(torch.as_tensor(cam)[:, None].clamp(min=0), grid) for cam in recorded]
    return torch.stack(maps).mean(0)[None]


def _only_score(row: Float[Tensor, "one"]) -> Float[Tensor, ""]:
    return row[0]


def _clone_output(layer: nn.Module, inputs: tuple, output: object) -> Tensor | None:
    return output.clone() if isinstance(output, Tensor) else None


@contextmanager
def _without_progress_bars(method_class: type) -> Iterator[None]:
    """Suppress the library's own progress bars, which would be drawn over ours."""
    module = sys.modules[method_class.__module__]
    bars = vars(module).get("tqdm")
    if bars is None:
        yield
        return
    vars(module)["tqdm"] = SimpleNamespace(tqdm=iter)
    try:
        yield
    finally:
        vars(module)["tqdm"] = bars


def _choose_layer(module: ScoreModule, pixels: Float[Tensor, "one c *grid"], name: str) -> nn.Module:
    """Return the layer of this name, or the last stage of convolutions.

    Raises `AttributionError` for a layer whose output isn't a map, and for one that isn't called exactly once, because
    the library would mix up its maps.
    """
    named_layer = module.find(name) if name else None
    calls = _record_calls(module, pixels)
    uses = Counter(layer for layer, _ in calls)
    if named_layer is not None:
        shape = next((shape for layer, shape in calls if layer is named_layer), ())
        if uses[named_layer] != 1 or not _is_map(shape, pixels):
            got = f"{name}, used {uses[named_layer]} times" if uses[named_layer] != 1 else f"{name} of shape {shape}"
            raise AttributionError(
                "a layer used once that outputs (n, channels, *positions)", got, "name another layer"
            )
        return named_layer
    for layer, shape in reversed(calls):
        if _is_map(shape, pixels) and prod(shape[2:]) > 1 and _has_convolution(layer) and uses[layer] == 1:
            return layer
    advice = "name a layer, or use Gradient()"
    got = f"{type(module.model).__name__}, which has none"
    raise AttributionError("a model with stages of convolutions", got, advice)


def _is_map(shape: tuple[int, ...], pixels: Float[Tensor, "one c *grid"]) -> bool:
    """True if the last axes are positions: the stride in pixels is the same along each axis, except for edges.

    In some transformers the channels come last.
    """
    if len(shape) != pixels.ndim:
        return False
    strides = [full / side for full, side in zip(pixels.shape[2:], shape[2:], strict=True)]
    rounded = all(abs(full / strides[0] - side) < 2 for full, side in zip(pixels.shape[2:], shape[2:], strict=True))
    return rounded or max(strides) < 1.5 * min(strides)


def _has_convolution(layer: nn.Module) -> bool:
    """True if the layer is or contains a convolution; the patch embedding of a transformer doesn't count."""
    embeds_patches = isinstance(layer, CONVOLUTIONS) and layer.stride == layer.kernel_size and prod(layer.stride) > 1
    return not embeds_patches and any(isinstance(part, CONVOLUTIONS) for part in layer.modules())


def _record_calls(module: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """The layers of one forward pass in the order in which they complete, with the shapes of their outputs."""
    calls: list[tuple[nn.Module, tuple[int, ...]]] = []

    def record(layer: nn.Module, inputs: tuple, output: object) -> None:
        calls.append((layer, tuple(output.shape) if isinstance(output, Tensor) else ()))

    handles = [layer.register_forward_hook(record) for layer in module.model.modules()]
    try:
        with torch.no_grad():
            module(pixels)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _methods() -> dict[str, type]:
    try:
        import pytorch_grad_cam as library  # noqa: PLC0415 (optional)
        from pytorch_grad_cam.base_cam import BaseCAM  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("pytorch-grad-cam", "cam", "class activation maps") from error
    methods = {name: kind for name, kind in vars(library).items() if isinstance(kind, type)}
    return {name: kind for name, kind in methods.items() if issubclass(kind, BaseCAM) and name not in OURS_INSTEAD}
