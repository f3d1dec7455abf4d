"""Drawings on the model's grid: order of strokes, erasers, regions, crops, volumes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unveil.errors import RecordError
from unveil.images.geometry import Geometry
from unveil.what_if import Drawing, Stroke, StrokeKind, draw_pixels

SOURCE = (40, 50)
REGION = np.zeros((16, 16), dtype=bool)
REGION[3:9, 2:12] = True
# 20 x 25, of which the middle 16 x 16 are seen: rows 4 to 36 and columns 8 to 40 of the source.
CROP = Geometry.resize(SOURCE, (20, 25)).then_crop((2, 4), (16, 16))


def brush(*points: tuple[float, float], width_px: float = 8.0) -> Stroke:
    return Stroke(StrokeKind.BRUSH, points, width_px=width_px)


def eraser(*points: tuple[float, float], width_px: float = 8.0) -> Stroke:
    return Stroke(StrokeKind.ERASER, points, width_px=width_px)


def region(name: str = "r1.1") -> Stroke:
    return Stroke(StrokeKind.REGION, region=name)


def lasso(*points: tuple[float, float]) -> Stroke:
    return Stroke(StrokeKind.LASSO, points)


def drawn(*strokes: Stroke, geometry: Geometry = CROP) -> np.ndarray:
    return draw_pixels(Drawing(strokes), geometry, {"r1.1": REGION}).inside


def painted_on_the_source(stroke: Stroke) -> np.ndarray:
    """The pixels with a center near one of 401 points of each segment."""
    inside = np.zeros((16, 16), dtype=bool)
    for row, column in np.ndindex(16, 16):
        y, x = 4 + 2 * (row + 0.5), 8 + 2 * (column + 0.5)
        nearest = min(
            np.hypot(y - (a[0] + t * (b[0] - a[0])), x - (a[1] + t * (b[1] - a[1])))
            for a, b in zip(stroke.points, stroke.points[1:] or stroke.points, strict=False)
            for t in np.linspace(0, 1, 401)
        )
        inside[row, column] = nearest <= (stroke.width_px or 0) / 2 + 1e-3
    return inside


def test_a_brush_covers_the_model_pixels_below_it_through_crop_and_scale():
    stroke = brush((10, 12), (22.5, 30.25), (22.5, 44), width_px=7)
    np.testing.assert_array_equal(drawn(stroke), painted_on_the_source(stroke))


def test_a_squashed_image_has_brushes_that_are_round_on_the_source():
    """On a grid of 20 x 5 for 40 x 50 pixels, a disc of 20 px is 10 rows high and 2 columns wide."""
    inside = drawn(brush((20, 25), width_px=20), geometry=Geometry.resize(SOURCE, (20, 5)))
    rows, columns = inside.any(1), inside.any(0)
    assert (np.count_nonzero(rows), np.count_nonzero(columns)) == (10, 1)
    assert inside[:, 2].tolist() == [5 <= row < 15 for row in range(20)]


STROKES = st.one_of(
    st.builds(
        lambda y, x, width: brush((y, x), (y + 5, x + 9), width_px=width), *[st.integers(0, 40)] * 2, st.integers(1, 20)
    ),
    st.builds(
        lambda y, x, width: eraser((y, x), (y + 9, x), width_px=width), *[st.integers(0, 40)] * 2, st.integers(1, 20)
    ),
    st.builds(lambda y, x: lasso((y, x), (y + 15, x + 4), (y, x + 20)), *[st.integers(0, 30)] * 2),
    st.just(region()),
)


@given(
    st.lists(STROKES, min_size=1, max_size=6).filter(
        lambda all_: any(one.kind is not StrokeKind.ERASER for one in all_)
    )
)
def test_strokes_count_in_their_order(strokes):
    """Each stroke alone, then set operations one after the other, pixel by pixel."""
    expected = set()
    for stroke in strokes:
        # An eraser can't be drawn alone: what a brush on the same path covers.
        alone = brush(*stroke.points, width_px=stroke.width_px) if stroke.kind is StrokeKind.ERASER else stroke
        pixels = {tuple(index) for index in np.argwhere(drawn(alone))}
        expected = expected - pixels if stroke.kind is StrokeKind.ERASER else expected | pixels
    assert {tuple(index) for index in np.argwhere(drawn(*strokes))} == expected


def test_an_eraser_takes_from_what_was_there_before_it_only():
    before, after = drawn(brush((20, 20)), eraser((20, 20), width_px=30)), drawn(eraser((20, 20)), brush((20, 20)))
    assert not before.any()
    np.testing.assert_array_equal(after, drawn(brush((20, 20))))


def test_a_region_is_its_own_mask():
    np.testing.assert_array_equal(drawn(region()), REGION)
    np.testing.assert_array_equal(
        drawn(region(), eraser((10, 10), width_px=6)), REGION & ~drawn(brush((10, 10), width_px=6))
    )


def test_what_a_crop_leaves_out_is_counted():
    """Columns 2 to 14 of rows 10 to 20, as 5 rows of 6 pixels of 2 x 2; the model's grid begins at column 8."""
    pixels = draw_pixels(Drawing((lasso((10, 2), (10, 14), (20, 14), (20, 2)),)), CROP, {})
    assert (int(pixels.inside.sum()), pixels.outside_px, pixels.outside_share) == (15, 15, 0.5)


