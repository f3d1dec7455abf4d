"""The table of ChestX-ray8: boxes of maps, IoU and IoBB against pycocotools, counts in exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.chestxray8 import CRITERIA, THRESHOLDS, count_localization, summarize_localization
from unveil.evaluation.metrics.detections import boxes_of_map, iou_and_iobb
from unveil.masks import Box

SIDE = 12


def around(top, left, bottom, right):
    return Box((top, left), (bottom, right))


def annotated(top, left, bottom, right, label="Mass"):
    return LabeledBox(label, top, left, bottom - top, right - left)


corners = st.tuples(*[st.integers(0, SIDE - 1)] * 2, *[st.integers(1, SIDE)] * 2).map(
    lambda one: (one[0], one[1], min(one[0] + one[2], SIDE), min(one[1] + one[3], SIDE))
)


def flooded(inside):
    """Boxes of parts that touch at sides or corners, by walking from pixel to pixel."""
    left, found = {tuple(one) for one in np.argwhere(inside).tolist()}, []
    while left:
        start = min(left)
        part, edge = {start}, [start]
        left.discard(start)
        while edge:
            y, x = edge.pop()
            for other in [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
                if other in left:
                    left.discard(other)
                    part.add(other)
                    edge.append(other)
        rows, columns = [y for y, _ in part], [x for _, x in part]
        found.append(around(min(rows), min(columns), max(rows) + 1, max(columns) + 1))
    return found


@given(st.integers(0, 2**32 - 1))
def test_boxes_of_a_map_compared_with_flood_fill(seed):
    rng = np.random.default_rng(seed)
    saliency = rng.normal(size=(SIDE, SIDE)) ** 3
    low, high = saliency.min(), saliency.max()
    expected = [box for level in (60, 180) for box in flooded((saliency - low) / (high - low) * 255 > level)]
    assert sorted(boxes_of_map(saliency), key=str) == sorted(expected, key=str)


def test_boxes_by_hand():
    """One blot of 100 and 255 touching at a corner, another of 70: three regions above 60 and 180, each its own box."""
    saliency = np.zeros((8, 8), np.float32)
    saliency[1:3, 1:3], saliency[3, 3], saliency[6, 5:8] = 100, 255, 70
    assert boxes_of_map(saliency) == (around(1, 1, 4, 4), around(6, 5, 7, 8), around(3, 3, 4, 4))
    assert boxes_of_map(saliency + 7) == boxes_of_map(3 * saliency), "stretched before it is cut"
    assert boxes_of_map(np.full((8, 8), 0.7, np.float32)) == ()


@given(st.lists(corners, min_size=1, max_size=4), st.lists(corners, min_size=1, max_size=4))
def test_overlaps_against_pycocotools(detected, truth):
    """Its IoU with a crowd divides by the detected box alone, which is IoBB."""
    iou, iobb = iou_and_iobb([around(*one) for one in detected], [annotated(*one) for one in truth])
    first, second = ([[x, y, r - x, b - y] for y, x, b, r in boxes] for boxes in (detected, truth))
    first, second = np.array(first, float), np.array(second, float)
    np.testing.assert_allclose(iou, coco.iou(first, second, [0] * len(second)), atol=1e-12)
    np.testing.assert_allclose(iobb, coco.iou(first, second, [1] * len(second)), atol=1e-12)


@given(st.lists(corners, max_size=4), st.lists(corners, max_size=3))
def test_counts_in_exact_fractions_over_sets_of_pixels(detected, truth):
    found = count_localization([around(*one) for one in detected], [annotated(*one) for one in truth], "Mass", 1)
    sets = [{(y, x) for y in range(t, b) for x in range(left, r)} for t, left, b, r in detected]
    boxes = [{(y, x) for y in range(t, b) for x in range(left, r)} for t, left, b, r in truth]
    shares = {
        "iou": lambda one, box: Fraction(len(one & box), len(one | box)),
        "iobb": lambda one, box: Fraction(len(one & box), len(one)),
    }
    for row, criterion in enumerate(CRITERIA):
        for column, threshold in enumerate(THRESHOLDS):
            limit, share = Fraction(str(threshold)), shares[criterion]
            right = [[share(one, box) > limit for box in boxes] for one in sets]
            assert found.found[row, column] == sum(any(row[at] for row in right) for at in range(len(boxes)))
            assert found.false[row, column] == sum(not any(row) for row in right)
    assert (found.boxes, found.detected) == (len(truth), len(detected))


def test_iobb_divides_by_the_detected_box():
    """A lesion of 2 x 2 within a finding of 8 x 8, and the whole image around a finding of 2 x 2."""
    small, large = (
        count_localization([around(3, 3, 5, 5)], [annotated(1, 1, 9, 9)], "Mass", 1),
        count_localization([around(0, 0, 12, 12)], [annotated(3, 3, 5, 5)], "Mass", 1),
    )
    row = CRITERIA.index("iobb")
    assert small.found[row].all()
    assert not small.false[row].any()
    assert not large.found.any()
    assert large.false.all()


def table():
    return [
        count_localization([around(0, 0, 4, 4), around(8, 8, 12, 12)], [annotated(0, 0, 4, 4)], "Mass", "p1"),
        count_localization([around(0, 0, 4, 4)], [annotated(0, 0, 4, 8), annotated(9, 9, 12, 12)], "Mass", "p2"),
        count_localization([around(5, 5, 6, 6)], [], "Mass", "p3"),
        count_localization([], [annotated(2, 2, 3, 3)], "Nodule", "p3"),
    ]


def test_the_table_by_hand():
    """Masses: three boxes in three images. p1's is met exactly, the first of p2 by half (IoU ½, IoBB 1)."""
    tables = summarize_localization(table()).as_dict()
    mass, nodule = tables["labels"]
    assert (mass["label"], mass["images"], mass["boxes"], mass["detected"]) == ("Mass", 3, 3, 4)
    by_iou = {row["threshold"]: (row["accuracy"], row["afp"]) for row in mass["iou"]}
    assert by_iou[0.4] == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert by_iou[0.5] == (pytest.approx(1 / 3), pytest.approx(3 / 3)), "an IoU of ½ isn't above ½"
    by_iobb = {row["threshold"]: (row["accuracy"], row["afp"]) for row in mass["iobb"]}
    assert by_iobb[0.9] == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert nodule["iou"][0]["accuracy"] == 0
    assert nodule["iou"][0]["afp"] == 0
    first = tables["pooled"]["iou"][0]
    assert (first["accuracy"], first["afp"]) == (pytest.approx(2 / 4), pytest.approx(2 / 4))
    assert tables["mean"]["iou"][0]["accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    low, high = mass["iou"][0]["accuracy_95"]
    assert low == 0.5, "with p2 alone: one of two"
    assert high == 1
    assert nodule["iou"][0]["accuracy_95"] == [0, 0]


def test_detections_never_increase_with_the_threshold():
    rng = np.random.default_rng(3)
    for _ in range(30):
        boxes = [np.sort(rng.integers(0, SIDE + 1, (2, 2)), axis=0) for _ in range(5)]
        flat = [around(*one[0].tolist(), *(one[1] + 1).tolist()) for one in boxes]
        found = count_localization(flat[:3], [annotated(*one.start, *one.stop) for one in flat[3:]], "Mass", 1)
        assert (np.diff(found.found, axis=1) <= 0).all()
        assert (np.diff(found.false, axis=1) >= 0).all()
