"""Batches: the same step gives the same one, erased pixels are what the kind of erasing says, shapes keep their area."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training_sets import quick, square_network, squares
from unveil.fills import Constant
from unveil.training import Erasing, find_regions_of_many
from unveil.training.batches import BatchMaker, move_at_random

EXAMPLES = squares(12)
FOUND = find_regions_of_many(
    square_network(), EXAMPLES.batch, EXAMPLES.targets.argmax(1).tolist(), quick(rounds=2), "s"
)
NUMBERS = tuple(range(12))


def maker(**changes) -> BatchMaker:
    settings = quick(**({"batch_size": 12, "clean_share": 0.0, "fills": (Constant(1.0),)} | changes))
    return BatchMaker(EXAMPLES, settings, torch.zeros(3), FOUND, NUMBERS)


def test_a_step_gives_the_same_batch_alone_and_in_a_row():
    one = maker(clean_share=0.3, erase="mix")
    row = [one.make(step) for step in range(4)]
    alone = maker(clean_share=0.3, erase="mix").make(3)
    assert torch.equal(alone.pixels, row[3].pixels)
    assert (alone.erased == row[3].erased).all()
    assert not torch.equal(row[2].pixels, row[3].pixels)


def rows_of(batch) -> list[int]:
    """Which example each image is, by its pixels outside of what was erased."""
    found = []
    for image, erased in zip(batch.pixels, batch.erased, strict=True):
        kept = ~erased
        same = [
            bool((torch.from_numpy(EXAMPLES.pixels[row] / 255.0)[:, kept].float() - image[:, kept]).abs().max() < 1e-6)
            for row in NUMBERS
        ]
        found.append(same.index(True))
    return found


def test_found_regions_are_erased_from_their_own_images_and_from_nothing_else():
    batch = maker(erase="found").make(0)
    rows = rows_of(batch)
    assert sorted(rows) == list(NUMBERS)  # each image once, as there are as many as a batch holds
    for row, image, erased in zip(rows, batch.pixels, batch.erased, strict=True):
        assert any((erased == FOUND.erased[row, number]).all() for number in range(2))
        assert (image[:, erased] == 1).all()
    assert (batch.targets.numpy() == EXAMPLES.targets[rows]).all()


def test_random_erasing_has_the_areas_of_found_regions_in_other_places():
    areas, inside = [], 0
    for step in range(20):
        batch = maker(erase="random").make(step)
        for row, erased in zip(rows_of(batch), batch.erased, strict=True):
            areas.append(int(erased.sum()))
            inside += any((erased == FOUND.erased[row, number]).all() for number in range(2))
    possible = set(FOUND.erased.sum((2, 3)).ravel().tolist())
    assert set(areas) <= possible
    assert inside < len(areas) / 10


def test_a_share_stays_clean_and_a_mix_is_half_of_both():
    batches = [maker(erase="mix", clean_share=0.25).make(step) for step in range(30)]
    erased = np.concatenate([batch.erased for batch in batches])
    rows = np.concatenate([rows_of(batch) for batch in batches])
    touched = erased.any((1, 2))
    assert 0.15 < 1 - touched.mean() < 0.35
    own = [
        any((mask == FOUND.erased[row, number]).all() for number in range(2))
        for row, mask in zip(rows[touched], erased[touched], strict=True)
    ]
    assert 0.4 < np.mean(own) < 0.6


def test_clean_images_are_of_all_and_erased_ones_of_those_that_were_searched():
    searched = (1, 4, 7)
    found = find_regions_of_many(
        square_network(), EXAMPLES.batch, EXAMPLES.targets.argmax(1).tolist(), quick(rounds=2), "s"
    )
    some = type(found)(found.erased[list(searched)], found.rounds[list(searched)])
    settings = quick(batch_size=12, clean_share=0.5, fills=(Constant(1.0),), erase="found")
    made = BatchMaker(EXAMPLES, settings, torch.zeros(3), some, searched)
    clean, touched = set(), set()
    for step in range(20):
        batch = made.make(step)
        for row, erased in zip(rows_of(batch), batch.erased, strict=True):
            (touched if erased.any() else clean).add(row)
    assert touched == set(searched)
    assert clean == set(NUMBERS)


def test_nothing_is_erased_where_nothing_was_asked_for_or_found():
    settings = quick(erase=Erasing.NONE, clean_share=0.0)
    assert not BatchMaker(EXAMPLES, settings, torch.zeros(3)).make(0).erased.any()


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 9))
def test_moving_keeps_area_and_the_set_of_differences(seed, height, width):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.3
    moved = move_at_random(mask, rng)
    assert moved.shape == mask.shape
    assert moved.sum() == mask.sum()
    # On the torus, a shift keeps the autocorrelation; mirroring and turning only mirror and turn it.
    spectra = [np.sort(np.abs(np.fft.fft2(one)).ravel()) for one in (mask, moved)]
    np.testing.assert_allclose(*spectra, atol=1e-9)


@pytest.mark.parametrize("fills", [(Constant(0.0), Constant(1.0))])
def test_fills_are_drawn_for_each_image(fills):
    batch = maker(fills=fills).make(0)
    values = {float(image[:, erased].mean()) for image, erased in zip(batch.pixels, batch.erased, strict=True)}
    assert values == {0.0, 1.0}
