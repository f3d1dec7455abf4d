"""Boxes hit by round: by hand, and against every shift tried one by one."""

from fractions import Fraction

import numpy as np
import pytest
from handmade import handmade, inside
from hypothesis import given, settings
from hypothesis import strategies as st

from unveil.datasets import LabeledBox
from unveil.evaluation.paper.box_hits import COVERED, CRITERIA, ON_BOX, box_hits, find_peak, shifted_overlaps
from unveil.evaluation.paper.hit_counts import summarize_hits
from unveil.images import Geometry

SHAPE = (6, 8)
TARGETS = {"cat": [0], "dog": [1, 2]}  # of cat, pug, boxer
NOTHING = [0.0, 0.0]


def row(name: str) -> int:
    return CRITERIA.index(name)


def two_rounds(first, second, **more):
    return handmade(["cat", "pug"], [NOTHING] * 3, [first, second], **more)


def test_by_hand_round_by_round():
    """A box of 4 x 5 = 20 px; round 1 erases 4 of its pixels and 4 others, round 2 six more of its pixels alone."""
    box = LabeledBox("cat", 1, 1, 4, 5)
    first = inside(SHAPE, slice(0, 2), slice(1, 5))
    second = inside(SHAPE, slice(2, 4), slice(1, 4))
    high = np.ones(SHAPE)
    high[0, 2] = 9
    run = two_rounds([("cat", first)], [("cat", second)], saliencies=[{"cat": high}, {}])
    (result,) = box_hits(run, [box], TARGETS, 3)
    expected = {
        "pointing": [False, True, True],  # the first peak is in row 0, above the box
        "covered_10": [True, True, True],  # 4 of 20
        "covered_25": [False, True, True],  # then 10 of 20
        "covered_50": [False, True, True],
        "iobb_50": [True, True, True],  # 4 of 8
    }
    for name, flags in expected.items():
        assert result.by_any.hit[row(name)].tolist() == flags, name
        assert result.by_own is not None
        assert result.by_own.hit[row(name)].tolist() == flags, name
    assert result.visible_share == 1


def test_a_box_that_was_hit_stays_hit():
    """One region in the box, then one beside it: in one round or one after the other, in any order."""
    box, within = LabeledBox("cat", 1, 1, 4, 5), inside(SHAPE, slice(2, 4), slice(2, 4))
    beside = inside(SHAPE, slice(0, 6), slice(7, 8))
    for first, second, expected in (
        ([within], [beside], [True, True]),
        ([beside], [within], [False, True]),
        ([within, beside], [], [True, True]),
        ([beside, within], [], [True, True]),
    ):
        run = two_rounds([("cat", area) for area in first], [("cat", area) for area in second])
        (result,) = box_hits(run, [box], TARGETS, 2)
        assert result.by_any.hit[row("iobb_50")].tolist() == expected
        assert result.by_any.hit[row("pointing")].tolist() == expected


def test_own_hits_need_a_run_that_explained_the_label():
    box, area = LabeledBox("dog", 1, 1, 4, 5), inside(SHAPE, slice(1, 5), slice(1, 6))
    by_cat = two_rounds([("cat", area)], [])
    (result,) = box_hits(by_cat, [box], TARGETS, 2)
    assert result.by_own is None
    assert result.by_any.hit.all()
    asked_in_vain = two_rounds([("cat", area)], [], saliencies=[{}, {"pug": np.ones(SHAPE)}])
    (result,) = box_hits(asked_in_vain, [box], TARGETS, 2)
    assert not result.by_own.hit.any()
    assert not result.by_own.chance.any()
    both = two_rounds([("cat", area)], [("pug", inside(SHAPE, slice(1, 2), slice(1, 6)))])
    (result,) = box_hits(both, [box], TARGETS, 2)
    assert result.by_own.hit[row("covered_25")].tolist() == [False, True]  # 5 of 20, in the second round
    assert result.by_own.hit[row("covered_50")].tolist() == [False, False]


def test_a_label_without_a_match_has_no_own_hits():
    area = inside(SHAPE, slice(1, 5), slice(1, 6))
    (result,) = box_hits(two_rounds([("cat", area)], []), [LabeledBox("bird", 0, 0, 3, 3)], TARGETS, 2)
    assert result.by_own is None


