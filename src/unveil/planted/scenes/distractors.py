"""Objects without a class. Each shares a color, a shape or a texture with some cue, never all three."""

import numpy as np

from unveil.planted.scenes.canvas import Canvas, Color, Design
from unveil.planted.scenes.designs import (
    BERRY,
    CHESTNUT,
    CREAM,
    HOLLY,
    MEADOW,
    PINK,
    RUSSET,
    SCARLET,
    TAN,
    TEAL,
    VIOLET,
    YELLOW,
)

SLATE: Color = (0.50, 0.53, 0.58)


def toadstool(c: Canvas) -> None:
    """A red cap with white dots: the color of poppy and holly."""
    c.paint(c.r < 0.94, BERRY, c.ball(0, 0, 1.2))
    for k in range(6):
        c.paint(c.disc(0.58 * np.cos(k * np.pi / 3), 0.58 * np.sin(k * np.pi / 3), 0.14), CREAM)
    c.paint(c.disc(0.08, 0.05, 0.15), CREAM)


def pebble(c: Canvas) -> None:
    """A speckled stone."""
    c.paint(np.hypot(c.u, c.v / 0.74) < 0.98, SLATE, c.ball(0, 0, 1.25))
    c.paint(c.inside & (np.sin(9 * c.u + 3 * c.v) * np.sin(11 * c.v - 4 * c.u) > 0.6), (0.74, 0.76, 0.78))


def banded_pebble(c: Canvas) -> None:
    """A stone with pale bands: the texture of an iris blade."""
    c.paint(np.hypot(c.u, c.v / 0.8) < 0.96, TEAL, c.ball(0, 0, 1.3) * 0.75)
    c.paint(c.inside & (np.cos(2 * np.pi * c.u / 0.5) > 0.55), CREAM)


def plain_leaf(color: Color) -> Design:
    """A smooth oval leaf in the color of one that has lobes, spines or leaflets."""

    def paint(c: Canvas) -> None:
        c.paint(c.leaf(0.46, 0.8), color, 1.1 - 0.5 * np.abs(c.v))
        c.paint(c.inside & (np.abs(c.v) < 0.045), (0.84, 0.84, 0.62))

    return paint


def star_flower(color: Color) -> Design:
    """Six narrow petals around a yellow heart, in the color of a flower with another form."""

    def paint(c: Canvas) -> None:
        c.paint(c.r < 0.28 + 0.70 * np.abs(np.cos(3 * c.t)), color, 0.7 + 0.4 * c.r)
        c.paint(c.r < 0.26, YELLOW)

    return paint


def bilberry(c: Canvas) -> None:
    """One blue-black berry: the shape and gloss of holly's."""
    c.paint(c.r < 0.92, (0.20, 0.22, 0.42), c.ball(0, 0, 1.0))
    c.paint(c.disc(0.25, 0.2, 0.16), (0.78, 0.80, 0.92))


def cone(c: Canvas) -> None:
    """A fir cone: the cross-hatching of an acorn's cup."""
    c.paint(np.hypot(c.u, c.v / 0.58) < 0.98, (0.36, 0.26, 0.17))
    c.paint(c.inside & (np.cos(10 * (c.u + c.v)) * np.cos(10 * (c.u - c.v)) > 0.1), TAN, 1.0 - 0.5 * np.abs(c.v))


def ring(c: Canvas) -> None:
    """A cut twig: wood with growth rings, the colors of the coil."""
    c.paint(c.r < 0.95, CHESTNUT)
    c.paint((c.r < 0.78), TAN)
    c.paint((c.r < 0.50) & (c.r > 0.40), CHESTNUT)


DISTRACTORS: tuple[Design, ...] = (
    toadstool,
    pebble,
    banded_pebble,
    plain_leaf(MEADOW),
    plain_leaf(HOLLY),
    plain_leaf(RUSSET),
    star_flower(SCARLET),
    star_flower(VIOLET),
    star_flower(CREAM),
    star_flower(PINK),
    bilberry,
    cone,
    ring,
)
