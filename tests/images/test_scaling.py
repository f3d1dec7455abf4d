"""Value ranges: two rising, finite numbers, whatever a user gives."""

import numpy as np
import pytest

from unveil.errors import ImageError
from unveil.images.scaling import checked_range


@pytest.mark.parametrize(
    "given", [(0,), (), 5, None, "ab", "a", (0, 1, 2), ("a", 1), {1: 2}, (0, None), (1, 1), (0, np.nan)]
)
def test_what_is_no_range_is_one_clear_line(given):
    with pytest.raises(ImageError, match="a value range .lowest, highest.; got ") as error:
        checked_range(given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [[-1000, 400], np.array([-1000, 400]), (np.float32(-1000), 400), iter([-1000, 400])])
def test_any_pair_of_numbers_is_a_range(given):
    assert checked_range(given) == (-1000.0, 400.0)
