"""The one door to pytorch-grad-cam: class activation maps as a recipe's attribution, before they are stretched."""

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

from unveil.attribution.adapters.score_module import ScoreModule, answer, on_grid, unknown
from unveil.attribution.base import Attribution, AttributionRequest, AttributionResult
from unveil.errors import AttributionError, MissingLibraryError, RecipeError

OURS_INSTEAD = {
    "GuidedBackpropReLUModel": "GuidedBackprop()",
    # These join maps that were stretched before: there is no unstretched one.
    "FullGrad": 'Captum("InputXGradient")',
    "RefineCAM": 'Cam("GradCAMPlusPlus")',
    "SESS": 'Cam("GradCAM")',
    "FinerCAM": 'Cam("GradCAM") with the target Margin',
}

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Cam(Attribution):
    """A class activation map of `pytorch_grad_cam` by its name: `Cam("GradCAM")`, `Cam("LayerCAM", layer="layer3")`.

    For Grad-CAM max(0, Σ_k w_k A_k) with w_k the mean of ∂score/∂A_k over the layer's places (Selvaraju et al. 2017),
    enlarged linearly to the grid; the others as in their papers. The library stretches every map to [0, 1], so that the
    weakest evidence looks like the strongest; here it is taken before that, in the method's own unit (for Grad-CAM that
    of A times logits per A), and a map of zeros stays one.

    `layer`: its name in the model. Left out, it is the last to finish in a forward pass of those that are or hold a
    convolution and give more than one place (`layer4` in a ResNet, `features` in VGG and DenseNet). Works on a copy of
    the model. EigenCAM and KPCA_CAM don't look at the target, and their sign is arbitrary. Needs `unveil[cam]`.
    """

    method: str = "GradCAM"
    layer: str = ""

    def __post_init__(self) -> None:
        if self.method in OURS_INSTEAD:
            raise RecipeError(
                "a method with a map before it is stretched", self.method, f"use {OURS_INSTEAD[self.method]}"
            )

    def attribute(self, request: AttributionRequest) -> AttributionResult:
        """One non-negative map a scalar. Raises `AttributionError` for black boxes and for what the library can't
        do."""
        method = self.look_up()
        do = "try another method, or name a convolution"

        def explain(asked: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> Tensor:
            return unstretched(method(asked, [_layer(asked, pixels, self.layer)]), pixels)

        return answer(request, "pytorch-grad-cam", f"pytorch-grad-cam's {self.method}", do, explain)

    def look_up(self) -> Any:
        """The method's class. Raises `RecipeError` for a name that the library doesn't have."""
        known = _methods()
        if self.method not in known:
            raise unknown("a method of pytorch_grad_cam", self.method, known)
        return known[self.method]


def unstretched(method: Any, pixels: Float[Tensor, "one c *grid"], **arguments: Any) -> Float[Tensor, "one chan *grid"]:
    """The map of one image by a method object of the library, before it is stretched to [0, 1]; clamped at 0 as there.

    Of several layers, the mean of their maps.
    """
    found, own = [], method.get_cam_image
    if not method.detach:
        # ShapleyCAM takes second derivatives, which autograd has only by way of the weights where a network is linear.
        method.model.requires_grad_()

    def keep(*given: Any, **named: Any) -> Any:
        found.append(own(*given, **named))
        return found[-1]

    method.get_cam_image = keep
    # What the library keeps of a layer shares its memory: a later step in place (out += x) would change it.
    handles = [layer.register_forward_hook(_cloned) for layer in method.target_layers]
    try:
        with _quiet(type(method)):
            method(pixels, **{"targets": [_only_score], **arguments})
    finally:
        method.get_cam_image = own
        method.activations_and_grads.release()
        for handle in handles:
            handle.remove()
    grid = tuple(pixels.shape[2:])
    maps = [on_grid(torch.as_tensor(one)[:, None].clamp(min=0), grid) for one in found]
    return torch.stack(maps).mean(0)[None]


def _only_score(row: Float[Tensor, "one"]) -> Float[Tensor, ""]:
    return row[0]


def _cloned(layer: nn.Module, inputs: tuple, output: object) -> Tensor | None:
    return output.clone() if isinstance(output, Tensor) else None


@contextmanager
def _quiet(kind: type) -> Iterator[None]:
    """Without the library's own progress bars, which would be drawn over ours."""
    module = sys.modules[kind.__module__]
    bars = vars(module).get("tqdm")
    if bars is None:
        yield
        return
    vars(module)["tqdm"] = SimpleNamespace(tqdm=iter)
    try:
        yield
    finally:
        vars(module)["tqdm"] = bars


def _layer(asked: ScoreModule, pixels: Float[Tensor, "one c *grid"], name: str) -> nn.Module:
    """The layer by its name, or the last stage of convolutions. Raises `AttributionError` for one without a map, or
    used other than once, as its maps would be mixed up."""
    wanted = asked.find(name) if name else None
    calls = _calls(asked, pixels)
    uses = Counter(layer for layer, _ in calls)
    if wanted is not None:
        shape = next((shape for layer, shape in calls if layer is wanted), ())
        if uses[wanted] != 1 or not _is_map(shape, pixels):
            got = f"{name}, used {uses[wanted]} times" if uses[wanted] != 1 else f"{name} of shape {shape}"
            raise AttributionError("a layer used once that gives (n, channels, *places)", got, "name another layer")
        return wanted
    for layer, shape in reversed(calls):
        if _is_map(shape, pixels) and prod(shape[2:]) > 1 and _convolves(layer) and uses[layer] == 1:
            return layer
    do = "name a layer, or use Gradient()"
    raise AttributionError("a model with stages of convolutions", f"{type(asked.model).__name__}, which has none", do)


def _is_map(shape: tuple[int, ...], pixels: Float[Tensor, "one c *grid"]) -> bool:
    """Whether the last axes are places: as many pixels a place along each, but for what edges take. In some
    transformers the channels come last."""
    if len(shape) != pixels.ndim:
        return False
    strides = [full / side for full, side in zip(pixels.shape[2:], shape[2:], strict=True)]
    rounded = all(abs(full / strides[0] - side) < 2 for full, side in zip(pixels.shape[2:], shape[2:], strict=True))
    return rounded or max(strides) < 1.5 * min(strides)


def _convolves(layer: nn.Module) -> bool:
    """Whether it is or holds a convolution; one that only cuts patches for a transformer is none."""
    cuts = isinstance(layer, CONVOLUTIONS) and layer.stride == layer.kernel_size and prod(layer.stride) > 1
    return not cuts and any(isinstance(part, CONVOLUTIONS) for part in layer.modules())


def _calls(asked: ScoreModule, pixels: Float[Tensor, "one c *grid"]) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """The layers of one forward pass as they finish, with the shapes of what they give."""
    calls: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(layer: nn.Module, inputs: tuple, output: object) -> None:
        calls.append((layer, tuple(output.shape) if isinstance(output, Tensor) else ()))

    handles = [layer.register_forward_hook(note) for layer in asked.model.modules()]
    try:
        with torch.no_grad():
            asked(pixels)
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
