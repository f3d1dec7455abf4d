"""Decides whether averaged gradients, and predictions that are only compared, can be computed in bf16."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unveil.box_filter import box_mean
from unveil.classifiers.engine.guard import as_leaf, gradient_of, recording
from unveil.classifiers.preprocessing import Preprocessing
from unveil.errors import AttributionError
from unveil.masks import iou
from unveil.seeding import seeded_generator

SAMPLES, NOISE = 4, 0.15  # samples of the check; few, because more would average differences away
BOX_PX, SHARE = 11, 0.1
MIN_IOU = 0.9  # regions count as equal from this IoU on,
SHARE_OF_NOISE = 0.5  # or if precision changes them by at most this share of what other noise does
# Largest difference of the logits; ResNet-18 and ResNet-50 have .01 to .02 on photographs.
MAX_LOGIT_DIFFERENCE = 0.05
# Number of synthetic images; bf16 has to pass on each. One is enough: on two Zen 4 cores, four probes of ResNet-18 and
# of ResNet-50 had IoUs of .84 to .88 and .83 to .86, six photographs each .81 to .95 and .85 to .93, and all of them
# passed. So a probe is stricter than most photographs, and takes as long as one.
PROBES = 1
CHANNEL_CORRELATION = 0.9
MEANS_PROBED, STDS_PROBED = (0.3, 0.7), (0.1, 0.3)

Logits = Callable[[Float[Tensor, "n c *grid"]], Float[Tensor, "n k"]]


def has_fast_bf16(device: torch.device) -> bool:
    """True if the processor computes in bf16: AVX512-BF16 or AMX, or a CUDA card that does.

    Elsewhere bf16 is emulated, and slower than fp32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # These functions aren't documented by torch; where they don't exist, fp32 is correct as well.
    checks = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(check() for check in checks if check is not None)


@dataclass(frozen=True)
class PrecisionCheck:
    """How much logits and the region of an averaged gradient depend on precision, and the region on noise.

    `precision_iou`: IoU of the regions of the exact and the reduced form, from the same noisy copies of an image.
    `noise_iou`: IoU of two regions of the exact form, from independent noisy copies. `logit_difference`: root mean
    square of the difference of the logits of an image, as a share of the standard deviation of the exact ones over
    labels and noisy copies, 1 at most. All in [0, 1].
    """

    precision_iou: float
    noise_iou: float
    logit_difference: float = 0.0

    @property
    def difference(self) -> str:
        """What would differ in bf16, in words; empty if neither regions nor logits do."""
        if not self._same_region:
            return f"on synthetic images the region would differ in bf16 (IoU {self.precision_iou:.2f})"
        if self.logit_difference > MAX_LOGIT_DIFFERENCE:
            return (
                f"on synthetic images the logits would differ in bf16 (by {self.logit_difference:.1%} of their spread)"
            )
        return ""

    @property
    def passed(self) -> bool:
        """True if reduced precision changes logits little, and regions little or less than noise does."""
        return not self.difference

    @property
    def _same_region(self) -> bool:
        difference = 1 - self.precision_iou
        return self.precision_iou >= MIN_IOU or difference <= SHARE_OF_NOISE * (1 - self.noise_iou)


def probe_precisions(
    exact: Logits, reduced: Logits, preprocessing: Preprocessing, device: torch.device
) -> PrecisionCheck:
    """The worst of the checks on `PROBES` synthetic images: bf16 has to pass on all of them.

    Raises `AttributionError` for a network without gradients.
    """
    checks = [
        compare_precisions(exact, reduced, probe_pixels(preprocessing, number).to(device)) for number in range(PROBES)
    ]
    return min(checks, key=lambda check: (check.passed, check.precision_iou))


