"""MaxBoxAcc and MaxBoxAccV2 against a search written out, and by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label as parts_of

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.box_accuracy import KINDS, OVERLAPS, score_boxes, summarize_box_accuracy

SHAPE = (10, 12)
STEPS = 16


def pixels(box):
    return {
        (y, x) for y in range(int(box.y), int(box.y + box.height)) for x in range(int(box.x), int(box.x + box.width))
    }


def twin(saliency, truth):
    """Right or wrong for every kind, overlap and threshold, over sets of pixels, with scikit-image's parts."""
    low, high = Fraction(float(saliency.min())), Fraction(float(saliency.max()))
    right = np.zeros((len(KINDS), len(OVERLAPS), STEPS), bool)
    for step in range(STEPS):
        inside = np.array(
            [
                [(Fraction(float(value)) - low) / (high - low) >= Fraction(step, STEPS) for value in row]
                for row in saliency
            ]
        )
        numbers = parts_of(inside, connectivity=2)
        ious = []
        for number in range(1, numbers.max() + 1):
            rows, columns = np.nonzero(numbers == number)
            box = {(y, x) for y in range(rows.min(), rows.max() + 1) for x in range(columns.min(), columns.max() + 1)}
            best = max(Fraction(len(box & pixels(one)), len(box | pixels(one))) for one in truth)
            ious.append((len(rows), best))
        largest = max(ious, key=lambda one: one[0])[1]
        for row, overlap in enumerate(OVERLAPS):
            right[:, row, step] = (
                largest >= Fraction(str(overlap)),
                max(best for _, best in ious) >= Fraction(str(overlap)),
            )
    return right


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_every_threshold_against_a_search_over_sets_of_pixels(seed):
    rng = np.random.default_rng(seed)
    saliency = (rng.integers(0, 9, SHAPE) * (rng.random(SHAPE) < 0.6)).astype(np.float32)
    if saliency.max() == saliency.min():
        return
    truth = [
        LabeledBox("bird", *rng.integers(0, 6, 2).tolist(), *rng.integers(1, 6, 2).tolist())
        for _ in range(rng.integers(1, 3))
    ]
    result = score_boxes(saliency, truth, 1, STEPS)
    np.testing.assert_array_equal(result.right, twin(saliency, truth))


def picture(top, left, side, value=1.0, background=0.0):
    saliency = np.full(SHAPE, background, np.float32)
    saliency[top : top + side, left : left + side] = value
    return saliency


def test_by_hand():
    """Two birds: the first map is its bird; the second has a larger part beside its bird, which only `any` gets."""
    first = picture(1, 1, 4)
    second = np.maximum(picture(1, 1, 3), picture(5, 5, 5))
    result = [
        score_boxes(first, [LabeledBox("bird", 1, 1, 4, 4)], "a"),
        score_boxes(second, [LabeledBox("bird", 1, 1, 3, 3)], "b"),
    ]
    table = summarize_box_accuracy(result)
    assert (table.images, table.max_box_acc.value, table.max_box_acc_v2.value) == (2, 0.5, 1.0)
    assert table.max_box_acc.interval == (0, 1)
    assert table.max_box_acc_v2.interval == (1, 1)


def test_all_images_share_one_threshold():
    """Each is right at some threshold, but at none are both: a bird of .4 in noise of .3, and one of 1 in a halo of .6."""
    low = picture(1, 1, 4, 0.4, 0.3)
    low[9, 11], low[9, 0] = 1, 0
    high = np.maximum(picture(0, 0, 9, 0.6), picture(2, 2, 4))
    result = [
        score_boxes(low, [LabeledBox("bird", 1, 1, 4, 4)], "a"),
        score_boxes(high, [LabeledBox("bird", 2, 2, 4, 4)], "b"),
    ]
    assert all(one.right[1, 2].any() for one in result)
    table = summarize_box_accuracy(result)
    assert table.max_box_acc_v2.value == 0.5
    assert table.by_overlap[1].thresholds[0] == pytest.approx(0.3, abs=1 / 256), "the first that is best"


def test_no_evidence_is_wrong_everywhere_and_no_image_is_none():
    flat = score_boxes(np.full(SHAPE, 0.5, np.float32), [LabeledBox("bird", 0, 0, 10, 12)], 1)
    assert not flat.right.any()
    whole = score_boxes(picture(0, 0, 3), [LabeledBox("bird", 0, 0, 10, 12)], 1)
    assert whole.right[:, :, 0].all(), "at threshold 0 the box is the whole image"
    assert summarize_box_accuracy([]).max_box_acc.value is None
    assert summarize_box_accuracy([flat]).max_box_acc.interval is None
