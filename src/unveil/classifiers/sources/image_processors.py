"""The preprocessing of an image processor of transformers, found by what it does and not only by what it says.

Its settings have one meaning per class (`size`, `crop_pct`, `rescale_offset` …), so they are only suggestions here. The
processor is called with synthetic images; the `Preprocessing` that gives the same pixels is taken, or none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from unveil.classifiers.preprocessing import Fit, Interpolation, Preprocessing
from unveil.errors import ClassifierError, named_line
from unveil.images import Image

# Processors round to whole levels after resizing (some twice, after rows and after columns); `Preprocessing` doesn't.
MEAN_LEVELS, MAX_LEVELS = 0.5, 3.0
SNAP = 1e-5  # of a mean or a standard deviation that was measured, to the one that the processor states
RESAMPLES = {2: Interpolation.BILINEAR, 3: Interpolation.BICUBIC}
NAMES_OF_RESAMPLES = {0: "nearest", 1: "Lanczos", 4: "box", 5: "Hamming"}
MAX_SIDE = 4096  # px; a processor's file may say anything
GRAIN = 3  # px of the synthetic images' texture


@dataclass(frozen=True)
class _Affine:
    """Output = (pixel − mean) / std, for pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def undone(self, output: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c h w"]:
        """Pixels in [0, 1]."""
        return output * np.array(self.std)[:, None, None] + np.array(self.mean)[:, None, None]


def read_image_processor(processor: Any, channels: int) -> Preprocessing:
    """What `processor` does to images of so many channels (1 or 3).

    Normalization is measured on a black and a white image. Resizing and cropping are those that give the same pixels,
    to within the rounding of levels, for synthetic images of different shapes, larger and smaller than the crop.
    Raises `ClassifierError` with the reason if there are none.
    """
    name = type(processor).__name__
    if max(_stated_sides(processor), default=0) > MAX_SIDE:
        got = f"{name} with {max(_stated_sides(processor))} px"
        raise ClassifierError(f"an image processor with sides of at most {MAX_SIDE} px", got, "check its file")
    call = _caller(processor, name, channels)
    height, width = call(_texture((97, 131), channels)).shape[1:]
    crop = (height, width)
    affine = _measure(call, processor, (*crop, channels), name)
    ways = list(_candidates(processor, crop, affine))
    shapes = _probe_shapes(crop, sorted({way.resize for way in ways}))
    images = [_texture(shape, channels) for shape in shapes]
    expected = [affine.undone(call(image)) for image in images]
    if any(each.shape[1:] != crop for each in expected):
        got = f"{name}, whose outputs have different sizes for different images"
        raise ClassifierError("an image processor with one size", got, "give a preprocessing")
    errors = {way: _error(way, images, expected) for way in ways}
    best = min(errors, key=lambda way: errors[way])
    if errors[best] == np.inf:
        got = f"{name} with {' and '.join(_reasons(processor)) or 'other steps'}"
        do = "give a preprocessing that comes close, if that is enough"
        raise ClassifierError("an image processor that resizes, crops and normalizes", got, do)
    return best


def _caller(processor: Any, name: str, channels: int) -> Callable[[UInt8[np.ndarray, "h w c"]], np.ndarray]:
    def call(image: UInt8[np.ndarray, "h w c"]) -> np.ndarray:
        try:
            output = processor(images=image, return_tensors="pt", input_data_format="channels_last")
        except Exception as error:
            expected = f"{name} to take an image with {channels} channels"
            raise ClassifierError(expected, named_line(error), "give a preprocessing") from error
        pixels = output.get("pixel_values") if isinstance(output, Mapping) else None
        shape = getattr(pixels, "shape", ())
        if pixels is None or set(output) != {"pixel_values"} or len(shape) != 4 or shape[:2] != (1, channels):
            got = ", ".join(f"{key} {tuple(getattr(value, 'shape', ()))}" for key, value in output.items())
            expected = f"{name} to return one array of pixels with {channels} channels alone"
            raise ClassifierError(expected, got, "give a preprocessing")
        return pixels[0].double().numpy()

    return call


def _measure(call: Callable[[np.ndarray], np.ndarray], processor: Any, shape: tuple[int, ...], name: str) -> _Affine:
    black, white = (call(np.full(shape, level, np.uint8)) for level in (0, 255))
    middle = (slice(None), black.shape[1] // 2, black.shape[2] // 2)
    low, high = black[middle], white[middle]
    if not (high > low).all():
        raise ClassifierError("white above black", f"{name} with {low} and {high}", "give a preprocessing")
    std = 1 / (high - low)
    said = [np.ravel(getattr(processor, f"image_{which}", None) or np.nan) for which in ("mean", "std")]
    return _Affine(*(_snapped(values, stated) for values, stated in zip((-low * std, std), said, strict=True)))


def _snapped(values: np.ndarray, stated: np.ndarray) -> tuple[float, ...]:
    """Numbers as the processor states them where they are the measured ones, else the measured ones in fp32."""
    if len(stated) in (1, len(values)) and np.allclose(values, stated, rtol=0, atol=SNAP):
        return tuple(float(value) for value in np.broadcast_to(stated, values.shape))
    return tuple(float(f"{value:.7g}") + 0.0 for value in values)  # no −0


def _candidates(processor: Any, crop: tuple[int, int], affine: _Affine) -> Iterator[Preprocessing]:
    """Ways to resize and crop that the settings may mean, with the stated interpolation first."""
    stated = RESAMPLES.get(getattr(processor, "resample", 2), Interpolation.BILINEAR)
    for interpolation in sorted(Interpolation, key=lambda each: each is not stated):
        for resize in _sides(processor, crop):
            for fit in (Fit.SQUASH, Fit.SHORTER_SIDE, Fit.SHORTER_SIDE_CROP_DOWN):
                yield Preprocessing(crop, affine.mean, affine.std, resize, fit, interpolation)


def _sides(processor: Any, crop: tuple[int, int]) -> list[int]:
    """The crop's longer side; the stated sides, alone, divided by `crop_pct`, and by 224 / 256 (LeViT)."""
    share = getattr(processor, "crop_pct", None)
    sides = {max(crop)}
    for side in _stated_sides(processor):
        sides |= {side, int(256 / 224 * side), *((int(side / share),) if share else ())}
    return sorted(sides)


def _stated_sides(processor: Any) -> list[int]:
    """All whole numbers in `size` and `crop_size`, px."""
    sizes = [getattr(processor, name, None) or {} for name in ("size", "crop_size")]
    numbers = [[size] if isinstance(size, int) else list(dict(size).values()) for size in sizes]
    return [side for each in numbers for side in each if isinstance(side, int) and side > 0]


def _probe_shapes(crop: tuple[int, int], resizes: list[int]) -> list[tuple[int, int]]:
    """Shapes above and below the crop, both upright and wide, and such whose crop begins at half a pixel."""
    height, width = crop
    shapes = [crop, (round(1.3 * height), round(1.9 * width)), (round(2.1 * height), round(1.2 * width))]
    shapes += [(height // 2 + 3, round(0.8 * width)), (round(0.8 * height), width // 2 + 1)]
    for resize in resizes:
        # Not resized by this candidate: the longer side is the first whose half-pixel is rounded up or down.
        shapes.append((resize, next(side for side in range(resize, resize + 4) if (side - width) % 4 == 3)))
        shapes.append((next(side for side in range(resize, resize + 4) if (side - height) % 4 == 3), resize))
    return shapes


def _texture(shape: tuple[int, int], channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Random squares: what is shifted, scaled or filtered otherwise is another image.

    In the middle half of the levels, because bicubic filters overshoot: processors cut that off after the columns and
    again after the rows, `Preprocessing` once.
    """
    grains = tuple(-(-side // GRAIN) for side in shape)
    levels = np.random.default_rng(shape).integers(64, 192, (*grains, channels), dtype=np.uint8)
    return levels.repeat(GRAIN, 0).repeat(GRAIN, 1)[: shape[0], : shape[1]]


def _error(way: Preprocessing, images: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest mean difference of an image's pixels, in levels; infinite if one differs by more than rounding."""
    means = []
    for image, pixels in zip(images, expected, strict=True):
        array = image if image.shape[2] == 3 else image[:, :, 0]
        difference = np.abs(way.apply(Image.from_array(array))[0].double().numpy() - pixels) * 255
        if difference.mean() > MEAN_LEVELS or difference.max() > MAX_LEVELS:
            return np.inf
        means.append(float(difference.mean()))
    return max(means)


def _reasons(processor: Any) -> list[str]:
    """Settings that no `Preprocessing` has."""
    resample = getattr(processor, "resample", 2)
    found = {
        "channels in the order blue, green, red": getattr(processor, "do_flip_channel_order", False),
        "padding": getattr(processor, "do_pad", False),
        f"the interpolation {NAMES_OF_RESAMPLES.get(resample, resample)}": resample in NAMES_OF_RESAMPLES,
    }
    return [reason for reason, applies in found.items() if applies]
