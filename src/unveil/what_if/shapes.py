"""Paths and polygons as pixels of a lattice, row by row.

A path is a union of segments with round ends, and a row meets each of them in one interval. The winding number of a
polygon changes where a row meets its edges.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from unveil.what_if.lattice import NUDGE_PX, Lattice, LatticeMap

SEGMENTS = 256  # drawn at a time


def path_pixels(points: Float[np.ndarray, "n 2"], radius_px: float, lattice: Lattice) -> LatticeMap:
    """The pixels whose centers are at most `radius_px` from a path."""
    rows, columns = lattice.shape
    starts, ends = (points, points) if len(points) == 1 else (points[:-1], points[1:])
    # How often the intervals of a row begin and end at each column.
    steps = np.zeros(rows * (columns + 1))
    for first in range(0, len(starts), SEGMENTS):
        part = slice(first, first + SEGMENTS)
        for row, low, high in _intervals(starts[part], ends[part], radius_px + NUDGE_PX, lattice):
            begin, end = lattice.columns_from(low), lattice.columns_after(high)
            steps += np.bincount(row * (columns + 1) + begin, minlength=steps.size)
            steps -= np.bincount(row * (columns + 1) + end, minlength=steps.size)
    return steps.reshape(rows, columns + 1).cumsum(1)[:, :-1] > 0.5


def _intervals(
    starts: Float[np.ndarray, "n 2"], ends: Float[np.ndarray, "n 2"], radius_px: float, lattice: Lattice
) -> Iterator[tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"], Float[np.ndarray, "k"]]]:
    """For segments with round ends: the rows that they meet, and from where to where.

    A segment with round ends is two discs and a rectangle. It is convex, so a row meets it in one interval, from the
    smallest to the largest end of the three.
    """
    y = lattice.centers(0)
    low_y = min(starts[:, 0].min(), ends[:, 0].min()) - radius_px
    high_y = max(starts[:, 0].max(), ends[:, 0].max()) + radius_px
    rows = np.flatnonzero((y >= low_y) & (y <= high_y))
    if not len(rows):
        return
    parts = [_disc(points, y[rows], radius_px) for points in (starts, ends)]
    parts.append(_rectangle(starts, ends, y[rows], radius_px))
    low = np.minimum.reduce([low for low, _ in parts])
    high = np.maximum.reduce([high for _, high in parts])
    segment, row = np.nonzero(low <= high)
    yield rows[row], low[segment, row], high[segment, row]


def _disc(
    centers: Float[np.ndarray, "n 2"], y: Float[np.ndarray, "rows"], radius_px: float
) -> tuple[Float[np.ndarray, "n rows"], Float[np.ndarray, "n rows"]]:
    """Where rows meet discs; from inf to -inf where they don't."""
    left = radius_px**2 - (y - centers[:, :1]) ** 2
    half = np.where(left >= 0, np.sqrt(np.maximum(left, 0)), -np.inf)
    return centers[:, 1:] - half, centers[:, 1:] + half


def _rectangle(
    starts: Float[np.ndarray, "n 2"], ends: Float[np.ndarray, "n 2"], y: Float[np.ndarray, "rows"], radius_px: float
) -> tuple[Float[np.ndarray, "n rows"], Float[np.ndarray, "n rows"]]:
    """Where rows meet the rectangles around segments, without the round ends; from inf to -inf where they don't."""
    length = np.hypot(*(ends - starts).T)[:, None]
    along_y, along_x = ((ends - starts) / np.where(length > 0, length, 1)).T[..., None]
    from_start = y - starts[:, :1]
    # Along the segment between 0 and its length, and across it no further away than the radius.
    low, high = _between(along_x, from_start * along_y, 0 * length, length)
    low_across, high_across = _between(along_y, -from_start * along_x, -radius_px + 0 * length, radius_px + 0 * length)
    low, high = np.maximum(low, low_across), np.minimum(high, high_across)
    empty = (low > high) | (length == 0)
    return np.where(empty, np.inf, starts[:, 1:] + low), np.where(empty, -np.inf, starts[:, 1:] + high)


def _between(
    slope: Float[np.ndarray, "n 1"],
    shift: Float[np.ndarray, "n rows"],
    least: Float[np.ndarray, "n 1"],
    most: Float[np.ndarray, "n 1"],
) -> tuple[Float[np.ndarray, "n rows"], Float[np.ndarray, "n rows"]]:
    """The interval of x with least <= shift + slope * x <= most."""
    flat = slope == 0
    divisor = np.where(flat, 1.0, slope)
    with np.errstate(over="ignore"):
        first, second = (least - shift) / divisor, (most - shift) / divisor
    low, high = np.minimum(first, second), np.maximum(first, second)
    everywhere = flat & (least <= shift) & (shift <= most)
    low = np.where(flat, np.where(everywhere, -np.inf, np.inf), low)
    return low, np.where(flat, np.where(everywhere, np.inf, -np.inf), high)


def polygon_pixels(points: Float[np.ndarray, "n 2"], lattice: Lattice) -> LatticeMap:
    """The pixels whose centers a closed polygon winds around, in either direction (non-zero winding).

    Of a shared border, the pixels right of it and below it are inside: polygons that touch have no pixel in common.
    """
    rows, columns = lattice.shape
    y = lattice.centers(0)
    steps = np.zeros(rows * (columns + 1))
    starts, ends = points, np.roll(points, -1, axis=0)
    for first in range(0, len(points), SEGMENTS):
        a, b = starts[first : first + SEGMENTS], ends[first : first + SEGMENTS]
        edge, row = np.nonzero((a[:, :1] <= y) != (b[:, :1] <= y))
        (ay, ax), (by, bx) = a[edge].T, b[edge].T
        begin = lattice.columns_from(ax + (y[row] - ay) * ((bx - ax) / (by - ay)))
        direction = np.where(by > ay, 1.0, -1.0)
        steps += np.bincount(row * (columns + 1) + begin, weights=direction, minlength=steps.size)
    return np.abs(steps.reshape(rows, columns + 1).cumsum(1)[:, :-1]) > 0.5
