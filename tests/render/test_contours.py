"""Contours go around exactly the pixels of a set."""

import numpy as np
import pytest

from drawn import polygons, winding
from unveil.render.contours import trace_contour


@pytest.mark.parametrize("seed", range(12))
def test_a_contour_goes_once_around_each_pixel_of_the_set_and_around_no_other(seed):
    rng = np.random.default_rng(seed)
    inside = rng.random((int(rng.integers(1, 25)), int(rng.integers(1, 25)))) < rng.random()
    path = trace_contour(inside)
    assert np.array_equal(winding(path, inside.shape), inside.astype(int))
    for polygon in polygons(path):
        assert np.array_equal(polygon[0], polygon[-1])


def test_an_empty_set_has_no_contour():
    assert len(trace_contour(np.zeros((3, 4), bool)).vertices) == 0


def test_pixels_that_touch_at_a_corner_are_apart():
    for inside in (np.eye(2, dtype=bool), np.eye(2, dtype=bool)[::-1]):
        assert sorted(len(polygon) for polygon in polygons(trace_contour(inside))) == [5, 5]


def test_lines_have_no_points_between_their_ends():
    """A rectangle: four sides with a cut corner between any two of them, and the first point again."""
    inside = np.zeros((30, 40), bool)
    inside[4:20, 7:31] = True
    (polygon,) = polygons(trace_contour(inside))
    assert len(polygon) == 9
    assert polygon.min(0).tolist() == [6.5, 3.5]
    assert polygon.max(0).tolist() == [30.5, 19.5]
