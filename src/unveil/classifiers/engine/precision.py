"""Whether half the digits are enough: bf16 for gradients that are averaged, where the regions stay the same."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.box_filter import box_mean
from unveil.masks import iou
from unveil.seeding import seeded_generator

SAMPLES, NOISE = 4, 0.15  # of the check: few, because more would only average differences away
BOX, SHARE = 11, 0.1
AGREEMENT = 0.9  # the region is the same from this IoU on,
SHARE_OF_NOISE = 0.5  # or if it changes by no more than this share of what other noise changes it by

Logits = Callable[[Float[Tensor, "n c *grid"]], Float[Tensor, "n k"]]


def has_fast_bf16(device: torch.device) -> bool:
    """True if the processor computes in bf16: AVX512-BF16 or AMX, or a CUDA card that does.

    Elsewhere bf16 is emulated, and slower than fp32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # Not in torch's documented interface; where they are gone, fp32 is right as well.
    checks = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(check() for check in checks if check is not None)


@dataclass(frozen=True)
class PrecisionCheck:
    """IoU of the regions that two forms of a network show in the same noisy copies of an image (`same`), and of those
    that the exact one shows in these and in others (`noise`)."""

    same: float
    noise: float

    @property
    def enough(self) -> bool:
        """True if the form matters little: at all, or beside the noise that every averaged gradient has."""
        return self.same >= AGREEMENT or 1 - self.same <= SHARE_OF_NOISE * (1 - self.noise)


def compare_precisions(exact: Logits, for_averaging: Logits, pixels: Float[Tensor, "c *grid"]) -> PrecisionCheck:
    """How much a region depends on the form of the network, and how much on the noise.

    The region: `SHARE` of the grid where |mean gradient| is largest, after a mean over a box of `BOX` pixels; the
    gradient is that of the leading logit, over `SAMPLES` copies. 0 if a value isn't finite.
    """
    with torch.no_grad():
        leading = int(exact(pixels[None]).argmax())
    copies = [_noisy(pixels, range(start, start + SAMPLES)) for start in (0, SAMPLES)]
    asked = ((exact, copies[0]), (for_averaging, copies[0]), (exact, copies[1]))
    one, quickly, again = (_strongest(_gradient(form, noisy, leading)) for form, noisy in asked)
    return PrecisionCheck(_iou(one, quickly), _iou(one, again))


def _noisy(pixels: Float[Tensor, "c *grid"], numbers: range) -> Float[Tensor, "n c *grid"]:
    sigma = NOISE * (pixels.max() - pixels.min())
    noise = [torch.randn(pixels.shape, generator=seeded_generator("precision", number)) for number in numbers]
    return pixels + sigma * torch.stack(noise).to(pixels.device)


def _iou(one: Bool[np.ndarray, "*grid"] | None, other: Bool[np.ndarray, "*grid"] | None) -> float:
    return 0.0 if one is None or other is None else iou(one, other)


def _gradient(form: Logits, pixels: Float[Tensor, "n c *grid"], label: int) -> Float[np.ndarray, "*grid"]:
    with torch.enable_grad():
        inputs = pixels.detach().requires_grad_()
        (signed,) = torch.autograd.grad(form(inputs)[:, label].sum(), inputs)
    return signed.double().mean(0).square().sum(0).sqrt().cpu().numpy()


def _strongest(values: Float[np.ndarray, "*grid"]) -> Bool[np.ndarray, "*grid"] | None:
    if not np.isfinite(values).all():
        return None
    smooth = box_mean(values, BOX)
    inside = np.zeros(values.size, dtype=bool)
    inside[np.argpartition(-smooth.ravel(), int(SHARE * values.size))[: int(SHARE * values.size)]] = True
    return inside.reshape(values.shape)
