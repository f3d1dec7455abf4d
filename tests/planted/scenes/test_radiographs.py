"""Findings planted into a radiograph: apart from each other, exactly outlined, and each can be left out alone."""

import numpy as np
import pytest
from scipy import ndimage

from unveil.planted.scenes.radiographs import COUNTS, LABELS, VISIBLE, plant


@pytest.fixture(scope="module")
def chest() -> np.ndarray:
    """Two dark lungs beside a bright column, with some texture."""
    rows, columns = np.indices((256, 240)) / 256
    lungs = sum(np.exp(-(((rows - 0.5) / 0.3) ** 4) - ((columns - at) / 0.13) ** 4) for at in (0.27, 0.67))
    grain = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(rows.shape), 3)
    return (0.75 - 0.55 * lungs + 0.1 * grain).clip(0, 1)


def test_the_masks_are_the_changed_pixels(chest):
    seen = dict.fromkeys(LABELS, 0)
    for seed in range(12):
        drawn, result = plant(chest, np.random.default_rng(seed))
        assert drawn.min() >= 0 and drawn.max() <= 1
        outlined = np.logical_or.reduce([one.inside for one in result] + [np.zeros(chest.shape, bool)])
        assert not (np.abs(drawn - chest)[~outlined] > VISIBLE).any(), "nothing that can be seen lies outside"
        counts = {label: sum(one.label == label for one in result) for label in LABELS}
        assert all(count <= COUNTS[label] for label, count in counts.items())
        assert sum(one.inside.sum() for one in result) == outlined.sum(), "they don't overlap"
        for one in result:
            assert (np.abs(drawn - chest)[one.inside] > VISIBLE).mean() > 0.5
            y, x, height, width = one.box()
            assert np.argwhere(one.inside).min(0).tolist() == [y, x]
            assert (np.argwhere(one.inside).max(0) + 1).tolist() == [y + height, x + width]
            seen[one.label] += 1
    assert all(count >= 3 for count in seen.values()), seen


def test_each_finding_can_be_omitted_alone(chest):
    for seed in range(6):
        whole, result = plant(chest, np.random.default_rng(seed))
        parts = np.zeros_like(chest)
        for number, one in enumerate(result):
            without, same = plant(chest, np.random.default_rng(seed), leave_out=number)
            assert [(other.label, other.inside.tolist()) for other in same] == [
                (other.label, other.inside.tolist()) for other in result
            ]
            assert np.array_equal(without[one.inside], chest[one.inside])
            parts += whole - without
        assert parts == pytest.approx(whole - chest), "the changes are the sum of what each finding changes"


def test_equal_seeds_plant_equal_findings_and_keep_the_radiograph(chest):
    before = chest.copy()
    first, second, third = (plant(chest, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)
    assert np.array_equal(chest, before)
