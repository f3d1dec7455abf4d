"""Preprocessing: how an image comes onto a model's grid, and how pixels are normalized there."""

from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from unveil.errors import ClassifierError
from unveil.images import Geometry, Image

# Of ImageNet's training images; what most published color networks are normalized with.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Pixels that any image may be resized to before the crop.
MAX_RESIZED = 1 << 25


class Fit(StrEnum):
    """How the source's shape becomes the resized shape."""

    SHORTER_SIDE = "shorter side"  # the shorter side becomes `resize`; proportions stay
    SHORTER_SIDE_CROP_DOWN = "shorter side, crop rounded down"  # the same; a crop at half a pixel moves up and left
    SQUASH = "squash"  # both sides become `resize`; proportions may change


class Interpolation(StrEnum):
    """How pixels are interpolated; always with an antialiasing filter."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


@dataclass(frozen=True)
class Preprocessing:
    """Resize, center crop, channels, normalization: `(x − mean) / std` for pixels x in [0, 1].

    Attributes:
        crop: The grid, (height, width), or (depth, height, width) for volumes, in px.
        mean: The mean per channel; its length is the number of channels: gray (1), color (3) or any other.
        std: The standard deviation per channel.
        resize: The side length before the crop in px.
        fit: Which side has the length `resize`.
        interpolation: The interpolation of the resizing.
        value_range: The original values that become 0 and 1 (others are clipped), such as (−1000, 400) Hounsfield
            units; None for those that the image was read with.

    Raises `ClassifierError` for deviations that aren't positive, and for numbers of channels that differ.
    """

    crop: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int
    fit: Fit = Fit.SHORTER_SIDE
    interpolation: Interpolation = Interpolation.BILINEAR
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(std > 0 for std in self.std):
            raise ClassifierError(
                "as many means as positive standard deviations",
                f"{self.mean} and {self.std}",
                "give one of each a channel",
            )
        if not self.mean:
            raise ClassifierError("at least 1 channel", "no means", "give one mean and one deviation per channel")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ClassifierError(
                "a value range (lowest, highest)", f"{self.value_range}", "put the smaller value first"
            )

    @classmethod
    def square(cls, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> "Preprocessing":
        """The whole image squashed onto a square of `size` px: nothing is cropped away."""
        return cls.whole((size, size), mean, std)

    @classmethod
    def whole(
        cls,
        grid: tuple[int, ...],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        value_range: tuple[float, float] | None = None,
    ) -> "Preprocessing":
        """The whole image or volume squashed onto a grid (height, width) or (depth, height, width)."""
        return cls(grid, mean, std, max(grid), Fit.SQUASH, value_range=value_range)

    @property
    def channels(self) -> int:
        """Channels the model gets."""
        return len(self.mean)

    def replaced(
        self,
        *,
        size: tuple[int, ...] | None = None,
        channels: int | None = None,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> "Preprocessing":
        """The same preprocessing with changes, as `PreprocessingChanges` explains them.

        >>> Preprocessing((224, 224), (0.5,), (0.2,), resize=256).replaced(size=(448, 448)).resize
        512
        """
        from unveil.classifiers.changes import PreprocessingChanges  # noqa: PLC0415 (it is made of this class)

        return PreprocessingChanges(size, channels, mean, std, value_range).applied_to(self)

    def as_dict(self) -> dict:
        """All settings as plain numbers, texts and lists, for records.

        >>> Preprocessing.square(64, (0.5,), (0.25,)).as_dict()["crop"]
        [64, 64]
        """
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def apply(self, image: Image) -> tuple[Float[Tensor, "c *grid"], Geometry]:
        """Compute the pixels of `image` in [0, 1] on the model's grid (float32, CPU), and the geometry to the source.

        Raises `ClassifierError` for an image with another number of axes.
        """
        if len(image.shape) != len(self.crop):
            raise ClassifierError(
                f"an image with {len(self.crop)} spatial axes",
                f"{len(image.shape)} axes",
                "take a slice or another model",
            )
        shape = self._resized(image.shape)
        _check_elongation(image.shape, shape, self.crop)
        pixels = self._in_range(torch.from_numpy(image.pixels), image.value_range)
        if shape != image.shape:
            pixels = _resize(pixels, shape, self.interpolation)
        # torchvision rounds half a pixel to the even one, transformers cuts it off.
        to_pixel = int if self.fit is Fit.SHORTER_SIDE_CROP_DOWN else round
        start = tuple(to_pixel((full - part) / 2) for full, part in zip(shape, self.crop, strict=True))
        geometry = Geometry.resize(image.shape, shape).then_crop(start, self.crop)
        return _crop(_with_channels(pixels, self.channels), start, self.crop).clamp(0, 1).contiguous(), geometry

    def normalize(self, pixels: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        """`(x − mean) / std`."""
        return (pixels - self._constant(self.mean, pixels)) / self._constant(self.std, pixels)

    def _in_range(self, pixels: Float[Tensor, "c *source"], was: tuple[float, float]) -> Float[Tensor, "c *source"]:
        if self.value_range is None or self.value_range == was:
            return pixels
        (low, high), (first, last) = was, self.value_range
        # float64: a narrow window of a wide range keeps its digits.
        return ((pixels.double() * (high - low) + (low - first)) / (last - first)).float().clamp(0, 1)

    def _resized(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.fit is Fit.SQUASH:
            return tuple(round(self.resize * side / max(self.crop)) for side in self.crop)
        # As torchvision: the longer side is cut off, not rounded.
        return tuple(int(self.resize * side / min(shape)) for side in shape)

    def _constant(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).reshape(-1, *(1,) * (like.ndim - 2))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    # Numbers may be numpy scalars.
    return value.item() if hasattr(value, "item") else value


def _check_elongation(source: tuple[int, ...], resized: tuple[int, ...], crop: tuple[int, ...]) -> None:
    """Refuse an image so long that resizing its shorter side would take far more memory than the image itself."""
    if prod(resized) > max(MAX_RESIZED, prod(source), 4 * prod(crop)):
        sides = "x".join(map(str, source))
        got = f"{sides}, which would be resized to {'x'.join(map(str, resized))}"
        raise ClassifierError("an image that isn't so elongated", got, "cut out a part")


def _resize(pixels: Float[Tensor, "c *source"], shape: tuple[int, ...], how: Interpolation) -> Float[Tensor, "c *grid"]:
    if len(shape) == 2:
        return _interpolate(pixels[None], shape, how)[0]
    # PyTorch has the antialiasing filter for two axes only. It is separable: slices first, then all depths at once.
    depth, (height, width) = pixels.shape[1], shape[1:]
    slices = _interpolate(pixels.flatten(0, 1)[:, None], (height, width), how)
    columns = slices.reshape(-1, depth, height * width)
    return _interpolate(columns[None], (shape[0], height * width), how)[0].reshape(-1, *shape)


def _interpolate(
    pixels: Float[Tensor, "n c h w"], shape: tuple[int, ...], how: Interpolation
) -> Float[Tensor, "n c y x"]:
    return torch.nn.functional.interpolate(pixels, shape, mode=how.value, align_corners=False, antialias=True)


def _with_channels(pixels: Float[Tensor, "a *grid"], channels: int) -> Float[Tensor, "b *grid"]:
    if len(pixels) == channels:
        return pixels
    is_image = pixels.ndim == 3
    if (len(pixels), channels) not in ((1, 3), (3, 1)) if is_image else len(pixels) != 1:
        kind = "an image" if is_image else "a volume"
        do = "give the channels the model has" + is_image * ", as an array or a .npy file"
        raise ClassifierError(f"{kind} with {channels} channels", f"{len(pixels)}", do)
    if channels == 1:
        # ITU-R 601 luma, as Pillow's conversion to gray.
        return torch.tensordot(torch.tensor([[0.299, 0.587, 0.114]]), pixels, dims=1)
    return pixels.expand(channels, *pixels.shape[1:])


def _crop(
    pixels: Float[Tensor, "c *source"], start: tuple[int, ...], shape: tuple[int, ...]
) -> Float[Tensor, "c *grid"]:
    result = torch.zeros(len(pixels), *shape)
    into, out_of = [slice(None)], [slice(None)]
    for first, side, full in zip(start, shape, pixels.shape[1:], strict=True):
        into.append(slice(max(0, -first), min(side, full - first)))
        out_of.append(slice(max(0, first), min(full, first + side)))
    result[tuple(into)] = pixels[tuple(out_of)]
    return result
