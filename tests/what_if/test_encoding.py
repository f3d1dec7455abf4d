"""Plain values of drawings and answers: round trips, and one clear error for whatever was damaged."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawings import DRAWING, WHAT_IF
from unveil.errors import RecordError
from unveil.what_if import Drawing, Stroke, StrokeKind, WhatIf


def through_json(values: dict) -> dict:
    return json.loads(json.dumps(values, allow_nan=False))


def test_values_come_back():
    assert Drawing.from_dict(through_json(DRAWING.as_dict())) == DRAWING
    assert WhatIf.from_dict(through_json(WHAT_IF.as_dict())) == WHAT_IF


def test_strokes_may_hold_null_for_what_does_not_apply():
    """As a page sends them."""
    strokes = [
        {"kind": "brush", "points": [[1, 2]], "width_px": 3, "region": None},
        {"kind": "region", "points": [], "width_px": None, "region": "r1.1"},
    ]
    drawing = Drawing.from_dict({"strokes": strokes})
    assert drawing.strokes == (
        Stroke(StrokeKind.BRUSH, ((1.0, 2.0),), width_px=3.0),
        Stroke(StrokeKind.REGION, region="r1.1"),
    )


def test_what_follows_from_an_answer_is_in_its_plain_values():
    values = WHAT_IF.as_dict()
    assert (values["drop"], values["is_tested"], values["target"]) == (2.1, True, "mass − wolf")
    assert values["labels"][0]["change"] == -0.5
    assert values["sentence"] == (
        "Hiding it lowers the score of mass − wolf by 2.10; 1 of 39 other places lower it as much (p = 0.050)."
    )
    assert values["notes"] == [
        "25% of the drawing lies in margins that the model's crop leaves out",
        "stroke 2 is too small: it covers the center of no pixel of the model's grid",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "the what-if of version 1 at most; got version 2; update unveil"),
        ({"format": "unveil run"}, "the what-if of the format 'unveil what-if'; got 'unveil run'; check the path"),
        ({"format": None}, "'format' in the what-if to be a text; got None; repeat it: unveil what-if"),
        ({"on": "later"}, "'on' in the what-if to be one of original, erased; got 'later'"),
        ({"area_px": 0}, "'area_px' in the what-if to be from 1 to"),
        ({"area_share": 1.5}, "'area_share' in the what-if to be a number from 0 to 1; got 1.5"),
        ({"score_after": "high"}, "'score_after' in the what-if to be a number; got 'high'"),
        ({"target_weights": [[0.5, 1.0]]}, "'target_weights' in the what-if to be pairs of a class index and a weight"),
        ({"target_weights": []}, "pairs of a class index and a weight; got []"),
        ({"exceeding": 40}, "'exceeding' in the what-if to be at most the number of placements, 39; got 40"),
        ({"p_value": None}, "'p_value' in the what-if to be null if there is no placement, else a number; got None"),
        ({"placements": None, "exceeding": 0}, "'p_value' in the what-if to be null if there is no placement"),
        ({"p_value": 1.2}, "'p_value' in the what-if to be a number from 0 to 1; got 1.2"),
        ({"drawing": {"version": 3}}, "the drawing in the what-if of version 1 at most; got version 3"),
        ({"drawing": {}}, "the key 'strokes' in the drawing in the what-if; got no such key; draw again"),
        ({"recipe": {}}, "the key 'recipe.fill' in the what-if; got no such key"),
        ({"labels": [{}]}, "the key 'labels[0].class_index' in the what-if; got no such key"),
    ],
)
def test_answers_that_were_changed_are_refused(change, message):
    with pytest.raises(RecordError) as raised:
        WhatIf.from_dict({**WHAT_IF.as_dict(), **change})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([3], "'strokes[0]' in the drawing to be a table; got 3"),
        ([{}], "the key 'strokes[0].kind' in the drawing; got no such key"),
        ([{"kind": "pen"}], "'strokes[0].kind' in the drawing to be one of brush, eraser, lasso, region; got 'pen'"),
        (
            [{"kind": "brush", "points": [[1, "2"]], "width_px": 3}],
            "'strokes[0].points[0][1]' in the drawing to be a number",
        ),
        (
            [{"kind": "brush", "points": [[1]], "width_px": 3}],
            "'strokes[0].points[0]' in the drawing to be a pair [y, x]; got [1.0]",
        ),
        (
            [{"kind": "brush", "points": [[1, 2, 3]], "width_px": 3}],
            "'strokes[0].points[0]' in the drawing to be a pair [y, x]; got [1.0, 2.0, 3.0]",
        ),
        (
            [{"kind": "brush", "points": [[float("nan"), 2]], "width_px": 3}],
            "coordinates from -1000000 to 1000000 px; got nan",
        ),
        ([{"kind": "brush", "points": [[10**400, 2]], "width_px": 3}], "in the drawing to be a number"),
        (
            [{"kind": "brush", "points": "12", "width_px": 3}],
            "'strokes[0].points' in the drawing to be a list; got '12'",
        ),
        (
            [{"kind": "brush", "points": [[1, 2]], "width_px": True}],
            "'strokes[0].width_px' in the drawing to be a number",
        ),
        ([{"kind": "region", "region": ["r1.1"]}], "'strokes[0].region' in the drawing to be a text"),
    ],
)
def test_drawings_that_were_changed_are_refused(strokes, message):
    with pytest.raises(RecordError) as raised:
        Drawing.from_dict({"strokes": strokes})
    assert message in str(raised.value)


def places(values: object, place: tuple = ()) -> list[tuple]:
    """The ways to all values in nested tables and lists."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [place] * bool(place) + [way for key, item in items for way in places(item, (*place, key))]


PLACES = places(WHAT_IF.as_dict())
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.just({}),
)


@given(st.sampled_from(PLACES), OTHERS, st.booleans())
def test_any_change_gives_an_answer_or_one_line(place, other, removed):
    """One value anywhere is replaced or removed: what comes out is an answer that can be written again, or an error."""
    values = copy.deepcopy(WHAT_IF.as_dict())
    *way, last = place
    inner = values
    for key in way:
        inner = inner[key]
    if removed:
        del inner[last]
    else:
        inner[last] = other
    try:
        what_if = WhatIf.from_dict(values)
    except RecordError as error:
        assert "\n" not in str(error)
        assert error.expected and error.got and error.do
        return
    assert WhatIf.from_dict(what_if.as_dict()) == what_if
    assert 0 <= what_if.area_share <= 1 + 1e-6


@given(
    st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers()))
)
def test_whatever_is_no_drawing_is_refused(values):
    with pytest.raises(RecordError):
        Drawing.from_dict(values)
    with pytest.raises(RecordError):
        WhatIf.from_dict(values)


@given(st.integers(1, 6), st.data())
def test_drawn_numbers_keep_their_bits(count, data):
    numbers = st.floats(-1e6, 1e6)
    points = tuple((data.draw(numbers), data.draw(numbers)) for _ in range(count))
    drawing = Drawing((Stroke(StrokeKind.BRUSH, points, width_px=data.draw(st.floats(1e-9, 1e5))),))
    again = Drawing.from_dict(through_json(drawing.as_dict()))
    assert np.array(again.strokes[0].points).tobytes() == np.array(drawing.strokes[0].points).tobytes()
