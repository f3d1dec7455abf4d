"""From a map to regions: thresholds against slow twins, box smoothing against the paper's words, and no evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import ndimage, signal

from unveil.errors import RecipeError
from unveil.regions import Otsu, Quantile, RelativeToMax, SmoothedThreshold

NOTHING = np.zeros((40, 40), bool)


def discs(*places: tuple[int, int, float, float], shape: tuple[int, int] = (40, 40)) -> np.ndarray:
    """Discs (y, x, radius, height) on a ground of 0."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    result = np.zeros(shape)
    for top, left, radius, height in places:
        result[(y - top) ** 2 + (x - left) ** 2 <= radius**2] = height
    return result


# ---- thresholds


@given(st_numpy.arrays(np.float64, st.integers(2, 40), elements=st.floats(0, 100)))
def test_otsu_is_the_best_of_all_splits(values):
    if np.ptp(values) == 0:
        return
    level = Otsu().level(values)

    def between(at: float) -> float:
        low, high = values[values < at], values[values >= at]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(low) and len(high) else 0.0

    best = max(between(at) for at in values)
    assert between(level) == pytest.approx(best, rel=1e-6)


def test_relative_and_quantile():
    values = np.arange(11.0)
    assert RelativeToMax(0.3).level(values) == pytest.approx(3)
    assert Quantile(0.8).level(values) == pytest.approx(8)


# ---- box smoothing


def as_the_paper_says(saliency: np.ndarray, size: int, passes: int, share: float) -> np.ndarray:
    """A convolution with a filter of ones, then a threshold, several times; what is left."""
    for _ in range(passes):
        saliency = signal.convolve2d(saliency, np.ones((size, size)), mode="same")
        saliency = np.where(saliency >= share * saliency.max(), saliency, 0)
    return saliency > 0


@pytest.mark.parametrize("share", [0.2, 0.35, 0.55])
@pytest.mark.parametrize(("size", "passes"), [(3, 1), (5, 2), (11, 3)])
def test_the_paper_rule_by_plain_convolution(size, passes, share):
    saliency = np.random.default_rng(size).random((40, 40)) ** 4
    selection = SmoothedThreshold(size, passes, RelativeToMax(share)).select(saliency, NOTHING)
    (region,) = selection.regions
    assert selection.reason is None
    expected = as_the_paper_says(saliency, size, passes, share)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(region, expected)


def test_the_scale_of_the_map_does_not_matter():
    saliency = np.random.default_rng(0).random((40, 40)) ** 4
    for threshold in (RelativeToMax(0.4), Quantile(0.9), Otsu()):
        rule = SmoothedThreshold(5, 2, threshold, split=True, floor=0)
        one, other = (rule.select(scale * saliency, NOTHING).regions for scale in (1.0, 2.0**-20))
        assert len(one) == len(other)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_erased_pixels_are_never_selected_again():
    saliency = discs((10, 10, 4, 9.0), (28, 28, 4, 5.0))
    erased = discs((10, 10, 7, 1.0)) > 0
    (region,) = SmoothedThreshold(5, 2, RelativeToMax(0.3)).select(saliency, erased).regions
    assert not (region & erased).any()
    assert region[28, 28]


def test_the_band_keeps_the_rim_from_starting_a_region():
    erased = discs((15, 15, 8, 1.0)) > 0
    distance = ndimage.distance_transform_edt(~erased)
    rim = np.where((distance > 0) & (distance <= 2), 9.0, 0.0)
    saliency = rim + discs((33, 33, 3, 2.0))
    with_rim = SmoothedThreshold(3, 1, RelativeToMax(0.5)).select(saliency, erased).regions[0]
    without = SmoothedThreshold(3, 1, RelativeToMax(0.5), band_px=3).select(saliency, erased).regions[0]
    assert with_rim[distance <= 2].any()
    assert not without[distance <= 2].any()
    assert without[33, 33]


def test_a_region_may_grow_into_the_band():
    erased = np.zeros((40, 40), bool)
    erased[:, :10] = True
    saliency = np.zeros((40, 40))
    saliency[15:25, 14:20] = 1.0
    (region,) = SmoothedThreshold(7, 1, RelativeToMax(0.1), band_px=4).select(saliency, erased).regions
    assert region[20, 12]
    assert not region[:, :10].any()


