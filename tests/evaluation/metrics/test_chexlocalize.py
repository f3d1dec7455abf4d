"""mIoU and hit rate: segmentation against OpenCV, means against torchmetrics, what counts by hand."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.segmentation import mean_iou

from unveil.evaluation.metrics.chexlocalize import score_segmentation, segment_map, summarize_segmentation

SHAPE = (16, 20)


def a_map(seed):
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.gamma(0.5, size=SHAPE), (5, 5), 1.2).astype(np.float32)


@given(st.integers(0, 2**32 - 1))
def test_otsu_at_8_bits_against_opencv(seed):
    saliency = a_map(seed)
    low, high = float(saliency.min()), float(saliency.max())
    eight = np.uint8(255 * ((saliency.astype(np.float64) - low) / (high - low)))
    _, expected = cv2.threshold(eight, 0, 255, cv2.THRESH_OTSU)
    np.testing.assert_array_equal(segment_map(saliency), expected > 0)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.4, 0.6, 0.7]))
def test_a_threshold_is_a_share_of_the_range(seed, threshold):
    saliency = a_map(seed)
    low, high = float(saliency.min()), float(saliency.max())
    np.testing.assert_array_equal(segment_map(saliency, threshold), saliency > low + threshold * (high - low))


def test_miou_against_torchmetrics():
    result, predictions, truths = [], [], []
    for seed in range(12):
        saliency, truth = a_map(seed), a_map(seed + 100) > 0.7
        result.append(score_segmentation(saliency, truth, "Edema", seed))
        predictions.append(segment_map(saliency))
        truths.append(truth)
    pairs = (torch.from_numpy(np.stack(both)).long()[:, None] for both in (predictions, truths))
    theirs = mean_iou(*pairs, num_classes=1, per_class=True)
    row = summarize_segmentation(result).pooled
    assert row.miou.value == pytest.approx(float(theirs.mean()), rel=1e-6)
    low, high = row.miou.interval or (1, 0)
    assert low < (row.miou.value or 0) < high


def test_which_images_count():
    """Both there, missed, invented, neither there."""
    saliency = np.zeros(SHAPE, np.float32)
    saliency[2:6, 2:6] = 1
    saliency[3, 3] = 2
    half, nothing = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    half[2:6, 2:10] = True
    cases = [(half, True), (half, False), (nothing, True), (nothing, False)]
    both, missed, invented, neither = (
        [
            score_segmentation(
                saliency, truth, "Edema", 1, threshold=0.3, predicted=predicted, true_positive_only=only
            ).iou
            for only in (True, False)
        ]
        for truth, predicted in cases
    )
    assert both == [0.5, 0.5]
    assert (missed, invented, neither) == ([None, 0], [None, 0], [None, None])
    hits = [score_segmentation(saliency, truth, "Edema", 1, predicted=predicted).hit for truth, predicted in cases]
    assert hits == [True, True, None, None], "the hit rate asks the map, whatever is predicted"


def test_true_positives_only_give_a_higher_mean():
    result = {
        only: summarize_segmentation(
            [
                score_segmentation(
                    a_map(seed),
                    a_map(seed + 50) > np.quantile(a_map(seed + 50), 0.8),
                    "Edema",
                    seed,
                    predicted=seed % 2 == 0,
                    true_positive_only=only,
                )
                for seed in range(10)
            ]
        ).pooled.miou.value
        for only in (True, False)
    }
    assert result[False] == pytest.approx((result[True] or 1) / 2)


def test_no_evidence_segments_nothing():
    flat = np.full(SHAPE, 0.4, np.float32)
    assert not segment_map(flat).any()
    one = score_segmentation(flat, np.ones(SHAPE, bool), "Edema", 1, true_positive_only=False)
    assert (one.iou, one.hit) == (0, False)
