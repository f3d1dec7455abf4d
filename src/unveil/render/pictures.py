"""The pictures of figures: images, saliency maps, and regions on a muted image, at about the size they are drawn in."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from unveil.records import Round
from unveil.render.contours import draw_contour
from unveil.render.marks import BADGE, MarkedRegion, draw_marks
from unveil.render.parts import color_limit, max_saliency, to_rgb_pixels

LARGEST_SIDE = 512  # pixels of a picture: a printed column has about 350
SMOOTH = "hanning"  # close to lanczos, at a quarter of its time
TINT, VEIL = 0.35, 0.6
Planes = TypeVar("Planes", bound=np.ndarray)


def shrink_planes(planes: Planes, step: int) -> Planes:
    """The last two axes in blocks of `step` x `step` pixels; those at the ends may be smaller.

    Numbers become the mean of their block, sets the pixels whose block is at least half full. A set that has no such
    block, because it is thin, becomes all blocks that it touches.
    """
    if step == 1:
        return planes
    height, width = planes.shape[-2:]
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    sums = np.add.reduceat(np.add.reduceat(planes.astype(np.float32), rows, axis=-2), columns, axis=-1)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    means = sums / counts
    if planes.dtype != bool:
        return means.astype(planes.dtype)  # type: ignore[return-value] (the same kind of array)
    return means >= 0.5 if (means >= 0.5).any() else means > 0  # type: ignore[return-value]


def shrinking_step(shape: Sequence[int]) -> int:
    """The side of the blocks in which a picture of this shape (…, h, w) is small enough to be drawn."""
    return max(1, -(-max(shape[-2:]) // LARGEST_SIDE))


def show_image(axes: Axes, image: UInt8[np.ndarray, "c h w"]) -> None:
    """An image as it is."""
    axes.set_axis_off()
    pixels = to_rgb_pixels(shrink_planes(image, shrinking_step(image.shape)))
    axes.imshow(make_opaque(pixels), interpolation=SMOOTH)


def make_opaque(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 4"]:
    """The same pixels with an opacity of 1, which matplotlib scales in half of the time."""
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)])


def show_saliency(axes: Axes, round_: Round) -> None:
    """The saliency of a round on its own scale, with a line around what was erased before."""
    axes.set_axis_off()
    step = shrinking_step(round_.erased.shape)
    values = shrink_planes(max_saliency(round_), step)
    axes.imshow(values, cmap="magma", vmin=0, vmax=color_limit(values), interpolation=SMOOTH)
    draw_contour(axes, shrink_planes(round_.erased.to_array(), step), "white", 0.6, 0.6)


def draw_regions(
    axes: Axes,
    image: UInt8[np.ndarray, "c h w"],
    round_: Round,
    marked: Sequence[MarkedRegion],
    colors: dict[str, str],
    width: float | None = None,
) -> None:
    """Draw a round's regions on a muted copy of the image, with a white veil over what was erased before.

    `width`: of the picture, in inches; with it, each region has its number.
    """
    axes.set_axis_off()
    step = shrinking_step(image.shape)
    color = to_rgb_pixels(shrink_planes(image, step)).astype(np.float32) / 255
    quiet = np.clip(0.25 + 0.75 * (0.35 * color + 0.65 * color.mean(2, keepdims=True)), 0, 1)
    erased = shrink_planes(round_.erased.to_array(), step)
    blend_color(quiet, erased, "#ffffff", VEIL)
    insides = [shrink_planes(one.region.model_mask.to_array(), step) for one in marked]
    for one, inside in zip(marked, insides, strict=True):
        blend_color(quiet, inside, colors[one.region.target], TINT)
    axes.imshow(make_opaque(np.round(255 * quiet).astype(np.uint8)), interpolation=SMOOTH)
    radius = BADGE * quiet.shape[1] / width if width is not None else None
    draw_marks(axes, marked, insides, colors, None if radius is None else (radius, radius))


def blend_color(
    pixels: Float[np.ndarray, "h w 3"], inside: Bool[np.ndarray, "h w"], color: str, strength: float
) -> None:
    """Mix a color into some pixels."""
    pixels[inside] = (1 - strength) * pixels[inside] + strength * np.asarray(to_rgb(color), dtype=pixels.dtype)