def test_split_regions_are_in_the_order_of_their_saliency():
    saliency = discs((8, 8, 3, 2.0), (8, 30, 3, 5.0), (30, 8, 2, 3.0))
    regions = SmoothedThreshold(3, 1, RelativeToMax(0.1), split=True).select(saliency, NOTHING).regions
    assert [bool(region[at]) for region, at in zip(regions, [(8, 30), (8, 8), (30, 8)], strict=True)] == [True] * 3
    (together,) = SmoothedThreshold(3, 1, RelativeToMax(0.1)).select(saliency, NOTHING).regions
    assert np.array_equal(together, np.logical_or.reduce(regions))
    assert (
        len(SmoothedThreshold(3, 1, RelativeToMax(0.1), split=True, max_regions=2).select(saliency, NOTHING).regions)
        == 2
    )


def test_small_components_are_dropped():
    saliency = discs((10, 10, 6, 1.0), (30, 30, 1, 1.0))
    big, small = (
        SmoothedThreshold(1, 1, RelativeToMax(0.5), split=True, min_area_share=share).select(saliency, NOTHING)
        for share in (0.0, 0.02)
    )
    assert [len(one.regions) for one in (big, small)] == [2, 1]
    none = SmoothedThreshold(1, 1, RelativeToMax(0.5), min_area_share=0.5).select(saliency, NOTHING)
    assert not none.regions
    assert none.reason == "no connected component reaches the smallest area of 800 px"


def test_a_volume():
    saliency = np.zeros((12, 12, 12))
    saliency[3:6, 3:6, 3:6] = 1
    (region,) = SmoothedThreshold(3, 2, RelativeToMax(0.5)).select(saliency, np.zeros((12, 12, 12), bool)).regions
    assert region[4, 4, 4]
    assert not region[9, 9, 9]


@pytest.mark.parametrize(
    ("saliency", "erased", "message"),
    [
        (np.zeros((40, 40)), NOTHING, "below the floor"),
        (np.full((40, 40), 1e-9), NOTHING, "the largest saliency, 1e-09, is below the floor 1e-06"),
        (np.full((40, 40), 0.7), NOTHING, "0.7 everywhere"),
        (np.where(np.eye(40) > 0, np.nan, 1.0), NOTHING, "40 values of the saliency are NaN or infinite"),
        (np.where(np.eye(40) > 0, np.inf, 1.0), NOTHING, "40 values of the saliency are NaN or infinite"),
        (discs((5, 5, 3, 1.0)), ~NOTHING, "no pixel is left"),
    ],
)
def test_no_evidence_is_an_answer(saliency, erased, message):
    for threshold in (RelativeToMax(0.3), Quantile(0.9), Otsu()):
        selection = SmoothedThreshold(5, 2, threshold).select(saliency, erased)
        assert selection.regions == ()
        assert selection.reason is not None
        assert message in selection.reason


def test_a_nan_at_erased_pixels_has_no_effect():
    saliency = discs((30, 30, 3, 1.0))
    saliency[:5] = np.nan
    erased = NOTHING.copy()
    erased[:5] = True
    (region,) = SmoothedThreshold(3, 1, RelativeToMax(0.5)).select(saliency, erased).regions
    assert region[30, 30]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size_px": 4}, "an odd box size of at least 1 px; got 4"),
        ({"size_px": 0}, "an odd box size of at least 1 px; got 0"),
        ({"size_px": 1_000_000_001}, "an odd box size of at most 9999 px; got 1000000001"),
        ({"passes": 0}, "passes of at least 1; got 0"),
        ({"passes": 10**12}, "passes of at most 100; got 1000000000000"),
        ({"band_px": -1}, "band_px of at least 0"),
        ({"band_px": 10**9}, "band_px of at most 10000"),
        ({"max_regions": 0}, "max_regions of at least 1"),
        ({"max_regions": 10**12}, "max_regions of at most 1000"),
        ({"min_area_share": 1.0}, "min_area_share of at most 0.99; got 1.0"),
        ({"min_area_share": -0.1}, "min_area_share of at least 0"),
        ({"floor": -1.0}, "floor of at least 0"),
        ({"floor": float("nan")}, "floor of at least 0; got nan"),
        ({"floor": float("inf")}, "floor of at most 1000000000.0; got inf"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(RecipeError, match=f"expected {message}"):
        SmoothedThreshold(**settings)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_out_of_range_are_refused(share):
    for threshold in (RelativeToMax, Quantile):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            threshold(share)
