"""Scores of regions laid by hand on a mosaic of four tiles, with counts derived by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colored_photographs import MEAN

from unveil.classifiers import Preprocessing
from unveil.evaluation.mosaics.drawing import MosaicCanvas, Piece
from unveil.evaluation.mosaics.kinds import Kind
from unveil.evaluation.mosaics.photographs import Photograph
from unveil.evaluation.mosaics.pool import Mosaic
from unveil.evaluation.mosaics.scoring import (
    MosaicScore,
    NamedRegion,
    compare_found,
    score_mosaic,
    summarize_mosaics,
)
from unveil.masks import Mask
from unveil.records import Verdict

NOWHERE = Path("nowhere.png")  # isn't read
CANVAS = MosaicCanvas(Preprocessing.square(20, MEAN, (1.0, 1.0, 1.0)))
SUPPORTED, WEAK, ARTIFACT = Verdict.SUPPORTED, Verdict.WEAK, Verdict.ARTIFACT


def mosaic(*labels: int, number: int = 0) -> Mosaic:
    """2 x 2 tiles of 10 px with these labels, row by row."""
    places = CANVAS.places(2)
    return Mosaic(
        Kind.SHARED,
        number,
        tuple(
            Piece(Photograph(f"p{label}", NOWHERE, label, label), *place, place[2])
            for label, place in zip(labels, places, strict=True)
        ),
        CANVAS,
    )


def region(label: int, top: int, left: int, height: int, width: int, *, number=1, verdict=None) -> NamedRegion:
    """A rectangle with a label."""
    inside = np.zeros((20, 20), bool)
    inside[top : top + height, left : left + width] = True
    return NamedRegion(label, Mask.from_array(inside), number, verdict)


# Labels 1 and 2 in the upper row, 3 twice in the lower row: three labels are present.
REGIONS = (
    region(1, 0, 0, 4, 5, number=1, verdict=WEAK),  # in its tile: found in round 1
    region(1, 0, 10, 2, 5, number=2, verdict=SUPPORTED),  # in another tile
    region(3, 10, 5, 4, 10, number=3, verdict=SUPPORTED),  # across both tiles of 3: found in round 3
    region(2, 5, 10, 4, 4, number=3, verdict=ARTIFACT),  # in its tile, but marked: not found
    region(7, 0, 0, 3, 3, number=4, verdict=WEAK),  # invented
    region(7, 0, 0, 2, 2, number=5, verdict=ARTIFACT),  # marked, but label 7 has another region
    region(8, 0, 0, 3, 3, number=4, verdict=ARTIFACT),  # invented, and marked
)
SCORE = score_mosaic(mosaic(1, 2, 3, 3), REGIONS, 2.0, 10)


def test_counts_of_one_mosaic():
    assert SCORE.present == (1, 2, 3)
    assert SCORE.found == {1: 1, 3: 3}
    assert SCORE.invented == (7,)
    assert SCORE.marked == (2, 8)
    # Label 1: 20 + 10 px, label 3: 40 px, label 7: 9 px of the region that isn't marked.
    assert SCORE.areas_px == {1: 30, 3: 40, 7: 9}
    assert SCORE.mean_area_px == round(79 / 3)


def test_half_of_the_area_is_enough():
    """10 px high across the border of two tiles: 5 px on each side, then 4 in the own one."""
    for own_height, is_found in ((5, True), (4, False)):
        score = score_mosaic(mosaic(1, 2, 3, 4), [region(1, 10 - own_height, 0, 10, 3)], 1.0, 10)
        assert bool(score.found) is is_found
        assert score.regions[0].own_share == own_height / 10


def test_an_empty_region_finds_nothing():
    empty = NamedRegion(1, Mask.empty((20, 20)))
    assert score_mosaic(mosaic(1, 2, 3, 4), [empty], 1.0, 10).found == {}


def test_the_row_of_two_mosaics():
    second = score_mosaic(
        mosaic(1, 2, 4, 5, number=1), [region(2, 0, 10, 9, 9), region(2, 0, 10, 3, 3, number=2)], 4.0, 31
    )
    row = summarize_mosaics([SCORE, second], 0)
    interval = row.pop("found_share_95"), row.pop("invented_per_mosaic_95")
    assert row == {
        "mosaics": 2,
        "labels_present": 3 + 4,
        "labels_found": 2 + 1,
        "labels_invented": 1,
        "labels_marked": 2,
        "labels_marked_present": 1,
        "labels_of_fillers": 0,
        "found_share": 3 / 7,
        "invented_per_mosaic": 0.5,
        "found_by_round": [2 / 7, 2 / 7, 3 / 7, 3 / 7, 3 / 7],
        "verdicts": {
            "supported": {"own": 1, "other": 1},
            "weak": {"own": 1, "other": 1},
            "artifact": {"own": 1, "other": 2},
            "none": {"own": 2, "other": 0},
        },
        "seconds": 3.0,
        "passes": (10 + 31) / 2,
    }
    # Two mosaics: each is drawn twice, or both once.
    assert interval == ([1 / 4, 2 / 3], [0, 1])


def test_the_lead_over_a_rival():
    rival = score_mosaic(mosaic(1, 2, 3, 3), [region(2, 0, 10, 5, 5)], 1.0, 10)
    assert compare_found([SCORE], [rival], 0).value == pytest.approx((2 - 1) / 3)


def test_the_label_of_a_filler_is_neither_found_nor_invented():
    """Labels 1 and 2 in the upper row, and fillers with labels 3 and 4 in the lower row."""
    plain = mosaic(1, 2, 3, 4)
    pieces = tuple(replace(piece, is_filler=piece.top == 10) for piece in plain.pieces)
    regions = [
        region(1, 0, 0, 4, 4, verdict=SUPPORTED),
        region(3, 10, 0, 5, 5, verdict=SUPPORTED),  # the filler's own label in its tile
        region(4, 10, 10, 5, 5, verdict=ARTIFACT),  # the same, but marked
        region(9, 10, 0, 3, 3, verdict=WEAK),  # another label in a filler's tile: invented
    ]
    score = score_mosaic(replace(plain, pieces=pieces), regions, 1.0, 1)
    assert (score.present, score.fillers) == ((1, 2), (3, 4))
    assert (score.found, score.invented, score.marked, score.named_fillers) == ({1: 1}, (9,), (), (3, 4))
    row = summarize_mosaics([score], 0)
    assert (row["found_share"], row["invented_per_mosaic"]) == (1 / 2, 1)
    assert (row["labels_invented"], row["labels_marked"], row["labels_of_fillers"]) == (1, 0, 2)
    assert {name: tuple(counts.values()) for name, counts in row["verdicts"].items()} == {
        "supported": (1, 0),
        "weak": (0, 1),
        "artifact": (0, 0),
    }
    assert MosaicScore.from_dict(score.as_dict()) == score


def test_scores_are_the_same_after_json():
    assert MosaicScore.from_dict(SCORE.as_dict()) == SCORE
    without = SCORE.as_dict()
    del without["fillers"]  # as before there were fillers
    assert MosaicScore.from_dict(without) == SCORE
