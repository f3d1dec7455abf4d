"""Scoring regions against planted cues: on regions laid by hand, against counts made another way."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from unveil.evaluation.planted.scoring import (
    RATES,
    Trial,
    TrialError,
    best_share,
    cut_at_area,
    cut_at_share,
    score_trials,
)
from unveil.planted import SIZE, Cue, Scene
from unveil.planted.scenes.suites import suite_scene

BLANK = np.zeros((SIZE, SIZE), bool)


def box(top: int, left: int, height: int = 10, width: int = 10) -> np.ndarray:
    inside = BLANK.copy()
    inside[top : top + height, left : left + width] = True
    return inside


A, B, C = box(10, 10), box(10, 60), box(80, 80, 20, 5)


def scene_with(*cues: np.ndarray, seed: int = 0) -> Scene:
    """A scene whose cues are where we want them."""
    real = suite_scene("absent", 840_000)
    planted = tuple(Cue("iris", "flower", inside, index) for index, inside in enumerate(cues))
    return dataclasses.replace(real, cues=planted, labels=("iris",) if cues else (), seed=seed)


def test_recall_by_round_and_precision():
    off = box(100, 5)
    rounds = ((A,), (off, box(10, 60, 4, 10)), (box(14, 60, 1, 10),))
    result = score_trials([Trial(scene_with(A, B, C), "iris", rounds)], 4).as_dict()
    assert result["recall_by_round"] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert result["recall"] == pytest.approx(2 / 3)
    assert result["precision"] == 3 / 4
    assert result["precision_area"] == 150 / 250
    assert result["area_per_cue_px"] == 250 / 2
    assert result["iou"] == pytest.approx((1 + 0.4 + 0) / 3)
    assert (result["cues"], result["regions"], result["trials"]) == (3, 4, 1)
    assert result["false_region_rate"] is None
    assert result["intervals"]["recall"] is None, "one scene has no spread"


def test_a_tenth_of_a_region_on_a_cue_is_enough():
    wide = box(10, 10, 10, 100)
    assert score_trials([Trial(scene_with(A), "iris", ((wide,),))], 1).as_dict()["precision"] == 1
    wider = box(10, 10, 10, 101)
    assert score_trials([Trial(scene_with(A), "iris", ((wider,),))], 1).as_dict()["precision"] == 0


def test_only_cues_of_the_explained_label_count():
    scene = dataclasses.replace(
        scene_with(A), cues=(Cue("iris", "flower", A, 0), Cue("poppy", "flower", B, 1)), labels=("poppy", "iris")
    )
    result = score_trials([Trial(scene, "poppy", ((A, B),))], 1).as_dict()
    assert (result["recall"], result["precision"], result["cues"]) == (1, 0.5, 1)


def test_scenes_without_evidence_count_for_one_rate_only():
    empty = scene_with()
    trials = [
        Trial(dataclasses.replace(empty, seed=1), "iris", ((A,), (B,))),
        Trial(dataclasses.replace(empty, seed=2), "iris", ((),)),
        Trial(dataclasses.replace(empty, seed=3), "iris", ()),
    ]
    result = score_trials(trials, 2).as_dict()
    assert result["false_region_rate"] == pytest.approx(1 / 3)
    assert all(result[name] is None for name in RATES if name != "false_region_rate")
    assert result["trials_without_evidence"] == 3
    # A label that is absent from a scene with others is one without evidence too.
    assert score_trials([Trial(scene_with(A), "poppy", ((A,),))], 1).as_dict()["false_region_rate"] == 1


def test_rims_are_false_and_near_earlier_regions():
    rim, far, cue_beside = box(21, 10, 3, 10), box(40, 100), box(10, 22)
    scene = scene_with(A, cue_beside)
    rounds = ((A,), (rim, far), (cue_beside,))
    assert score_trials([Trial(scene, "iris", rounds)], 3).as_dict()["rim_rate"] == 1 / 4
    # In the first round nothing was taken before.
    assert score_trials([Trial(scene, "iris", ((rim, A),))], 1).as_dict()["rim_rate"] == 0
    # By saliency: most of a region's is far from what was taken.
    long = box(21, 10, 40, 10)
    flat = np.ones((SIZE, SIZE))
    near = np.where(box(0, 0, 24, SIZE), 100.0, 1.0)
    rates = [
        score_trials([Trial(scene, "iris", ((A,), (long,)), maps=maps)], 2).as_dict()["rim_rate"]
        for maps in (None, (flat, flat), (flat, near))
    ]
    assert rates == [0, 0, 1 / 2]


def test_strongest_first_counts_the_first_round_that_finds_a_cue():
    scene = scene_with(A, B)
    for strengths, rounds, expected in (
        ((3.0, 1.0), ((A,), (B,)), 1),
        ((1.0, 3.0), ((A,), (B,)), 0),
        ((1.0, 3.0), ((box(50, 50),), (B,), (A,)), 1),
        ((1.0, 3.0), ((A, B),), 1),
        ((1.0, 3.0), ((),), 0),
        (None, ((A,),), None),
    ):
        assert (
            score_trials([Trial(scene, "iris", rounds, strengths=strengths)], 3).as_dict()["strongest_first"]
            == expected
        )
    assert (
        score_trials([Trial(scene_with(A), "iris", ((A,),), strengths=(1.0,))], 1).as_dict()["strongest_first"] is None
    )


def test_intervals_are_over_scenes():
    """Questions about one scene are drawn together: with them split over scenes the interval is narrower."""
    rng = np.random.default_rng(0)
    answers = [((A,),) if hit else ((),) for hit in rng.random(40) < 0.6]
    alone = [Trial(scene_with(A, seed=number), "iris", one) for number, one in enumerate(answers)]
    pairs = [Trial(scene_with(A, seed=number // 20), "iris", one) for number, one in enumerate(answers)]
    one, other = score_trials(alone, 1).as_dict(), score_trials(pairs, 1).as_dict()
    assert one["recall"] == other["recall"] == np.mean([bool(answer[0]) for answer in answers])
    low, high = one["intervals"]["recall"]
    assert low < one["recall"] < high
    p = one["recall"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 40), rel=0.25)
    assert (one["scenes"], other["scenes"]) == (40, 2)


def test_regions_that_do_not_belong_to_a_scene_are_refused():
    scene = scene_with(A, B)
    with pytest.raises(TrialError, match=r"grid \(128, 128\); got one on \(4, 4\)"):
        Trial(scene, "iris", ((np.zeros((4, 4), bool),),))
    with pytest.raises(TrialError, match="1 maps, one per round; got 2"):
        Trial(scene, "iris", ((A,),), maps=(np.ones((SIZE, SIZE)),) * 2)
    with pytest.raises(TrialError, match="2 strengths, one per cue; got 1 strengths"):
        Trial(scene, "iris", ((A,),), strengths=(1.0,))
    with pytest.raises(TrialError, match="at least one trial; got none"):
        score_trials([], 1)


MAPS = hnp.arrays(np.float64, (12, 12), elements=st.integers(0, 9).map(float))


@given(MAPS, st.integers(0, 144), st.integers(1, 6))
def test_cut_at_an_area(saliency, area, least):
    parts = cut_at_area(saliency, area, 1)
    union = np.logical_or.reduce([np.zeros((12, 12), bool), *parts])
    assert union.sum() == min(area, np.count_nonzero(saliency))
    if union.any() and not union.all():
        assert saliency[union].min() >= saliency[~union].max()
    structure = np.ones((3, 3))
    assert all(ndimage.label(part, structure)[1] == 1 for part in parts)
    assert sum(part.sum() for part in parts) == union.sum()
    assert ndimage.label(union, structure)[1] == len(parts)
    larger = cut_at_area(saliency, area, least)
    assert [part.sum() for part in larger] == sorted(
        (part.sum() for part in parts if part.sum() >= least), reverse=True
    )


@given(MAPS, st.floats(0.05, 1))
def test_cut_at_a_share_of_the_largest(saliency, share):
    union = np.logical_or.reduce([np.zeros((12, 12), bool), *cut_at_share(saliency, share)])
    expected = {(y, x) for y in range(12) for x in range(12) if 0 < saliency[y, x] >= share * saliency.max()}
    assert set(zip(*np.nonzero(union), strict=True)) == expected


def test_the_best_share_separates_cues_from_the_background():
    saliency = np.where(A, 1.0, np.where(B, 0.4, np.where(box(60, 20), 0.2, 0.0)))
    requested = [(scene_with(A, B), "iris")]
    assert best_share([saliency], requested, (0.1, 0.3, 0.5), 1) == 0.3
    assert best_share([saliency], [(scene_with(A), "iris")], (0.1, 0.3, 0.5), 1) == 0.5
    assert best_share([BLANK.astype(float)], requested, (0.1, 0.3), 1) == 0.1