def probe_pixels(preprocessing: Preprocessing, number: int) -> Float[Tensor, "c *grid"]:
    """A synthetic image on the model's grid, the same in every process: pixels in [0, 1], float32, on the CPU.

    Gaussian noise whose amplitude falls with 1/f, as in natural images, with 0.9 correlation between channels, scaled
    to mean and standard deviation of the preprocessing (within `MEANS_PROBED` and `STDS_PROBED`, because some networks
    state values that aren't those of images) and clipped.

    >>> probe_pixels(Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3), 0).shape
    torch.Size([3, 32, 32])
    """
    grid = preprocessing.crop
    generator = seeded_generator("precision probe", number)
    white = torch.randn((preprocessing.channels + 1, *grid), generator=generator)
    frequencies = [torch.fft.fftfreq(side) for side in grid[:-1]] + [torch.fft.rfftfreq(grid[-1])]
    radius = torch.stack(torch.meshgrid(*frequencies, indexing="ij")).square().sum(0).sqrt()
    axes = tuple(range(1, len(grid) + 1))
    spectrum = torch.fft.rfftn(white, dim=axes) / radius.clamp(min=1 / max(grid))
    planes = torch.fft.irfftn(spectrum, s=grid, dim=axes)
    planes = planes - planes.mean(axes, keepdim=True)
    planes = planes / planes.square().mean(axes, keepdim=True).sqrt().clamp(min=1e-12)
    mixed = CHANNEL_CORRELATION**0.5 * planes[:1] + (1 - CHANNEL_CORRELATION) ** 0.5 * planes[1:]
    shape = (-1, *(1,) * len(grid))
    mean = torch.tensor(preprocessing.mean).clamp(*MEANS_PROBED).reshape(shape)
    std = torch.tensor(preprocessing.std).clamp(*STDS_PROBED).reshape(shape)
    return (mean + std * mixed).clamp(0, 1)


def compare_precisions(exact: Logits, reduced: Logits, pixels: Float[Tensor, "c *grid"]) -> PrecisionCheck:
    """Compare the regions of averaged gradients in two precisions, and between independent noise.

    Region: the share `SHARE` of the grid where |mean gradient| is largest after a box mean over `BOX_PX` pixels. The
    gradient is that of the largest logit, over `SAMPLES` noisy copies. An IoU is 0 if a value isn't finite. Raises
    `AttributionError` for a network without gradients.
    """
    copies, other_copies = (_noisy(pixels, range(start, start + SAMPLES)) for start in (0, SAMPLES))
    with torch.no_grad():
        logits, of_copies, reduced_logits = exact(pixels[None]), exact(copies), reduced(pixels[None])
    label = int(logits.argmax())
    region = _strongest(_gradient(exact, copies, label))
    reduced_region = _strongest(_gradient(reduced, copies, label))
    other_region = _strongest(_gradient(exact, other_copies, label))
    difference = _logit_difference(logits, reduced_logits, torch.cat([logits, of_copies]))
    return PrecisionCheck(_iou(region, reduced_region), _iou(region, other_region), difference)


def _noisy(pixels: Float[Tensor, "c *grid"], numbers: range) -> Float[Tensor, "n c *grid"]:
    sigma = NOISE * (pixels.max() - pixels.min())
    noise = [torch.randn(pixels.shape, generator=seeded_generator("precision", number)) for number in numbers]
    return pixels + sigma * torch.stack(noise).to(pixels.device)


def _logit_difference(logits: Float[Tensor, "one k"], reduced: Float[Tensor, "one k"], all_: Tensor) -> float:
    difference = (logits.double() - reduced.double()).square().mean().sqrt() / all_.double().std()
    return min(float(difference), 1.0) if torch.isfinite(difference) else 1.0


def _iou(region: Bool[np.ndarray, "*grid"] | None, other: Bool[np.ndarray, "*grid"] | None) -> float:
    return 0.0 if region is None or other is None else iou(region, other)


def _gradient(compute_logits: Logits, pixels: Float[Tensor, "n c *grid"], label: int) -> Float[np.ndarray, "*grid"]:
    with recording():
        inputs = as_leaf(pixels)
        logits = compute_logits(inputs)
        if not logits.requires_grad:
            raise AttributionError(
                "a network with gradients to average", "logits without a gradient", "use --recipe black-box"
            )
        signed = gradient_of(logits[:, label].sum(), inputs)
    return signed.double().mean(0).square().sum(0).sqrt().cpu().numpy()


def _strongest(values: Float[np.ndarray, "*grid"]) -> Bool[np.ndarray, "*grid"] | None:
    if not np.isfinite(values).all():
        return None
    smooth = box_mean(values, BOX_PX)
    inside = np.zeros(values.size, dtype=bool)
    inside[np.argpartition(-smooth.ravel(), int(SHARE * values.size))[: int(SHARE * values.size)]] = True
    return inside.reshape(values.shape)