def test_boxes_outside_of_the_image_or_the_field_of_view():
    """The field of view is columns 2 to 5 of 8; a box without a pixel in the image is left out."""
    geometry = Geometry.identity(SHAPE).then_crop((0, 2), (6, 4))
    run = two_rounds([("cat", np.ones((6, 4), bool))], [], geometry=geometry)
    boxes = [
        LabeledBox("cat", 0, 0, 6, 2),
        LabeledBox("cat", 0, 0, 6, 4),
        LabeledBox("cat", -9, 0, 9, 4),
        LabeledBox("cat", 0.6, 0.6, 0.3, 0.3),
    ]
    result = box_hits(run, boxes, TARGETS, 2)
    assert [one.visible_share for one in result] == [0, 0.5]
    assert not result[0].by_any.hit.any()
    assert not result[0].by_any.chance.any()
    # Half of the whole box is erased; all 24 px of the region can be seen, 12 of them lie in the box.
    assert result[1].by_any.hit[row("covered_50")].all()
    assert result[1].by_any.hit[row("iobb_50")].all()
    assert result[1].by_any.chance[row("covered_50")].tolist() == [1, 1]
    # 5 of the 24 px of the box are erased, which are 5 of the 12 that can be seen.
    five = inside((6, 4), slice(0, 5), slice(0, 1))
    (part,) = box_hits(two_rounds([("cat", five)], [], geometry=geometry), boxes[1:2], TARGETS, 2)
    assert part.by_any.hit[row("covered_10")].all()
    assert not part.by_any.hit[row("covered_25")].any()


def twin(run, box, own, rounds):
    """Every criterion as its definition reads, for every shift, in exact fractions."""
    shape = run.source.geometry.source_shape
    visible = run.source.geometry.visible()
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    frame = np.ix_(rows, columns)
    area, seen = box.inside(shape), box.inside(shape)[frame]
    parts = [
        (one.index, region.mask.to_array()[frame], peak_in(run, one, region, frame))
        for one in run.rounds
        for region in one.regions
        if own is None or region.target in own
    ]
    height, width = seen.shape
    hit, chance = np.zeros((len(CRITERIA), rounds), bool), np.zeros((len(CRITERIA), rounds))
    for done in range(1, rounds + 1):
        times = [0] * len(CRITERIA)
        for down in range(height):
            for right in range(width):
                moved = [
                    (np.roll(part, (down, right), (0, 1)), np.roll(peak, (down, right), (0, 1)))
                    for index, part, peak in parts
                    if index <= done
                ]
                together = np.zeros((height, width), bool)
                for part, _ in moved:
                    together |= part
                covered = Fraction(int((together & seen).sum()), int(area.sum()))
                text = [any((peak & seen).any() for _, peak in moved)]
                text += [covered >= Fraction(percent, 100) for percent in COVERED]
                text += [
                    any(
                        part.any() and Fraction(int((part & seen).sum()), int(part.sum())) >= Fraction(ON_BOX, 100)
                        for part, _ in moved
                    )
                ]
                times = [count + one for count, one in zip(times, text, strict=True)]
                if down == right == 0:
                    hit[:, done - 1] = text
        chance[:, done - 1] = [count / (height * width) for count in times]
    return hit, chance


def peak_in(run, one, region, frame):
    saliency = next(item.saliency for item in one.maps if item.target == region.target)
    peak = np.zeros(region.mask.shape, bool)
    place = find_peak(region, saliency, run.source.geometry)
    if place is not None:
        peak[place] = True
    return peak[frame]


GEOMETRIES = (
    Geometry.identity((5, 6)),
    Geometry.resize((10, 9), (5, 6)),
    Geometry.resize((4, 5), (5, 6)),
    Geometry.resize((10, 12), (8, 9)).then_crop((1, 2), (5, 6)),
    Geometry.identity((4, 6)).then_crop((-1, 0), (5, 6)),
)
# Small regions and boxes, and large ones.
REAL = st.floats(-2, 8).map(lambda value: round(value, 2))


@settings(max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(GEOMETRIES),
    st.tuples(REAL, REAL, st.floats(0.3, 6), st.floats(0.3, 6)),
    st.floats(0.02, 0.6),
)
def test_hits_and_chance_against_every_shift(seed, geometry, numbers, density):
    rng = np.random.default_rng(seed)
    labels = ["cat", "pug", "boxer"]
    regions = [
        [(str(rng.choice(labels)), rng.random((5, 6)) < density) for _ in range(int(rng.integers(0, 3)))]
        for _ in range(2)
    ]
    saliencies = [{label: rng.random((5, 6)) for label, _ in drawn} for drawn in regions]
    run = handmade(labels, [[0.0] * 3] * 3, regions, geometry=geometry, saliencies=saliencies)
    box = LabeledBox("dog", *numbers)
    result = box_hits(run, [box], TARGETS, 3)
    if not box.inside(geometry.source_shape).any():
        assert result == ()
        return
    requested = {label for drawn in regions for label, _ in drawn} & {"pug", "boxer"}
    assert (result[0].by_own is None) == (not requested)
    for hits, own in ((result[0].by_any, None), (result[0].by_own, requested)):
        if hits is not None:
            hit, chance = twin(run, box, own, 3)
            assert (hits.hit == hit).all()
            assert hits.chance == pytest.approx(chance, abs=1e-12)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_overlaps_at_every_shift(rows, columns, data):
    height, width = data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns))
    area = np.random.default_rng(data.draw(st.integers(0, 999))).random((rows, columns)) < 0.4
    result = shifted_overlaps(area, height, width)
    for y in range(rows):
        for x in range(columns):
            assert result[y, x] == np.roll(area, (-y, -x), (0, 1))[:height, :width].sum()


