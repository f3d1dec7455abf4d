"""A unit disc to draw small objects on: supersampled, then averaged, so that edges are antialiased."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Color = tuple[float, float, float]
SAMPLES = 3  # sub-samples per pixel and axis: 9 levels of coverage at an edge


class Canvas:
    """Coordinates of a square patch, in units of the object's radius, and its painted colors.

    `u` runs along the object, `v` across it; `r` and `t` are the same point in polar coordinates (t in radians).
    An object must stay within r <= 1: the layout reserves that disc.
    """

    def __init__(self, u: Float[np.ndarray, "rows columns"], v: Float[np.ndarray, "rows columns"]) -> None:
        self.u, self.v = u, v
        self.r, self.t = np.hypot(u, v), np.arctan2(v, u)
        self.rgb = np.zeros((*u.shape, 3), np.float32)
        self.inside = np.zeros(u.shape, bool)

    def paint(
        self,
        where: Bool[np.ndarray, "rows columns"],
        color: Color,
        shade: Float[np.ndarray, "rows columns"] | None = None,
    ) -> None:
        """Cover `where` with `color` (RGB in [0, 1]), times `shade` where one is given."""
        where = where & (self.r <= 1)
        flat = np.asarray(color, np.float32)
        self.rgb[where] = flat if shade is None else flat * shade[where][:, None]
        self.inside |= where

    def disc(self, x: float, y: float, radius: float) -> Bool[np.ndarray, "rows columns"]:
        """Points within `radius` of (x, y)."""
        return (self.u - x) ** 2 + (self.v - y) ** 2 <= radius**2

    def leaf(self, width: float, power: float = 1.0) -> Bool[np.ndarray, "rows columns"]:
        """A lens along u: |v| <= width·(1 − u²)^power."""
        return np.abs(self.v) <= width * np.clip(1 - self.u**2, 0, 1) ** power

    def ball(self, x: float, y: float, radius: float) -> Float[np.ndarray, "rows columns"]:
        """Shade of a sphere: bright in the middle, dark at its rim."""
        distance2 = ((self.u - x) ** 2 + (self.v - y) ** 2) / radius**2
        return np.clip(1.2 - 0.6 * distance2, 0.4, 1.2).astype(np.float32)


Design = Callable[[Canvas], None]


@dataclass(frozen=True)
class Pose:
    """The position and look of an object.

    Attributes:
        x, y: The center in px.
        radius: The radius in px.
        angle: The rotation in radians.
        contrast: The opacity over the background, in [0, 1].
        tint: Factors on the color.
    """

    x: float
    y: float
    radius: float
    angle: float
    contrast: float = 1.0
    tint: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Sprite:
    """A drawn object: the `rows` and `columns` of its patch, its colors `rgb` and its `opacity`, both in [0, 1]."""

    rows: slice
    columns: slice
    rgb: Float[np.ndarray, "3 h w"]
    opacity: Float[np.ndarray, "h w"]


def draw_sprite(design: Design, pose: Pose, side: int) -> Sprite:
    """Render a design in its pose; the part beyond the image's `side` is cut off."""
    rows, columns = _reach(pose.y, pose.radius, side), _reach(pose.x, pose.radius, side)
    dy = _sub_pixels(rows) - pose.y
    dx = _sub_pixels(columns) - pose.x
    x, y = (
        np.broadcast_to(dx, (dy.size, dx.size)) / pose.radius,
        np.broadcast_to(dy[:, None], (dy.size, dx.size)) / pose.radius,
    )
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    canvas = Canvas((x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32))
    design(canvas)
    # light falls from the upper left, whichever way the object is turned
    light = 1 - 0.13 * (x + y)
    colors = canvas.rgb * np.asarray(pose.tint, np.float32) * light[..., None]
    cover = _pooled(canvas.inside.astype(np.float32)[..., None])[..., 0]
    rgb = _pooled(colors.astype(np.float32) * canvas.inside[..., None]) / np.maximum(cover, 1e-6)[..., None]
    return Sprite(rows, columns, rgb.transpose(2, 0, 1), cover * np.float32(pose.contrast))


def _reach(center: float, radius: float, side: int) -> slice:
    return slice(max(0, int(np.floor(center - radius))), min(side, int(np.ceil(center + radius)) + 1))


def _sub_pixels(pixels: slice) -> Float[np.ndarray, "n"]:
    """Centers of the sub-samples, where pixel i spans [i − ½, i + ½]."""
    offsets = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    return (np.arange(pixels.start, pixels.stop)[:, None] + offsets).ravel()


def _pooled(fine: Float[np.ndarray, "H W k"]) -> Float[np.ndarray, "h w k"]:
    """Mean over the sub-samples of every pixel."""
    height, width, channels = fine.shape
    grid = fine.reshape(height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, channels)
    return np.einsum("hawbk->hwk", grid) * np.float32(1 / SAMPLES**2)
