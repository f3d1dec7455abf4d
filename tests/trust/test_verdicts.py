"""Verdicts at their levels: every test alone decides, just on either side of its level."""

import numpy as np
import pytest

from unveil.masks import Mask
from unveil.records import Region, Verdict
from unveil.targets import TargetScore
from unveil.trust.erasure import BoundaryShare, FillAgreement
from unveil.trust.placement import PlacementResult
from unveil.trust.verdicts import judge


def region(drop: float = 2.0, rim: float = 0.1) -> Region:
    mask = Mask.from_array(np.ones((3, 3), dtype=bool))
    return Region(TargetScore("a", ((0, 1.0),)), mask, mask, None, drop, 0.0, None, None, None, 0.0, rim)


CUE, RIM, NO_DROP = region(), region(rim=0.7), region(drop=0.0)
AGREE, DISAGREE = FillAgreement((1.9, 2.0), 0.5), FillAgreement((0.9, 2.0), 0.49)
RARE = PlacementResult(1 / 40, 39)
INSIDE, HALF, EDGE = (
    BoundaryShare(0.59, 0.2),
    BoundaryShare(0.6, 0.2),
    BoundaryShare(0.9, 0.2),
)  # half-way between .2 and 1 is .6


@pytest.mark.parametrize(
    ("one", "q", "agreement", "border", "verdict"),
    [
        (CUE, 0.1, AGREE, INSIDE, Verdict.SUPPORTED),
        (CUE, 0.1, AGREE, None, Verdict.SUPPORTED),  # no rim to erase alone
        (RIM, 0.1, AGREE, INSIDE, Verdict.SUPPORTED),  # at a rim, but what it does is beyond doubt
        (CUE, 0.11, AGREE, INSIDE, Verdict.WEAK),
        (CUE, 0.1, DISAGREE, INSIDE, Verdict.WEAK),
        (NO_DROP, 0.1, AGREE, INSIDE, Verdict.WEAK),
        (CUE, 0.1, AGREE, HALF, Verdict.WEAK),
        (CUE, 0.1, AGREE, EDGE, Verdict.WEAK),  # no fill disagrees: the drop is there, wherever it comes from
        (CUE, 0.1, DISAGREE, HALF, Verdict.WEAK),
        (CUE, 0.1, DISAGREE, EDGE, Verdict.ARTIFACT),
        (CUE, 0.11, DISAGREE, EDGE, Verdict.WEAK),  # no more than elsewhere: nothing to call an edge's
        (RIM, 0.11, AGREE, INSIDE, Verdict.ARTIFACT),
        (RIM, 0.1, DISAGREE, INSIDE, Verdict.ARTIFACT),
    ],
)
def test_levels(one, q, agreement, border, verdict):
    result, reason = judge(one, RARE, q, 0.1, agreement, border)
    assert result is verdict
    assert reason


def test_a_shape_that_fits_nowhere_else_is_weak_and_at_a_rim_an_artifact():
    for one, verdict in ((CUE, Verdict.WEAK), (RIM, Verdict.ARTIFACT)):
        result, reason = judge(one, PlacementResult(None, 0), None, 0.1, AGREE, INSIDE)
        assert result is verdict
        assert "fits nowhere else" in reason


@pytest.mark.parametrize(
    ("null", "q", "agreement", "border", "reason"),
    [
        (
            RARE,
            0.025,
            AGREE,
            INSIDE,
            "its drop is larger than at all 39 other places tried, and other fills agree (50%)",
        ),
        (
            PlacementResult(2 / 40, 39, 1),
            0.1,
            AGREE,
            None,
            "1 of 39 other places lower the score as much, and other fills agree (50%)",
        ),
        (
            PlacementResult(1 / 8, 7),
            0.125,
            AGREE,
            INSIDE,
            "its shape fits only 7 other places, too few to show that its drop is unusual (q = 0.12)",
        ),
        (
            PlacementResult(5 / 40, 39, 4),
            0.125,
            AGREE,
            INSIDE,
            "4 of 39 other places lower the score as much (q = 0.12)",
        ),
        (
            RARE,
            0.025,
            DISAGREE,
            EDGE,
            "90% of its drop remains when only its boundary is erased; its drop depends on the fill: +2.00 with the run's "
            "own, +0.90, +2.00 with others",
        ),
        (RARE, 0.025, AGREE, HALF, "60% of its drop remains when only its boundary is erased"),
    ],
)
def test_reasons_in_words(null, q, agreement, border, reason):
    assert judge(CUE, null, q, 0.1, agreement, border)[1] == reason


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1.0, "100% of its drop remains when only its boundary is erased"),
        (1.5, "150% of its drop remains when only its boundary is erased"),
        (1.51, "erasing only its boundary lowers the score 1.5 times as much as erasing all of it"),
        (9.94, "erasing only its boundary lowers the score 9.9 times as much as erasing all of it"),
        (9.96, "erasing only its boundary lowers the score 10 times as much as erasing all of it"),
        (27.06, "erasing only its boundary lowers the score 27 times as much as erasing all of it"),
        (3e6, "erasing only its boundary lowers the score more than 100 times as much as erasing all of it"),
    ],
)
def test_more_than_the_whole_drop_is_said_as_a_multiple(share, said):
    boundary = BoundaryShare(share, 0.2)
    assert judge(CUE, RARE, 0.025, 0.1, AGREE, boundary) == (Verdict.WEAK, said)
    doubtful = judge(CUE, PlacementResult(5 / 40, 39, 4), 0.125, 0.1, AGREE, boundary)[1]
    assert doubtful == f"{said}; 4 of 39 other places lower the score as much (q = 0.12)"
