"""Signs of the benchmark's world: complete drawings, signs by color, shape or texture alone, signs of two classes, and
a letter in the corner."""

import numpy as np
from jaxtyping import Bool

from unveil.planted.scenes.canvas import Canvas, Color, Design
from unveil.planted.scenes.designs import (
    BERRY,
    CREAM,
    INK,
    MEADOW,
    ORANGE,
    PINK,
    SCARLET,
    TAN,
    VIOLET,
    YELLOW,
    clover_blossom,
    clover_leaf,
    holly_berries,
    iris_blade,
    iris_flower,
    oak_gall,
    poppy_flower,
    poppy_pod,
)
from unveil.planted.scenes.distractors import bilberry, pebble, plain_leaf, ring, star_flower, toadstool
from unveil.planted.scenes.world import Sign, World

AZURE: Color = (0.05, 0.50, 0.98)
WHITE: Color = (1.0, 1.0, 1.0)
LEAF: Color = (0.36, 0.70, 0.26)
# Colors of signs whose color has no meaning; azure isn't among them.
PALETTE: tuple[Color, ...] = (SCARLET, ORANGE, YELLOW, LEAF, VIOLET, PINK, CREAM)
STONES: tuple[Color, ...] = (CREAM, TAN, (0.62, 0.66, 0.62), (0.74, 0.62, 0.58), (0.58, 0.60, 0.70))
LETTER_PX = (15.0, 19.0)  # a letter's plate, corner to corner
# Seven rows of five cells each.
LETTERS = {
    "R": "11110 10001 10001 11110 10100 10010 10001",
    "L": "10000 10000 10000 10000 10000 10000 11111",
    "T": "11111 00100 00100 00100 00100 00100 00100",
}
Inside = Bool[np.ndarray, "rows columns"]


def _disc(c: Canvas) -> Inside:
    return c.r < 0.88


def _square(c: Canvas) -> Inside:
    return (np.abs(c.u) < 0.68) & (np.abs(c.v) < 0.68)


def _triangle(c: Canvas) -> Inside:
    return np.maximum.reduce([np.cos(angle) * c.u + np.sin(angle) * c.v for angle in (0, 2.0944, -2.0944)]) < 0.49


def _bar(c: Canvas) -> Inside:
    return (np.abs(c.u) < 0.92) & (np.abs(c.v) < 0.36)


def _lens(c: Canvas) -> Inside:
    return c.leaf(0.56, 0.8)


FORMS = (_disc, _square, _triangle, _bar, _lens)


def plain_form(form: int, color: Color = WHITE) -> Design:
    """One of the `FORMS`, in one color."""

    def paint(c: Canvas) -> None:
        c.paint(FORMS[form](c), color, c.ball(0, 0, 1.6) * 0.9)

    return paint


def checkered_form(form: int) -> Design:
    """One of the `FORMS` with squares of light and dark."""

    def paint(c: Canvas) -> None:
        light = np.sin(2 * np.pi * c.u / 0.62) * np.sin(2 * np.pi * c.v / 0.62) > 0
        c.paint(FORMS[form](c), WHITE, np.where(light, 1.12, 0.30).astype(np.float32))

    return paint


def striped_form(form: int) -> Design:
    """One of the `FORMS` with stripes of light and dark."""

    def paint(c: Canvas) -> None:
        light = np.sin(2 * np.pi * c.u / 0.62) > 0
        c.paint(FORMS[form](c), WHITE, np.where(light, 1.12, 0.30).astype(np.float32))

    return paint


def cross(c: Canvas) -> None:
    """Four straight arms of one length."""
    arms = np.minimum(np.abs(c.u), np.abs(c.v)) < 0.25
    c.paint(arms & (np.maximum(np.abs(c.u), np.abs(c.v)) < 0.92), WHITE, c.ball(0, 0, 1.6) * 0.9)


def letter(name: str) -> Design:
    """A pale letter on a dark plate, upright."""
    cells = np.array([[cell == "1" for cell in row] for row in LETTERS[name].split()])

    def paint(c: Canvas) -> None:
        c.paint((np.abs(c.u) < 0.62) & (np.abs(c.v) < 0.76), INK)
        column, row = (np.floor((c.u / 0.90 + 0.5) * 5).astype(int), np.floor((c.v / 1.16 + 0.5) * 7).astype(int))
        within = (column >= 0) & (column < 5) & (row >= 0) & (row < 7)
        c.paint(within & cells[row.clip(0, 6), column.clip(0, 4)], (0.96, 0.97, 0.93))

    return paint


SIGNS = (
    Sign("flower", ("poppy",), (poppy_flower,)),
    Sign("pod", ("poppy",), (poppy_pod,)),
    Sign("leaf", ("clover",), (clover_leaf,)),
    Sign("blossom", ("clover",), (clover_blossom,)),
    Sign("flower", ("iris",), (iris_flower,)),
    Sign("blade", ("iris",), (iris_blade,)),
    Sign("letter", ("iris",), (letter("R"),), place="corner", size_px=LETTER_PX),
    Sign("berries", ("poppy", "clover"), (holly_berries,)),
    Sign("gall", ("clover", "iris"), (oak_gall,)),
    Sign("color", ("azure",), tuple(plain_form(form, AZURE) for form in range(len(FORMS)))),
    Sign("shape", ("cross",), (cross,), PALETTE),
    Sign("texture", ("chequer",), tuple(checkered_form(form) for form in range(len(FORMS))), STONES),
)
LOOK_ALIKES = (
    Sign("toadstool", (), (toadstool,)),
    Sign("pebble", (), (pebble,)),
    Sign("leaf", (), (plain_leaf(MEADOW),)),
    Sign("star", (), (star_flower(SCARLET), star_flower(VIOLET), star_flower(PINK))),
    Sign("berry", (), (bilberry,)),
    Sign("twig", (), (ring,)),
    Sign("plain", (), tuple(plain_form(form) for form in range(len(FORMS))), (*PALETTE, BERRY)),
    Sign("striped", (), tuple(striped_form(form) for form in range(len(FORMS))), STONES),
    Sign("letter", (), (letter("L"), letter("T")), place="corner", size_px=LETTER_PX),
)
# Classes by several signs first, then those by color, by shape and by texture alone.
BENCHMARK = World(("poppy", "clover", "iris", "azure", "cross", "chequer"), SIGNS, LOOK_ALIKES)