def test_what_lies_outside_of_the_image_is_nothing():
    """A brush over the edge of an image that the model gets as a whole leaves nothing out."""
    pixels = draw_pixels(Drawing((brush((0, 25), width_px=12),)), Geometry.resize(SOURCE, (20, 25)), {})
    assert (pixels.outside_px, int(pixels.inside.sum())) == (0, int(np.count_nonzero(pixels.inside[:3])))
    assert pixels.inside.any()


def test_strokes_that_fall_between_centers_are_named():
    thin = brush((12, 12), width_px=0.5)
    pixels = draw_pixels(
        Drawing((region(), thin, brush((20, 20)), lasso((9, 9), (9, 9), (9, 9)))), CROP, {"r1.1": REGION}
    )
    assert pixels.empty_strokes == (2, 4)


def test_padding_can_be_drawn_on():
    """A grid that reaches beyond the image: pixels there are the model's too."""
    geometry = Geometry.resize(SOURCE, (20, 25)).then_crop((-4, -2), (28, 29))
    inside = drawn(lasso((-8, 0), (-8, 10), (4, 10), (4, 0)), geometry=geometry)
    assert {tuple(index) for index in np.argwhere(inside)} == {
        (row, column) for row in range(6) for column in range(2, 7)
    }


def test_an_unknown_region_is_refused_with_the_known_ones():
    with pytest.raises(
        RecordError, match=r"expected the id of a region of this run \(r1.1\); got 'r2.1'; take it from"
    ):
        drawn(region("r2.1"))
    with pytest.raises(RecordError, match="expected a region that the run has found; got 'r1.1'"):
        draw_pixels(Drawing((region(),)), CROP, {})


def test_volumes_take_regions_and_nothing_else():
    inside = np.zeros((4, 6, 8), dtype=bool)
    inside[1:3, 2:4, 5:7] = True
    geometry = Geometry.resize((8, 12, 16), (4, 6, 8))
    masks = {"r1.1": inside, "r1.2": ~inside}
    np.testing.assert_array_equal(draw_pixels(Drawing((region(),)), geometry, masks).inside, inside)
    assert draw_pixels(Drawing((region(), region("r1.2"))), geometry, masks).inside.all()
    with pytest.raises(RecordError, match="expected strokes of kind region on a volume; got a brush; name regions"):
        draw_pixels(Drawing((region(), brush((3, 4)))), geometry, masks)


def test_a_drawing_of_the_largest_size_is_drawn():
    """100,000 points in 20 strokes: those of a spiral, against the ring that they fill."""
    turns = np.linspace(0, 400 * np.pi, 100_000)
    radius = np.linspace(5, 15, 100_000)
    points = np.stack([20 + radius * np.sin(turns), 25 + radius * np.cos(turns)], axis=1)
    strokes = [
        brush(*map(tuple, points[first : first + 5000].tolist()), width_px=1) for first in range(0, 100_000, 5000)
    ]
    inside = draw_pixels(Drawing(tuple(strokes)), Geometry.identity(SOURCE), {}).inside
    y, x = np.mgrid[:40, :50] + 0.5
    distance = np.hypot(y - 20, x - 25)
    clear = (np.abs(distance - 4.5) > 0.1) & (np.abs(distance - 15.5) > 0.1)
    np.testing.assert_array_equal(inside[clear], ((distance > 4.5) & (distance < 15.5))[clear])