def test_the_chance_of_a_peak_is_the_box_s_share_of_the_image():
    run = two_rounds([("cat", inside(SHAPE, slice(0, 1), slice(0, 1)))], [])
    (result,) = box_hits(run, [LabeledBox("cat", 2, 2, 3, 4)], TARGETS, 1)
    assert result.by_any.chance[row("pointing"), 0] == 12 / 48
    assert not result.by_any.hit[row("pointing"), 0]


def test_the_center_is_that_of_the_field_of_view():
    """Pixel (3, 4) of 6 x 8; of the columns 4 to 7 it is column 6."""
    boxes = [LabeledBox("cat", 3, 4, 1, 1), LabeledBox("cat", 0, 0, 3, 8), LabeledBox("cat", 0, 6, 6, 1)]
    area = inside(SHAPE, slice(0, 1), slice(0, 1))
    result = box_hits(two_rounds([("cat", area)], []), boxes, TARGETS, 2)
    assert [one.central for one in result] == [True, False, False]
    cut = Geometry.identity(SHAPE).then_crop((0, 4), (6, 4))
    run = two_rounds([("cat", np.ones((6, 4), bool))], [], geometry=cut)
    assert [one.central for one in box_hits(run, boxes, TARGETS, 2)] == [False, False, True]
    assert summarize_hits([result], ["a"], 2).any.central == 1


def test_large_regions_hit_by_chance():
    run = two_rounds([("cat", inside(SHAPE, slice(0, 5), slice(0, 8)))], [])
    (result,) = box_hits(run, [LabeledBox("cat", 0, 0, 3, 3)], TARGETS, 1)
    assert result.by_any.chance[row("covered_50"), 0] == 1


def test_a_peak_is_the_pixel_of_the_region_nearest_to_the_largest_value():
    geometry = Geometry.resize((12, 16), (6, 8))
    saliency = np.arange(48, dtype=np.float32).reshape(SHAPE)
    run = handmade(["cat"], [[0.0]] * 2, [[("cat", inside(SHAPE, slice(1, 3), slice(2, 4)))]], geometry=geometry)
    (region,) = run.regions
    # The largest value inside is at (2, 3), whose center is the corner of the source pixels (4 … 5, 6 … 7).
    assert find_peak(region, saliency, geometry) == (4, 6)
    assert find_peak(region, -saliency, geometry) == (2, 4)


def test_counts_add_up_and_are_divided_last():
    near, far = inside(SHAPE, slice(1, 5), slice(1, 6)), inside(SHAPE, slice(5, 6), slice(7, 8))
    box = LabeledBox("cat", 1, 1, 4, 5)
    hit, missed = (two_rounds([("cat", area)], []) for area in (near, far))
    images = [
        box_hits(hit, [box], TARGETS, 2),
        box_hits(missed, [box, box], TARGETS, 2),
        box_hits(missed, [], TARGETS, 2),
    ]
    result = summarize_hits(images, ["a", "b", "c"], 2).as_dict()
    assert (result["boxes"], result["images_with_boxes"], result["boxes_unseen"]) == (3, 2, 0)
    for scope in ("any", "own"):
        first = result[scope]["covered_50"][0]
        assert (result[scope]["boxes"], result[scope]["images"]) == (3, 2)
        assert (first["hit"], first["share"]) == (1, 1 / 3)
        chance = images[0][0].by_any.chance[row("covered_50"), 0]
        assert first["chance"] == pytest.approx(chance / 3)
        assert first["above_chance"] == pytest.approx((1 - chance) / 3)
        assert first["share_95"] == [0, 1]  # of two images, either may be drawn twice
    (label,) = result["labels"]
    assert (label["label"], label["boxes"], label["asked"]) == ("cat", 3, 3)
    assert label["any"]["covered_50"]["last"]["hit"] == 1


def test_without_boxes_shares_are_none():
    result = summarize_hits([(), ()], ["a", "b"], 2).as_dict()
    assert result["any"]["pointing"][0]["share"] is None
    assert result["any"]["pointing"][0]["share_95"] is None
    assert (result["boxes"], result["labels"]) == (0, [])


def test_classes_with_one_name_are_told_apart_by_index():
    """The data set's bird is class 0; the regions of class 2, also called "crane", are not its own."""
    area = inside(SHAPE, slice(1, 5), slice(1, 6))
    box = LabeledBox("bird", 1, 1, 4, 5)
    for class_index, expected in ((0, True), (2, False)):
        run = handmade(["crane", "heron", "crane"], [[0.0] * 3] * 2, [[(class_index, area)]])
        (hits,) = box_hits(run, [box], {"bird": [0]}, 1)
        assert hits.by_any.hit[row("covered_50")].all()
        assert (hits.by_own is not None) == expected
