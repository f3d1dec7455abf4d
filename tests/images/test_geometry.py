"""Geometry between the model's grid and the source: round trips, and look-ups against a pixel-by-pixel twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from unveil.errors import ImageError
from unveil.images import Geometry

SIDES = st.integers(8, 40)


@st.composite
def geometries(draw) -> Geometry:
    """A resize and then a crop or padding, as classifiers prepare their images."""
    source, resized = (draw(st.tuples(SIDES, SIDES)) for _ in range(2))
    crop = draw(st.tuples(SIDES, SIDES))
    start = draw(st.tuples(st.integers(-6, 12), st.integers(-6, 12)))
    return Geometry.resize(source, resized).then_crop(start, crop)


@given(geometries(), st_numpy.arrays(float, (5, 2), elements=st.floats(-50, 90)))
def test_points_come_back(geometry, points):
    np.testing.assert_allclose(geometry.to_model(geometry.to_source(points)), points, atol=1e-9)
    np.testing.assert_allclose(geometry.to_source(geometry.to_model(points)), points, atol=1e-9)


@given(geometries(), st.data())
def test_a_region_on_the_source_is_what_lies_under_its_pixel_centres(geometry, data):
    inside = data.draw(st_numpy.arrays(bool, geometry.model_shape))
    found = geometry.region_to_source(inside)
    for y in range(geometry.source_shape[0]):
        for x in range(geometry.source_shape[1]):
            at = [(c + 0.5 - o) / s for c, o, s in zip((y, x), geometry.offset, geometry.scale, strict=True)]
            cell = [math.floor(round(value, 7)) for value in at]
            there = all(0 <= c < side for c, side in zip(cell, geometry.model_shape, strict=True))
            assert found[y, x] == (there and inside[tuple(cell)]), (y, x)


@given(geometries(), st.data())
def test_a_region_on_the_grid_is_what_lies_under_its_pixel_centres(geometry, data):
    inside = data.draw(st_numpy.arrays(bool, geometry.source_shape))
    found = geometry.region_to_model(inside)
    for y in range(geometry.model_shape[0]):
        for x in range(geometry.model_shape[1]):
            at = [o + s * (c + 0.5) for c, o, s in zip((y, x), geometry.offset, geometry.scale, strict=True)]
            cell = [math.floor(round(value, 7)) for value in at]
            there = all(0 <= c < side for c, side in zip(cell, geometry.source_shape, strict=True))
            assert found[y, x] == (there and inside[tuple(cell)]), (y, x)


@given(geometries(), st.data())
def test_regions_keep_their_algebra_on_the_way(geometry, data):
    a, b = (data.draw(st_numpy.arrays(bool, geometry.model_shape)) for _ in range(2))
    there = geometry.region_to_source
    assert np.array_equal(there(a | b), there(a) | there(b))
    assert np.array_equal(there(a & b), there(a) & there(b))
    assert np.array_equal(there(~a), ~there(a) & geometry.visible())


@given(st.tuples(st.integers(3, 12), st.integers(3, 12)), st.tuples(st.integers(1, 5), st.integers(1, 5)), st.data())
def test_a_grid_coarser_by_whole_numbers_comes_back_exactly(model, factor, data):
    source = tuple(m * f for m, f in zip(model, factor, strict=True))
    geometry = Geometry.resize(source, model)
    inside = data.draw(st_numpy.arrays(bool, model))
    on_source = geometry.region_to_source(inside)
    assert np.array_equal(on_source, np.kron(inside, np.ones(factor, bool)))
    assert np.array_equal(geometry.region_to_model(on_source), inside)
    assert on_source.sum() == inside.sum() * geometry.pixel_area_ratio


@given(geometries())
def test_a_finer_source_brings_every_region_back(geometry):
    """Where a model pixel covers at least one whole source pixel, no region is lost on the way there and back."""
    if min(geometry.scale) < 2:
        return
    inside = np.indices(geometry.model_shape).sum(0) % 2 == 0
    back = geometry.region_to_model(geometry.region_to_source(inside))
    seen = geometry.region_to_model(geometry.visible())
    assert np.array_equal(back, inside & seen)


def test_the_usual_preparation_by_hand():
    """600 x 400 to a shorter side of 256, then the middle 224: y from (384 − 224)/2 = 80, x from 16; 1.5625 px a px."""
    geometry = Geometry.resize((600, 400), (384, 256)).then_crop((80, 16), (224, 224))
    assert geometry.scale == (1.5625, 1.5625)
    assert geometry.offset == (125.0, 25.0)
    visible = geometry.visible()
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (125, 474, 25, 374)
    assert visible.sum() == 350 * 350


def test_a_volume_has_three_axes():
    geometry = Geometry.resize((4, 6, 8), (2, 3, 4)).then_crop((0, 0, 1), (2, 3, 2))
    inside = np.zeros((2, 3, 2), bool)
    inside[1, 2, 0] = True
    where = np.argwhere(geometry.region_to_source(inside))
    assert where.min(0).tolist() == [2, 4, 2]
    assert where.max(0).tolist() == [3, 5, 3]


def test_a_map_is_interpolated_between_centres_and_unknown_outside():
    geometry = Geometry.resize((8, 8), (4, 4)).then_crop((1, 1), (2, 2))
    values = np.array([[0.0, 1.0], [2.0, 3.0]], np.float32)
    on_source = geometry.map_to_source(values)
    assert np.isnan(on_source[:2]).all()
    assert np.isnan(on_source[:, 6:]).all()
    # Source center 3.5 is model 0.75 (of the crop), a quarter of the way from the first center to the second.
    assert on_source[3, 3] == pytest.approx(0.25 * 1 + 0.25 * 2)
    assert on_source[2, 2] == 0


@given(geometries())
def test_plain_values_bring_it_back(geometry):
    assert Geometry.from_dict(geometry.as_dict()) == geometry


def test_a_region_of_another_grid_is_refused():
    geometry = Geometry.resize((10, 10), (5, 5))
    with pytest.raises(ImageError, match=r"expected a region on the grid \(5, 5\); got one on \(10, 10\)"):
        geometry.region_to_source(np.zeros((10, 10), bool))
    with pytest.raises(ImageError, match="as many positive sides"):
        Geometry((8, 8), (4, 0), (2.0, 2.0), (0.0, 0.0))
