"""Masks: the algebra of sets, the run-length code, components and distances, compared with numpy or a slow twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from unveil.errors import RecordError
from unveil.masks import Box, Mask, components, distance_px, union

SHAPE = (5, 7)
SETS = st_numpy.arrays(bool, SHAPE)
ANY_SHAPE = st_numpy.arrays(bool, st_numpy.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6))


@given(ANY_SHAPE)
def test_encoding_and_decoding_are_inverse(inside):
    mask = Mask.from_array(inside)
    assert np.array_equal(mask.to_array(), inside)
    assert mask.to_array().shape == inside.shape
    assert mask.area_px == int(inside.sum())


@given(ANY_SHAPE)
def test_the_run_length_code_is_the_documented_one(inside):
    """Lengths that alternate, beginning outside: counted here one pixel after the other."""
    runs, state = [0], False
    for value in inside.ravel().tolist():
        if value == state:
            runs[-1] += 1
        else:
            runs.append(1)
            state = value
    assert Mask.from_array(inside).runs == (tuple(runs) if inside.size else ())


@given(SETS, SETS, SETS)
def test_the_algebra_of_sets(a, b, c):
    x, y, z = (Mask.from_array(one) for one in (a, b, c))
    everything, nothing = Mask.from_array(np.ones(SHAPE, bool)), Mask.empty(SHAPE)
    assert x | y == y | x == Mask.from_array(a | b)
    assert x & y == y & x == Mask.from_array(a & b)
    assert x - y == x & ~y == Mask.from_array(a & ~b)
    assert ~~x == x
    assert ~(x | y) == ~x & ~y
    assert x & (y | z) == (x & y) | (x & z)
    assert (x | nothing, x & everything, x - x, x | ~x) == (x, x, nothing, everything)
    assert x.area_px + y.area_px == (x | y).area_px + (x & y).area_px


@given(SETS, SETS)
def test_intersection_over_union(a, b):
    one, other = ({tuple(at) for at in np.argwhere(inside)} for inside in (a, b))
    expected = len(one & other) / len(one | other) if one | other else 1.0
    assert Mask.from_array(a).iou(Mask.from_array(b)) == Mask.from_array(b).iou(Mask.from_array(a)) == expected


@given(SETS)
def test_the_box_touches_the_set_on_every_side(inside):
    box = Mask.from_array(inside).box
    if not inside.any():
        assert box is None
        return
    where = np.argwhere(inside)
    assert box == Box(tuple(where.min(0).tolist()), tuple((where.max(0) + 1).tolist()))
    assert box is not None
    assert box.size == tuple((np.ptp(where, 0) + 1).tolist())


def flood(inside: np.ndarray) -> set[frozenset[tuple[int, ...]]]:
    """Components by walking from pixel to pixel, corners included."""
    waiting = {tuple(at) for at in np.argwhere(inside).tolist()}
    result = set()
    while waiting:
        part, edge = set(), [next(iter(waiting))]
        while edge:
            at = edge.pop()
            if at in waiting:
                waiting.remove(at)
                part.add(at)
                steps = np.ndindex((3,) * inside.ndim)
                edge += [tuple(a + s - 1 for a, s in zip(at, step, strict=True)) for step in steps]
        result.add(frozenset(part))
    return result


@given(st_numpy.arrays(bool, st.sampled_from([(5, 7), (3, 4, 3)])))
def test_components_equal_those_of_a_flood_fill(inside):
    parts = Mask.from_array(inside).components()
    assert {frozenset(tuple(at) for at in np.argwhere(part.to_array()).tolist()) for part in parts} == flood(inside)
    areas = [part.area_px for part in parts]
    assert areas == sorted(areas, reverse=True)
    assert np.array_equal(union(components(inside), inside.shape), inside)


@given(SETS)
def test_the_distance_to_what_is_erased(erased):
    where = np.argwhere(erased)
    for at, got in np.ndenumerate(distance_px(erased)):
        expected = min((math.dist(at, other) for other in where), default=math.inf)
        assert got == pytest.approx(expected)


@pytest.mark.parametrize("runs", [(3, 0, 3), (2, 2), (-1, 7), (), (6, 0), (1, 2, 4)])
def test_invalid_run_lengths_are_refused(runs):
    with pytest.raises(RecordError, match="add up to 6"):
        Mask((2, 3), runs)


def test_masks_on_different_grids_are_refused():
    with pytest.raises(
        RecordError, match=r"one grid \(2, 2\); got a second one on \(2, 3\); bring both to source size"
    ):
        _ = Mask.empty((2, 2)) | Mask.empty((2, 3))
