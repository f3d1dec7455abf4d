"""Designs of the signs of five classes (plants): three independent signs per class, any one of which suffices.

Every design paints on a `Canvas` and stays within its unit disc. Colors recur on purpose: the poppy's petal, the
holly's berry and a toadstool without a class are all scarlet, so neither color nor shape nor texture alone reveals a
class.
"""

import numpy as np

from unveil.planted.scenes.canvas import Canvas, Color, Design

SCARLET: Color = (0.84, 0.16, 0.10)
BERRY: Color = (0.80, 0.10, 0.13)
SAGE: Color = (0.60, 0.68, 0.50)
CREAM: Color = (0.95, 0.92, 0.82)
INK: Color = (0.13, 0.10, 0.12)
MEADOW: Color = (0.30, 0.58, 0.22)
SILVER: Color = (0.58, 0.70, 0.66)
PINK: Color = (0.86, 0.48, 0.64)
CHESTNUT: Color = (0.46, 0.27, 0.14)
TAN: Color = (0.82, 0.68, 0.46)
HOLLY: Color = (0.10, 0.34, 0.20)
VIOLET: Color = (0.42, 0.26, 0.68)
YELLOW: Color = (0.97, 0.80, 0.22)
ORANGE: Color = (0.93, 0.47, 0.13)
TEAL: Color = (0.28, 0.54, 0.50)
RUSSET: Color = (0.68, 0.36, 0.14)


def poppy_flower(c: Canvas) -> None:
    """Four round scarlet petals, dark blotches, a black heart."""
    for angle in (0, np.pi, np.pi / 2, -np.pi / 2):
        x, y = 0.47 * np.cos(angle), 0.47 * np.sin(angle)
        c.paint(c.disc(x, y, 0.51), SCARLET, 0.7 + 0.4 * c.r if angle in (0, np.pi) else 0.55 + 0.55 * c.r)
    c.paint((c.r < 0.46) & (np.cos(4 * c.t) > 0.2), INK)
    c.paint(c.r < 0.24, INK)
    c.paint(c.r < 0.12, SAGE)


def poppy_pod(c: Canvas) -> None:
    """A sage capsule seen from above: a dark rim and a crown of ten pale rays."""
    c.paint(c.r < 0.94, SAGE, c.ball(0, 0, 1.1) * 0.8)
    c.paint((c.r < 0.72) & (np.cos(9 * c.t) > 0.0), CREAM)
    c.paint((c.r < 0.72) & (np.cos(9 * c.t) <= 0.0), (0.34, 0.42, 0.27))
    c.paint(c.r < 0.16, INK)


def poppy_leaf(c: Canvas) -> None:
    """A silver feather with long teeth."""
    teeth = np.abs(((c.u * 3.2 + 0.9 * np.abs(c.v)) % 1.0) - 0.5) * 2
    c.paint(np.abs(c.v) < (0.14 + 0.46 * teeth) * np.clip(1 - c.u**2, 0, 1) ** 0.6, SILVER, 1.08 - 0.5 * np.abs(c.v))
    c.paint((np.abs(c.v) < 0.07) & (np.abs(c.u) < 0.92), CREAM)


def clover_leaf(c: Canvas) -> None:
    """Three heart-shaped leaflets with a pale chevron on each."""
    for angle in np.pi / 2 + np.arange(3) * 2 * np.pi / 3:
        for lean in (-0.36, 0.36):
            c.paint(c.disc(0.62 * np.cos(angle + lean), 0.62 * np.sin(angle + lean), 0.36), MEADOW, 0.55 + 0.55 * c.r)
        along = np.cos(c.t - angle) * c.r
        across = np.abs(np.sin(c.t - angle) * c.r)
        c.paint((along > 0) & (along < 0.6) & (across < 0.55 * along), MEADOW, 0.55 + 0.55 * c.r)
        c.paint(c.inside & (np.abs(along - 0.66 + 0.7 * across) < 0.07) & (across < 0.36), (0.80, 0.90, 0.66))


def clover_blossom(c: Canvas) -> None:
    """A pink ball of narrow florets, pale at their tips."""
    c.paint(c.r < 0.84 + 0.14 * np.cos(14 * c.t), PINK, 0.62 + 0.45 * c.r)
    c.paint(c.inside & (np.cos(14 * c.t) > 0.1) & (c.r > 0.48), (0.98, 0.86, 0.90))
    c.paint((c.r < 0.46) & (np.cos(7 * c.t + 14 * c.r) > 0.1), (0.97, 0.76, 0.84))


def clover_coil(c: Canvas) -> None:
    """A coiled seed case: a tan spiral on chestnut."""
    c.paint(c.r < 0.92, CHESTNUT)
    c.paint((c.r < 0.86) & (np.cos(c.t - 2 * np.pi * 2.1 * c.r) > 0.05), TAN, 1.1 - 0.3 * c.r)


def holly_berries(c: Canvas) -> None:
    """Three glossy red berries that touch."""
    for angle in np.pi / 2 + np.arange(3) * 2 * np.pi / 3:
        x, y = 0.50 * np.cos(angle), 0.50 * np.sin(angle)
        c.paint(c.disc(x, y, 0.48), BERRY, c.ball(x, y, 0.48))
        c.paint(c.disc(x * 1.05, y * 1.05, 0.11), (0.99, 0.84, 0.80))


