"""Paths and polygons against brute force in float64, and against scikit-image and Pillow."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageDraw
from skimage.draw import disk, polygon2mask

from unveil.images.geometry import Geometry
from unveil.what_if.lattice import Lattice
from unveil.what_if.shapes import path_pixels, polygon_pixels

SOURCE, MODEL = (30, 44), (20, 22)
# Whole and half pixels make ties; others are anywhere, also outside the source.
COORDINATES = st.one_of(st.integers(-10, 100).map(lambda n: n / 2), st.floats(-20, 60))
POINTS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=8)
GEOMETRIES = st.sampled_from(
    [
        Geometry.identity(SOURCE),
        Geometry.resize(SOURCE, MODEL),
        Geometry.resize(SOURCE, (26, 38)).then_crop((3, 8), (20, 22)),
        Geometry.resize(SOURCE, (15, 22)).then_crop((-4, -2), (24, 26)),
    ]
)


def centers(lattice: Lattice) -> np.ndarray:
    """(y, x) of the center of every pixel, written out from the definition of the geometry."""
    geometry = lattice.geometry
    sides = [np.arange(lattice.start[axis], lattice.start[axis] + lattice.shape[axis]) for axis in (0, 1)]
    y, x = (geometry.offset[axis] + geometry.scale[axis] * (side + 0.5) for axis, side in enumerate(sides))
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


def distance_to_path(places: np.ndarray, points: list[tuple[float, float]]) -> np.ndarray:
    """The distance of every place to the nearest point of the path, by projection onto each segment."""
    nearest = np.full(places.shape[:-1], np.inf)
    for a, b in zip(points, points[1:] or points, strict=False):
        start, way = np.array(a), np.array(b) - np.array(a)
        length2 = float(way @ way)
        share = np.clip((places - start) @ way / length2, 0, 1) if length2 > 0 else np.zeros(places.shape[:-1])
        nearest = np.minimum(nearest, np.linalg.norm(places - start - share[..., None] * way, axis=-1))
    return nearest


def winding(places: np.ndarray, points: list[tuple[float, float]]) -> np.ndarray:
    """The winding number as the sum of the signed angles under which the edges are seen, divided by 2 pi."""
    total = np.zeros(places.shape[:-1])
    for a, b in zip(points, points[1:] + points[:1], strict=True):
        first, second = np.array(a) - places, np.array(b) - places
        cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
        total += np.arctan2(cross, (first * second).sum(-1))
    return np.rint(total / (2 * np.pi)).astype(int)


@given(GEOMETRIES, POINTS, st.one_of(st.integers(1, 40).map(float), st.floats(0.01, 80)))
def test_a_path_holds_the_pixels_whose_centers_are_within_half_its_width(geometry, points, width_px):
    lattice = Lattice.around(geometry)
    drawn = path_pixels(np.array(points, dtype=float), width_px / 2, lattice)
    distance = distance_to_path(centers(lattice), points)
    # Where rounding could decide, either answer is right.
    clear = np.abs(distance - width_px / 2) > 1e-7
    np.testing.assert_array_equal(drawn[clear], (distance <= width_px / 2)[clear])


@given(GEOMETRIES, st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=8))
def test_a_polygon_holds_the_pixels_that_it_winds_around(geometry, points):
    lattice = Lattice.around(geometry)
    drawn, places = polygon_pixels(np.array(points, dtype=float), lattice), centers(lattice)
    clear = distance_to_path(places, [*points, points[0]]) > 1e-6
    np.testing.assert_array_equal(drawn[clear], (winding(places, points) != 0)[clear])


@given(st.integers(5, 25), st.integers(5, 39), st.floats(1, 20))
def test_a_dot_is_the_disc_of_scikit_image(row, column, radius_px):
    lattice = Lattice.around(Geometry.identity(SOURCE))
    # scikit-image: pixel i is at i, and the border itself is outside.
    distance = np.hypot(*np.moveaxis(centers(lattice) - [row + 0.5, column + 0.5], -1, 0))
    assume(np.abs(distance - radius_px).min() > 1e-6)
    expected = np.zeros(SOURCE, dtype=bool)
    expected[disk((row, column), radius_px, shape=SOURCE)] = True
    drawn = path_pixels(np.array([[row + 0.5, column + 0.5]]), radius_px, lattice)
    np.testing.assert_array_equal(drawn, expected)


def test_a_simple_polygon_is_that_of_scikit_image():
    """Without crossings the two rules agree. Corners are moved off the centers, where borders are a matter of taste."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        radii = rng.uniform(4, 14, 9)
        star = np.stack([15.3 + radii * np.sin(angles), 22.1 + radii * np.cos(angles)], axis=1)
        drawn = polygon_pixels(star, Lattice.around(Geometry.identity(SOURCE)))
        np.testing.assert_array_equal(drawn, polygon2mask(SOURCE, star - 0.5))


def test_a_star_of_five_is_filled_and_a_hole_is_only_where_the_winding_cancels():
    """A pentagram is wound around twice in its middle: even-odd would leave a hole there."""
    corners = 2 * np.pi * np.arange(5) * 2 / 5 - np.pi / 2
    star = np.stack([15 + 13 * np.sin(corners), 22 + 13 * np.cos(corners)], axis=1)
    lattice = Lattice.around(Geometry.identity(SOURCE))
    assert polygon_pixels(star, lattice)[15, 22]
    assert not polygon2mask(SOURCE, star - 0.5)[15, 22]
    square = np.array([[5, 5], [5, 35], [25, 35], [25, 5], [5, 5]], dtype=float)
    same_way, other_way = (
        np.array([[10, 10], *inner, [10, 10]], dtype=float)
        for inner in ([[10, 30], [20, 30], [20, 10]], [[20, 10], [20, 30], [10, 30]])
    )
    assert polygon_pixels(np.concatenate([square, same_way]), lattice)[15, 20]
    assert not polygon_pixels(np.concatenate([square, other_way]), lattice)[15, 20]


def test_a_thick_line_is_that_of_pillow_but_for_its_border():
    """Pillow draws lines of whole width with flat ends: compared in the middle of a long one."""
    lattice = Lattice.around(Geometry.identity((60, 60)))
    drawn = path_pixels(np.array([[30.0, 5.0], [30.0, 55.0]]), 4.0, lattice)
    picture = PillowImage.new("1", (60, 60))
    ImageDraw.Draw(picture).line([(5, 29.5), (55, 29.5)], fill=1, width=8)
    np.testing.assert_array_equal(drawn[:, 15:45], np.array(picture)[:, 15:45])


@pytest.mark.parametrize("split", [1, 17, 299])
def test_long_paths_and_polygons_are_those_of_their_parts(split):
    """More segments than are drawn at a time."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 30, (600, 2))
    lattice = Lattice.around(Geometry.resize(SOURCE, MODEL))
    parts = path_pixels(points[: split + 1], 0.6, lattice) | path_pixels(points[split:], 0.6, lattice)
    np.testing.assert_array_equal(path_pixels(points, 0.6, lattice), parts)
    turned = np.roll(points, split, axis=0)
    np.testing.assert_array_equal(polygon_pixels(points, lattice), polygon_pixels(turned, lattice))
