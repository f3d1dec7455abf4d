"""The image input of an ONNX file: its layout, its type of numbers, and how many images it takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from unveil.classifiers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Fit, Preprocessing
from unveil.errors import ClassifierError

FREE = 224  # px, where a file leaves the size open
TYPES = {"float": np.float32, "float16": np.float16, "double": np.float64}
INTEGERS = {"uint8": np.uint8, "uint16": np.uint16, "int32": np.int32, "int64": np.int64}
CHANNELS_TRIED = (3, 1)  # where a file leaves their number open
USUAL_CHANNELS = 32  # at most, where the other order of the sides has fewer
LEAST_LEVELS = 16  # of an input of whole numbers, between black and white


@dataclass(frozen=True)
class OnnxInput:
    """Images go in as (n, channels, height, width), or with channels last; `batch`: so many at a time, None: any."""

    name: str
    dtype: type
    batch: int | None
    channels_last: bool
    preprocessing: Preprocessing

    def to_feed(self, images: np.ndarray) -> np.ndarray:
        """Normalized float32 images (n, c, h, w) as the file takes them; whole numbers are rounded to the nearest."""
        values = images.transpose(0, 2, 3, 1) if self.channels_last else images
        if np.issubdtype(self.dtype, np.integer):
            values = np.rint(values).clip(0, np.iinfo(self.dtype).max)
        return np.ascontiguousarray(values, dtype=self.dtype)


def read_inputs(inputs: list[Any], source: str, preprocessing: Preprocessing | None) -> list[OnnxInput]:
    """All ways to read what onnxruntime says of a file's inputs, the most plausible first.

    A file that names all its sides has one or two. The preprocessing is the given one, or by default the whole image
    squashed onto the input's size, normalized as ImageNet networks are (other numbers of channels: mean .5, deviation
    .25; uint8: 0 … 255 as they are). Raises `ClassifierError` for anything else than one image input, and for a
    preprocessing that doesn't fit it.
    """
    shown = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs) or "none"
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        expected = "one input (n, channels, height, width) or (n, height, width, channels)"
        raise ClassifierError(expected, f"{source}: {shown}", "export the classifier alone")
    batch, *sides = (side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape)
    dtype = _type_of(inputs[0].type, source, preprocessing)
    ways = [
        OnnxInput(inputs[0].name, dtype, batch, channels_last, chosen)
        for channels_last, shape in _layouts(sides, known=preprocessing is not None)
        for chosen in _preprocessings(shape, dtype, preprocessing)
    ]
    if not ways and preprocessing is not None:
        got = f"a preprocessing with {preprocessing.channels} channels of {' x '.join(map(str, preprocessing.crop))}"
        raise ClassifierError(f"images as {source} takes them: {shown}", got, "give its channels and its size")
    return ways


def _type_of(text: str, source: str, preprocessing: Preprocessing | None) -> type:
    name = text.removeprefix("tensor(").removesuffix(")")
    if name in TYPES:
        return TYPES[name]
    if name not in INTEGERS or (name != "uint8" and preprocessing is None):
        do = "give a preprocessing" if name in INTEGERS else "export it for float32 images"
        raise ClassifierError(f"{', '.join(TYPES)} or uint8 images", f"{source}: {name}", do)
    if preprocessing is not None:
        ends = [
            (end - mean) / std
            for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)
            for end in (0, 1)
        ]
        highest = np.iinfo(INTEGERS[name]).max
        if min(ends) < -0.5 or max(ends) > highest + 0.5 or max(ends) - min(ends) < LEAST_LEVELS:
            got = f"a preprocessing that makes them {min(ends):.4g} to {max(ends):.4g}"
            do = f"use mean 0 and std 1/255 for 0 … 255{'' if name == 'uint8' else ', or what the file was made for'}"
            raise ClassifierError(f"pixels as {name}, which {source} takes", got, do)
    return INTEGERS[name]


def _layouts(sides: list[int | None], *, known: bool) -> list[tuple[bool, tuple[int | None, ...]]]:
    """Channels last or not, and (channels, height, width): square images before others, then few channels before many,
    then channels first. Unless the number of channels is known, 1 or 3 where the sides allow it."""
    ways = [(False, tuple(sides)), (True, (sides[2], *sides[:2]))]
    for usual in () if known else ((None, 1, 3), range(USUAL_CHANNELS + 1)):
        ways = [way for way in ways if way[1][0] in usual] or ways

    def implausibility(way: tuple[bool, tuple[int | None, ...]]) -> tuple:
        channels_last, (channels, height, width) = way
        return height != width, channels or 3, channels_last

    return sorted(ways, key=implausibility)


def _preprocessings(shape: tuple[int | None, ...], dtype: type, given: Preprocessing | None) -> list[Preprocessing]:
    """The given one if it fits (channels, height, width), else the default for each number of channels that may be."""
    channels, *size = shape
    if given is not None:
        wanted = (given.channels, *given.crop)
        fits = len(wanted) == len(shape) and all(side in (None, has) for side, has in zip(shape, wanted, strict=True))
        return [given] if fits else []
    crop = tuple(side or FREE for side in size)
    return [
        Preprocessing(crop, *_normalization(count, dtype), max(crop), Fit.SQUASH)
        for count in ((channels,) if channels else CHANNELS_TRIED)
    ]


def _normalization(channels: int, dtype: type) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if np.issubdtype(dtype, np.integer):
        return (0.0,) * channels, (1 / 255,) * channels
    return (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.5,) * channels, (0.25,) * channels)
