"""Corrected p-values: Holm by its definition, Benjamini and Hochberg against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unveil.multiple_testing import benjamini_hochberg, holm

PS = st.lists(st.none() | st.floats(0.0, 1.0, allow_subnormal=False), max_size=9)


@given(PS)
def test_holm_is_the_smallest_level_that_rejects_stepwise(values):
    """By its definition: at the corrected p the stepwise test rejects, at a little less it doesn't."""
    known = sorted(value for value in values if value is not None)

    def rejected(value: float, level: float) -> bool:
        for rank, smaller in enumerate(known):
            if smaller * (len(known) - rank) > level:
                return False
            if smaller == value:
                return True
        raise AssertionError

    for value, corrected in zip(values, holm(values), strict=True):
        if value is None:
            assert corrected is None
        else:
            assert rejected(value, corrected) or corrected == 1
            assert not corrected or not rejected(value, corrected * (1 - 1e-9))


@given(PS)
def test_benjamini_hochberg_is_scipy_s(values):
    known = [value for value in values if value is not None]
    expected = iter(stats.false_discovery_control(known) if known else ())
    for value, corrected in zip(values, benjamini_hochberg(values), strict=True):
        assert corrected is None if value is None else corrected == pytest.approx(next(expected))
