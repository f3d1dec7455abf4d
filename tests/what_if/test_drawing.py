"""Drawings refuse what can't be drawn, with one error that says what to do."""

import math

import pytest

from unveil.errors import RecordError
from unveil.what_if import Drawing, Stroke, StrokeKind

BRUSH = Stroke(StrokeKind.BRUSH, ((1.0, 2.0),), width_px=3.0)
ERASER = Stroke(StrokeKind.ERASER, ((1.0, 2.0),), width_px=3.0)


@pytest.mark.parametrize(
    ("kind", "points", "width_px", "region", "message"),
    [
        ("brush", [], 3, None, "1 to 5000 points in a brush; got 0"),
        ("brush", [(1, 2)] * 5001, 3, None, "1 to 5000 points in a brush; got 5001; split"),
        ("lasso", [(1, 2), (3, 4)], None, None, "3 to 5000 points in a lasso; got 2"),
        ("brush", [(math.nan, 2)], 3, None, "coordinates from -1000000 to 1000000 px; got nan"),
        ("brush", [(1, math.inf)], 3, None, "coordinates from -1000000 to 1000000 px; got inf"),
        ("brush", [(1, -1.1e6)], 3, None, "coordinates from -1000000 to 1000000 px; got -1100000.0"),
        ("brush", [(1, 2)], None, None, "a brush with width_px; got None; 12 is a usual width"),
        ("eraser", [(1, 2)], 0, None, "a width above 0 and up to 100000 px; got 0"),
        ("brush", [(1, 2)], math.nan, None, "a width above 0 and up to 100000 px; got nan"),
        ("brush", [(1, 2)], math.inf, None, "a width above 0 and up to 100000 px; got inf"),
        ("lasso", [(1, 2), (3, 4), (5, 0)], 3, None, "a lasso without width_px; got 3; leave it out"),
        ("region", [], None, None, "a stroke of kind region with the id of a region; got None; such as r2.1"),
        ("region", [(1, 2)], None, "r1.1", "a stroke of kind region without points; got 1"),
        ("region", [], 4, "r1.1", "a region without width_px; got 4"),
        ("region", [], None, "r" * 61, "the id of a region, such as r2.1; got 'rrr"),
        ("brush", [(1, 2)], 3, "r1.1", "a stroke of kind brush without the id of a region; got 'r1.1'"),
    ],
)
def test_strokes_that_cannot_be_drawn_are_refused(kind, points, width_px, region, message):
    with pytest.raises(RecordError) as raised:
        Stroke(StrokeKind(kind), tuple(points), width_px, region)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_drawings_that_hide_nothing_are_refused():
    with pytest.raises(RecordError, match="a drawing with a brush, a lasso or a region; got no stroke"):
        Drawing(())
    with pytest.raises(RecordError, match="a drawing with a brush, a lasso or a region; got only erasers"):
        Drawing((ERASER, ERASER))


def test_drawings_have_limits():
    assert len(Drawing((BRUSH,) * 200).strokes) == 200
    with pytest.raises(RecordError, match="at most 200 strokes; got 201"):
        Drawing((BRUSH,) * 201)
    long = Stroke(StrokeKind.BRUSH, ((1.0, 2.0),) * 5000, width_px=3.0)
    assert len(Drawing((long,) * 20).strokes) == 20
    with pytest.raises(RecordError, match="at most 100000 points in all strokes; got 100001"):
        Drawing((*(long,) * 20, BRUSH))


def test_regions_are_listed_once():
    strokes = tuple(Stroke(StrokeKind.REGION, region=name) for name in ("r2.1", "r1.1", "r2.1"))
    assert Drawing(strokes).regions == ("r2.1", "r1.1")