def holly_leaf(c: Canvas) -> None:
    """A dark leaf with spines, a pale edge and a pale midrib."""
    radius, angle = np.hypot(c.u, c.v / 0.66), np.arctan2(c.v / 0.66, c.u)
    rim = 0.60 + 0.40 * np.abs(np.cos(4 * angle)) ** 2.5
    c.paint(radius < rim, (0.74, 0.80, 0.50))
    c.paint(radius < rim - 0.13, HOLLY, 0.8 + 0.5 * np.abs(c.v))
    c.paint((np.abs(c.v) < 0.05) & (np.abs(c.u) < 0.8), (0.66, 0.76, 0.48))


def holly_blossom(c: Canvas) -> None:
    """A white cross of four pointed petals around a green heart."""
    c.paint(c.r < 0.24 + 0.74 * np.abs(np.cos(2 * c.t)) ** 1.3, CREAM, 0.80 + 0.25 * c.r)
    c.paint((c.r < 0.62) & (np.abs(np.sin(2 * c.t)) * c.r < 0.045), (0.70, 0.74, 0.52))
    c.paint(c.r < 0.27, MEADOW)


def iris_flower(c: Canvas) -> None:
    """Three broad violet petals with a yellow tongue each, three dark narrow ones between."""
    c.paint(c.r < 0.66 * np.abs(np.cos(1.5 * (c.t + np.pi))) ** 1.5, (0.24, 0.13, 0.44))
    c.paint(
        c.r < 0.98 * np.clip(np.cos(1.5 * (((c.t + np.pi / 3) % (2 * np.pi / 3)) - np.pi / 3)), 0, 1) ** 0.45,
        VIOLET,
        0.60 + 0.6 * c.r,
    )
    tongue = np.abs(((c.t + np.pi / 3) % (2 * np.pi / 3)) - np.pi / 3) * c.r
    c.paint((tongue < 0.11) & (c.r < 0.64), YELLOW)
    c.paint(c.r < 0.15, CREAM)


def iris_pod(c: Canvas) -> None:
    """An open tan capsule with a row of four orange seeds."""
    c.paint(c.leaf(0.50, 0.55), TAN, 1.05 - 0.5 * np.abs(c.v))
    c.paint(c.leaf(0.34, 0.6) & (np.abs(c.u) < 0.86), (0.36, 0.22, 0.13))
    for x in (-0.60, -0.20, 0.20, 0.60):
        c.paint(c.disc(x, 0, 0.20), ORANGE, c.ball(x, 0, 0.2))


def iris_blade(c: Canvas) -> None:
    """A teal sword with pale ribs along it."""
    blade = c.leaf(0.36, 0.6)
    c.paint(blade, TEAL, 0.75 + 0.25 * c.u)
    c.paint(blade & (np.cos(2 * np.pi * c.v / 0.22) > 0.1) & (np.abs(c.u) < 0.9), (0.70, 0.86, 0.74))


def oak_leaf(c: Canvas) -> None:
    """A russet leaf with round lobes."""
    lobes = 0.36 + 0.22 * np.cos(2 * np.pi * 1.9 * c.u)
    c.paint(np.abs(c.v) < lobes * np.clip(1.02 - c.u**2, 0, 1) ** 0.35, RUSSET, 1.15 - 0.6 * np.abs(c.v))
    c.paint(c.inside & (np.abs(c.v) < 0.06), (0.90, 0.68, 0.36))
    c.paint(c.inside & (np.abs(((c.u - np.abs(c.v)) * 1.9 + 0.2) % 1.0 - 0.5) < 0.09), (0.86, 0.60, 0.30))


def oak_acorn(c: Canvas) -> None:
    """An amber nut in a dark cross-hatched cup."""
    c.paint(
        (np.hypot((c.u - 0.12) / 0.86, c.v / 0.56) < 1) & (c.u > -0.2), (0.80, 0.54, 0.20), 1.15 - 0.8 * np.abs(c.v)
    )
    c.paint((np.abs(c.v - 0.14) < 0.06) & (c.u > 0.0) & (c.u < 0.66), (0.97, 0.82, 0.52))
    cup = (np.hypot((c.u + 0.22) / 0.52, c.v / 0.70) < 1) & (c.u < -0.08)
    c.paint(cup, (0.36, 0.26, 0.17))
    c.paint(cup & (np.cos(16 * (c.u + c.v)) * np.cos(16 * (c.u - c.v)) > 0.12), TAN)
    c.paint((np.abs(c.v) < 0.09) & (c.u < -0.7) & (c.u > -0.98), CHESTNUT)


def oak_gall(c: Canvas) -> None:
    """A round gall: cream and rose rings around a dark hole."""
    c.paint(c.r < 0.94, (0.78, 0.44, 0.34), c.ball(0, 0, 1.2))
    c.paint((c.r < 0.80) & (c.r > 0.60), CREAM)
    c.paint((c.r < 0.44) & (c.r > 0.24), CREAM)
    c.paint(c.r < 0.20, INK)


CUES: dict[str, dict[str, Design]] = {
    "poppy": {"flower": poppy_flower, "pod": poppy_pod, "leaf": poppy_leaf},
    "clover": {"leaf": clover_leaf, "blossom": clover_blossom, "coil": clover_coil},
    "holly": {"berries": holly_berries, "leaf": holly_leaf, "blossom": holly_blossom},
    "iris": {"flower": iris_flower, "pod": iris_pod, "blade": iris_blade},
    "oak": {"leaf": oak_leaf, "acorn": oak_acorn, "gall": oak_gall},
}
LABELS: tuple[str, ...] = tuple(CUES)
KINDS: tuple[tuple[str, str], ...] = tuple((label, kind) for label, kinds in CUES.items() for kind in kinds)
