"""Contours of sets of pixels, as paths and lines."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

# The side of a pixel on which an edge lies, walked with the pixel on its right: (row, column) of the neighbor, and from
# which corner to which of (row, column), (row, column + 1), …
_SIDES = (
    ((-1, 0), (0, 0), (0, 1)),
    ((0, 1), (0, 1), (1, 1)),
    ((1, 0), (1, 1), (1, 0)),
    ((0, -1), (1, 0), (0, 0)),
)


def trace_contour(inside: Bool[np.ndarray, "h w"]) -> Path:
    """The border of a set of pixels as closed polygons (x, y), also along the picture's own border.

    Pixel (y, x) has its center at (x, y). Corners are cut at the middles of the pixels' edges, as marching squares do.

    Holes are walked in the other direction, so that they stay empty when the path is filled. Pixels that touch at a
    corner alone are apart.

    >>> trace_contour(np.array([[True]])).vertices.tolist()
    [[0.0, -0.5], [0.5, 0.0], [0.0, 0.5], [-0.5, 0.0], [0.0, -0.5]]
    """
    following, middles = _edges(inside)
    vertices, codes = [], []
    left = np.ones(len(following), dtype=bool)
    for first in range(len(following)):
        if not left[first]:
            continue
        edges, edge = [], first
        while left[edge]:
            left[edge] = False
            edges.append(edge)
            edge = following[edge]
        ring = _without_straight(middles[edges])
        vertices += [ring, ring[:1]]
        codes += [Path.MOVETO, *[Path.LINETO] * (len(ring) - 1), Path.CLOSEPOLY]
    if not vertices:
        return Path(np.zeros((0, 2)))
    return Path(np.concatenate(vertices), codes)


def draw_contour(axes: Axes, inside: Bool[np.ndarray, "h w"], color: str, width: float, alpha: float) -> None:
    """The border of a set of pixels as a line of `width` points."""
    if inside.any():
        add_path(axes, trace_contour(inside), edgecolor=color, linewidth=width, alpha=alpha)


def add_path(axes: Axes, path: Path, **style: Any) -> PathPatch:
    """A path without a face; quicker than `Axes.add_patch`, which looks at the limits of all data again."""
    patch = PathPatch(path, facecolor="none", joinstyle="bevel", **style)
    axes.add_artist(patch)
    return patch


def _edges(inside: Bool[np.ndarray, "h w"]) -> tuple[list[int], Float[np.ndarray, "n 2"]]:
    """For each edge of a pixel that is a border, the edge that follows it; and the middles (x, y) of all edges."""
    padded, (height, width) = np.pad(inside, 1), inside.shape
    starts, ends, middles = [], [], []
    for (dy, dx), start, end in _SIDES:
        ys, xs = np.nonzero(inside & ~padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width])
        starts.append((ys + start[0]) * (width + 1) + xs + start[1])
        ends.append((ys + end[0]) * (width + 1) + xs + end[1])
        middles.append(np.stack([xs + dx / 2, ys + dy / 2], axis=1))
    start, end, middle = np.concatenate(starts), np.concatenate(ends), np.concatenate(middles)
    if not len(start):
        return [], middle
    order = np.argsort(start, kind="stable")
    first = np.searchsorted(start[order], end)
    second = np.minimum(first + 1, len(order) - 1)
    # Where pixels touch at a corner alone, two edges start there. The one to the right belongs to the same pixel.
    two = (start[order[second]] == end) & (second > first)
    corner = np.stack([end % (width + 1), end // (width + 1)], axis=1) - 0.5
    before, after = corner - middle, middle[order[first]] - corner
    to_the_left = before[:, 0] * after[:, 1] < before[:, 1] * after[:, 0]
    return order[np.where(two & to_the_left, second, first)].tolist(), middle


def _without_straight(ring: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """The polygon without the points on its straight lines."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    bends = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-9
    return ring[bends]
