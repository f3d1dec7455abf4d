"""Drawing on the model's grid: pieces of photographs side by side or on top of each other, and one piece alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from unveil.classifiers import Preprocessing
from unveil.classifiers.preprocessing import Fit
from unveil.evaluation.mosaics.photographs import MosaicError, Photograph
from unveil.images import Image, read_image

CROP_SHARE = 0.8
Pixels = Float[np.ndarray, "c h w"]


class Form(StrEnum):
    """How a piece shows its photograph."""

    PLAIN = "plain"  # the central square
    MIRRORED = "mirrored"  # left and right exchanged
    CROPPED = "cropped"  # the inner .8 of the central square


@dataclass(frozen=True)
class Piece:
    """A photograph in a rectangle of the grid.

    Attributes:
        photograph: The photograph.
        top, left: The first row and column in px.
        height, width: The sides in px.
        form: How the photograph is shown.
        is_filler: Whether the piece only fills its place, because the network doesn't predict its label from it.
    """

    photograph: Photograph
    top: int
    left: int
    height: int
    width: int
    form: Form = Form.PLAIN
    is_filler: bool = False


@dataclass(frozen=True)
class MosaicCanvas:
    """The grid of a network, on which pieces are drawn without any later scaling.

    Attributes:
        preprocessing: The network's own preprocessing.

    Raises `MosaicError` for a network of volumes.
    """

    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        if len(self.preprocessing.crop) != 2:
            got = f"a grid {' × '.join(map(str, self.preprocessing.crop))}"
            raise MosaicError("a network of images with two axes", got, "choose another network")

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) in px."""
        height, width = self.preprocessing.crop
        return height, width

    @property
    def unscaled(self) -> Preprocessing:
        """The preprocessing of images that are drawn already: it neither scales nor crops."""
        own = self.preprocessing
        return replace(own, resize=max(self.grid), fit=Fit.SQUASH, value_range=None)

    def places(self, count: int) -> list[tuple[int, int, int]]:
        """(top, left, side) of `count` x `count` squares in the middle of the grid.

        side = ⌊shorter side / count⌋. What is left over lies at the border.

        >>> MosaicCanvas(Preprocessing.square(224, (0.5,), (0.2,))).places(3)[0]
        (1, 1, 74)
        """
        side = min(self.grid) // count
        top, left = ((full - count * side) // 2 for full in self.grid)
        return [(top + row * side, left + column * side, side) for row in range(count) for column in range(count)]

    def empty(self) -> Pixels:
        """The mean color of the preprocessing everywhere, in [0, 1]."""
        mean = np.clip(np.array(self.preprocessing.mean, np.float32), 0, 1)
        return np.broadcast_to(mean[:, None, None], (len(mean), *self.grid)).copy()

    def draw(self, pieces: Sequence[Piece]) -> Pixels:
        """The mean color with the pieces on it; later pieces cover earlier ones."""
        pixels = self.empty()
        for piece in pieces:
            pixels[:, *_window(piece)] = self._pixels_of(piece)
        return pixels

    def inside(self, pieces: Sequence[Piece], number: int) -> Bool[np.ndarray, "h w"]:
        """Where the piece of this number is seen: its rectangle without those of later pieces."""
        seen = np.zeros(self.grid, bool)
        seen[_window(pieces[number])] = True
        for piece in pieces[number + 1 :]:
            seen[_window(piece)] = False
        return seen

    def draw_alone(self, pieces: Sequence[Piece], number: int) -> Pixels:
        """What is seen of one piece, on the mean color."""
        return np.where(self.inside(pieces, number), self.draw(pieces[number : number + 1]), self.empty())

    def as_image(self, pixels: Pixels, name: str) -> Image:
        """A drawn image as a run takes it."""
        return Image.from_array(pixels, axes="c h w", source=name, channels=len(pixels))

    def _pixels_of(self, piece: Piece) -> Pixels:
        longer = max(piece.height, piece.width)
        resize = round(longer / CROP_SHARE) if piece.form is Form.CROPPED else longer
        own = replace(self.preprocessing, crop=(piece.height, piece.width), resize=resize, fit=Fit.SHORTER_SIDE)
        pixels = own.apply(_read(piece.photograph.path, own.channels))[0].numpy()
        return pixels[:, :, ::-1] if piece.form is Form.MIRRORED else pixels


def _window(piece: Piece) -> tuple[slice, slice]:
    return slice(piece.top, piece.top + piece.height), slice(piece.left, piece.left + piece.width)


# A photograph is drawn in several places and forms one after another.
@lru_cache(maxsize=16)
def _read(path: Path, channels: int) -> Image:
    return read_image(path, channels=channels)
