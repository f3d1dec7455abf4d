"""What stands in a figure, read back from its artists, for the tests of figures."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text


def all_texts(figure: Figure) -> list[Text]:
    """Every text of a figure that says something."""
    return [text for text in figure.findobj(Text) if text.get_text().strip()]


def said(figure: Figure) -> list[str]:
    """What all texts say."""
    return [text.get_text() for text in all_texts(figure)]


def named(figure: Figure, name: str) -> list[Artist]:
    """The artists with this name (gid), in the order in which they were added."""
    return [artist for artist in figure.findobj(lambda one: one.get_gid() == name) if isinstance(artist, Artist)]


def picture_axes(figure: Figure) -> list[Axes]:
    """The axes that hold a picture, row by row within each band."""
    return [axes for axes in figure.axes if axes.images]


def picture_rows(figure: Figure) -> list[list[Axes]]:
    """The pictures of a figure in rows, from above, each from left to right."""
    rows: dict[float, list[Axes]] = {}
    for axes in picture_axes(figure):
        rows.setdefault(round(axes.get_position(original=True).y1, 4), []).append(axes)
    return [sorted(rows[top], key=lambda axes: axes.get_position().x0) for top in sorted(rows, reverse=True)]


def columns_of(figure: Figure) -> list[tuple[float, float]]:
    """The left and right ends of the columns in inches, from the first row of pictures."""
    width = figure.get_figwidth()
    places = [axes.get_position(original=True) for axes in picture_rows(figure)[0]]
    return [(place.x0 * width, place.x1 * width) for place in places]


def texts_in_column(figure: Figure, number: int) -> list[Text]:
    """The texts around the pictures of a column of a figure with one band, from top to bottom."""
    left, right = columns_of(figure)[number]
    around = [artist for artist in figure.artists if isinstance(artist, Text) and artist.get_rotation() == 0]
    head, foot = 0.5, figure.get_figheight() - 0.25
    inside = [
        one
        for one in around
        if left - 0.01 <= one.get_position()[0] <= right + 0.01 and head < one.get_position()[1] < foot
    ]
    return sorted(inside, key=lambda one: (round(one.get_position()[1], 3), one.get_position()[0]))


def winding(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """How often closed polygons go around the center of each pixel; holes count −1."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    centers = np.stack([xs.ravel(), ys.ravel()], axis=1)
    total = np.zeros(shape, dtype=int)
    for polygon in polygons(path):
        area = np.sum(polygon[:-1, 0] * polygon[1:, 1] - polygon[1:, 0] * polygon[:-1, 1])
        total += int(np.sign(area)) * Path(polygon).contains_points(centers).reshape(shape)
    return total


def polygons(path: Path) -> Iterator[np.ndarray]:
    """The closed polygons of a path; the first corner stands at the end again."""
    starts = [*np.flatnonzero(path.codes == Path.MOVETO), len(path.vertices)] if path.codes is not None else []
    for start, stop in pairwise(starts):
        yield np.asarray(path.vertices[start:stop])
