"""What the regions of other images would hit: by hand, and by asking a twin with the image's own regions."""

import numpy as np
import pytest
from handmade import handmade, inside
from hypothesis import given, settings
from hypothesis import strategies as st

from unveil.datasets import LabeledBox
from unveil.evaluation.paper.box_hits import CRITERIA, box_hits
from unveil.evaluation.paper.hit_counts import summarize_hits
from unveil.evaluation.paper.other_images_baseline import MAX_OTHERS, hits_of_others, layout_of
from unveil.images import Geometry

SHAPE = (6, 8)
TARGETS = {"cat": [0], "dog": [1, 2]}  # of cat, pug, boxer
BOX = LabeledBox("cat", 1, 1, 4, 5)
IN_BOX, BESIDE = inside(SHAPE, slice(1, 5), slice(1, 6)), inside(SHAPE, slice(0, 6), slice(7, 8))


def share(shares, name: str) -> list[float]:
    """By round."""
    assert shares is not None
    return shares[CRITERIA.index(name)].tolist()


def run_with(*rounds, labels=("cat", "pug", "boxer"), **more):
    return handmade(labels, [[0.0] * len(labels)] * (len(rounds) + 1), rounds, **more)


def layouts(*runs, boxes=(BOX,)):
    return [layout_of(run, boxes) for run in runs]


def test_by_hand():
    """Of two others one hits the box in the second round."""
    runs = run_with([("cat", IN_BOX)]), run_with([("cat", BESIDE)], [("cat", IN_BOX)]), run_with([("cat", BESIDE)])
    result = hits_of_others(layouts(*runs), "abc", TARGETS, 2)
    assert share(result[0][0].by_any, "covered_50") == [0, 0.5]
    assert share(result[0][0].by_any, "iobb_50") == [0, 0.5]
    assert share(result[1][0].by_any, "pointing") == [0.5, 0.5]
    assert share(result[2][0].by_any, "covered_50") == [0.5, 1]


def test_images_of_the_same_group_or_of_another_grid_are_not_compared():
    large = Geometry.resize(SHAPE, (12, 16))
    runs = (
        run_with([("cat", BESIDE)]),
        run_with([("cat", IN_BOX)]),
        run_with([("cat", np.ones((12, 16), bool))], geometry=large),
    )
    result = hits_of_others(layouts(*runs), ["one", "one", "two"], TARGETS, 1)
    assert [boxes[0].by_any for boxes in result] == [None, None, None]
    result = hits_of_others(layouts(*runs), ["one", "two", "two"], TARGETS, 1)
    assert share(result[0][0].by_any, "covered_50") == [1]


def test_own_uses_images_whose_runs_explained_the_label():
    runs = (
        run_with([("cat", IN_BOX)]),
        run_with([("pug", IN_BOX)]),
        run_with([("cat", BESIDE), ("pug", IN_BOX)]),
        run_with([], saliencies=[{"cat": np.ones(SHAPE)}]),
    )
    first = hits_of_others(layouts(*runs), "abcd", TARGETS, 1)[0][0]
    assert share(first.by_any, "covered_50") == [2 / 3]
    # Two asked about cats; neither found one there, though a pug was.
    assert share(first.by_own, "covered_50") == [0]
    nobody = hits_of_others(layouts(*runs[:2]), "ab", TARGETS, 1)[0][0]
    assert nobody.by_own is None
    assert nobody.by_any is not None
    dog = LabeledBox("dog", 1, 1, 4, 5)
    both = run_with([("pug", IN_BOX)]), run_with([("boxer", IN_BOX)])
    alike = hits_of_others(layouts(*both, boxes=(dog,)), "ab", TARGETS, 1)[0][0]
    assert share(alike.by_own, "covered_50") == [1]


def test_the_number_of_other_images_is_bounded_and_drawn_by_the_seed():
    """Of 60 others half hit; 20 are asked, so that the share is a multiple of 1/20 near one half."""
    runs = [run_with([("cat", IN_BOX if number % 2 else BESIDE)]) for number in range(60)]
    shares = [
        [share(one[0].by_any, "covered_50")[0] for one in hits_of_others(layouts(*runs), range(60), TARGETS, 1, seed)]
        for seed in (1, 1, 2)
    ]
    assert shares[0] == shares[1] != shares[2]
    assert MAX_OTHERS == 20
    assert np.asarray(shares) * 20 == pytest.approx(np.round(np.asarray(shares) * 20))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)


GEOMETRIES = (
    Geometry.identity((5, 6)),
    Geometry.resize((10, 9), (5, 6)),
    Geometry.resize((10, 12), (8, 9)).then_crop((1, 2), (5, 6)),
    Geometry.resize((4, 5), (5, 6)),
    Geometry.identity((4, 6)).then_crop((-1, 0), (5, 6)),
)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(GEOMETRIES),
    st.tuples(*[st.integers(0, 7)] * 2, *[st.integers(1, 6)] * 2),
    st.floats(0.02, 0.5),
)
def test_a_twin_hits_what_the_image_itself_hits(seed, geometry, numbers, density):
    """Two methods for one answer: areas by rows and columns of the grid, and by pixels of the source."""
    rng = np.random.default_rng(seed)
    labels = ["cat", "pug", "boxer"]

    def region():
        area = rng.random((5, 6)) < density
        area[rng.integers(0, 5), rng.integers(0, 6)] = True
        return str(rng.choice(labels)), area

    rounds = [[region() for _ in range(int(rng.integers(0, 3)))] for _ in range(2)]
    run = run_with(*rounds, geometry=geometry)
    box = LabeledBox("dog", *map(float, numbers))
    if not box.inside(geometry.source_shape).any():
        return
    (expected,) = box_hits(run, [box], TARGETS, 3)
    result = hits_of_others(layouts(run, run, boxes=(box,)), ["a", "b"], TARGETS, 3)[0][0]
    assert (result.by_own is None) == (expected.by_own is None)
    for mine, theirs in ((result.by_any, expected.by_any), (result.by_own, expected.by_own)):
        if mine is not None:
            # A peak is brought to the source by its center alone, so it may miss a region that is cut at the border.
            start = 0 if geometry == GEOMETRIES[0] else 1
            assert (mine[start:] == theirs.hit[start:]).all()


def test_sums_use_only_boxes_that_could_be_compared():
    from dataclasses import replace  # noqa: PLC0415

    run = run_with([("cat", IN_BOX)])
    ((hit,), (same,)) = (box_hits(run, [BOX], TARGETS, 1) for _ in range(2))
    requested = replace(hit, by_any=replace(hit.by_any, others=np.full((len(CRITERIA), 1), 0.25)))
    result = summarize_hits([[requested], [same]], ["a", "b"], 1).as_dict()["any"]
    assert (result["boxes"], result["asked_of_others"]) == (2, 1)
    first = result["covered_50"][0]
    assert (first["share"], first["others"], first["above_others"]) == (1, 0.25, 0.75)
    (label,) = summarize_hits([[requested], [same]], ["a", "b"], 1).as_dict()["labels"]
    assert (label["any"]["covered_50"]["first"]["hit"], label["any"]["covered_50"]["first"]["others"]) == (2, 0.5)
    assert label["own"]["covered_50"]["last"]["others"] is None
    nobody = summarize_hits([[same]], ["a"], 1).as_dict()["any"]["covered_50"][0]
    assert (nobody["others"], nobody["above_others"], nobody["above_others_95"]) == (None, None, None)
