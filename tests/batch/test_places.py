"""The cells that a mask covers, against counting its pixels cell by cell."""

import numpy as np
import pytest

from unveil.batch.places import PLACES_BYTES, PLACES_SIDE, covered_cells, place_bits
from unveil.masks import Mask


def cells_of(inside: np.ndarray) -> np.ndarray:
    bits = place_bits(Mask.from_array(inside))
    assert bits is not None
    assert len(bits) == PLACES_BYTES
    return covered_cells(np.frombuffer(bits, np.uint8)[None])[0]


@pytest.mark.parametrize("side", [32, 128, 224, 1024])
def test_a_cell_is_covered_if_half_of_its_pixels_are_inside(side):
    rng = np.random.default_rng(side)
    inside = rng.random((side, side)) < np.linspace(0, 1, side)[:, None]
    step = side // PLACES_SIDE
    for y, x in rng.integers(PLACES_SIDE, size=(200, 2)):
        pixels = inside[y * step : (y + 1) * step, x * step : (x + 1) * step]
        assert cells_of(inside)[y, x] == (2 * pixels.sum() >= pixels.size)
        if side > 500:
            break


@pytest.mark.parametrize("shape", [(100, 300), (37, 21), (9, 400)])
def test_places_are_shares_of_the_image_whatever_its_shape(shape):
    """The right half of an image is the right half of the grid."""
    inside = np.zeros((shape[0], 2 * shape[1]), bool)
    inside[:, shape[1] :] = True
    expected = np.zeros((PLACES_SIDE, PLACES_SIDE), bool)
    expected[:, PLACES_SIDE // 2 :] = True
    assert (cells_of(inside) == expected).all()


def test_a_region_below_half_of_any_cell_has_the_cell_of_which_it_covers_most():
    inside = np.zeros((320, 320), bool)
    inside[198:203, 51:54] = True  # 2 of its rows lie in the cell row 19, 3 in the next
    assert np.argwhere(cells_of(inside)).tolist() == [[20, 5]]


def test_volumes_and_empty_masks_have_no_place():
    assert place_bits(Mask.from_array(np.ones((4, 5, 6), bool))) is None
    assert place_bits(Mask.empty((8, 8))) is None
