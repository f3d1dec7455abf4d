"""Which objects regions hit, on grids drawn by hand."""

import numpy as np
from objects import hits, share


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    inside = np.zeros((20, 20), dtype=bool)
    inside[top : top + height, left : left + width] = True
    return inside


def test_a_quarter_of_the_box_is_covered_by_all_regions_together():
    thing = box(0, 0, 8, 8)
    left, right = box(0, 0, 8, 1), box(0, 7, 8, 1)
    assert hits((left,), [thing])["covered"] == 0, "8 of 64"
    assert hits((left, right), [thing])["covered"] == 1, "16 of 64 are a quarter"


def test_one_region_has_half_of_itself_in_the_box():
    thing = box(0, 0, 4, 4)
    assert hits((box(0, 0, 2, 8),), [thing])["iobb"] == 1, "8 of 16"
    assert hits((box(0, 0, 2, 9),), [thing])["iobb"] == 0, "8 of 18"
    assert hits((box(0, 0, 2, 9), box(0, 0, 1, 1)), [thing])["iobb"] == 1, "any region will do"
    assert hits((box(10, 10, 2, 2),), [thing, box(9, 9, 4, 4), box(11, 11, 9, 9)])["iobb"] == 1


def test_nothing_hits_nothing():
    assert hits((), [box(0, 0, 4, 4)]) == {"covered": 0, "iobb": 0}
    assert hits((box(0, 0, 4, 4),), []) == {"covered": 0, "iobb": 0}


def test_shares_are_counted_first_and_divided_last():
    found = share([(1, 1), (0, 3)], ["a", "b"])
    assert found["value"] == 0.25, "1 of 4 objects, not the mean of 1 and 0"
    low, high = found["interval"]
    assert 0 <= low <= 0.25 <= high <= 1
    assert share([(0, 0)], ["a"]) == {"value": None, "interval": None}
