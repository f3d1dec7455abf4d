"""Tails against sums over all outcomes and against shifting at random."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from unveil.batch.summary.coverage import CELLS, CELLS_SIDE
from unveil.batch.summary.tails import shift_tail


def sizes_of(areas: list[int]) -> np.ndarray:
    return np.bincount(areas, minlength=CELLS + 1)


def test_a_tail_is_the_sum_over_all_outcomes():
    areas = [3, 3, 40, 100, 128, 200, 256, 7]
    chances = np.array(areas) / CELLS
    for count in range(10):
        expected = sum(
            np.prod([share if hit else 1 - share for hit, share in zip(hits, chances, strict=True)])
            for hits in product([False, True], repeat=len(areas))
            if sum(hits) >= count
        )
        assert shift_tail(sizes_of(areas), count) == pytest.approx(expected, abs=1e-12)


def test_equal_sizes_give_the_binomial_tail_and_far_out_an_upper_bound():
    sizes = sizes_of([16] * 300)
    for count in range(0, 120, 3):
        expected = float(binom.sf(count - 1, 300, 1 / 16))
        if expected > 1e-9:
            assert shift_tail(sizes, count) == pytest.approx(expected, rel=1e-3)
        else:
            assert expected - 1e-13 <= shift_tail(sizes, count) <= 100 * max(expected, 1e-100)


def test_shifted_images_cover_a_cell_as_often_as_the_tail_says():
    """20,000 draws of 25 images with one to three squares each, shifted as whole images around the edges."""
    rng = np.random.default_rng(5)
    images = []
    for _ in range(25):
        cells = np.zeros((CELLS_SIDE, CELLS_SIDE), bool)
        for _ in range(rng.integers(1, 4)):
            side = rng.integers(2, 7)
            square = np.zeros_like(cells)
            square[:side, :side] = True
            cells |= np.roll(square, rng.integers(CELLS_SIDE, size=2), (0, 1))
        images.append(cells)
    shifts = rng.integers(CELLS_SIDE, size=(20_000, 25, 2))
    drawn = np.zeros(20_000, int)
    for number, cells in enumerate(images):
        drawn += cells[shifts[:, number, 0], shifts[:, number, 1]]
    sizes = sizes_of([int(cells.sum()) for cells in images])
    for count in range(1, 11):
        expected = shift_tail(sizes, count)
        spread = np.sqrt(expected * (1 - expected) / 20_000)
        assert abs((drawn >= count).mean() - expected) < 4.5 * spread + 1e-12


def test_more_images_than_there_are_cannot_cover_a_cell():
    assert shift_tail(sizes_of([5, 5]), 3) == 0
