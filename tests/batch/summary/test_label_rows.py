"""Rows of labels, counted by hand."""

import numpy as np
import pytest

from archive_columns import archive, pairs, random_regions, regions_of, square
from unveil.batch.summary.coverage import cover
from unveil.batch.summary.label_rows import summarize_labels


def rows_of(columns):
    return {row.label: row for row in summarize_labels(columns, cover(columns.regions))}


def test_a_label_is_counted_by_images_regions_and_first_verdicts():
    regions = regions_of(
        {"image": 0, "verdict": 1, "round": 2, "drop": 4.0},  # the first of image 0 is the next one
        {"image": 0, "verdict": 0, "round": 1, "drop": 2.0},
        {"image": 1, "verdict": 2, "drop": 1.0},
        {"image": 2, "verdict": -1, "drop": 0.0},
        {"image": 3, "verdict": 1, "drop": -1.0, "cells": np.zeros((32, 32), bool)},
        {"image": 3, "label": 1, "verdict": -1, "drop": 3.0, "cells": square(9, 9)},
    )
    columns = archive(
        ("cat", "dog", "bird", "unseen"),
        5,
        regions,
        predicted=pairs((0, 0), (1, 0), (1, 0), (4, 1)),
        later=pairs((3, 1), (3, 2)),
    )
    rows = rows_of(columns)
    assert list(rows) == ["cat", "dog", "bird"]
    cat, dog, bird = rows.values()
    assert (cat.images, cat.regions, cat.predicted, cat.later) == (4, 5, 2, 0)
    # First regions with a card: supported in image 0, an artifact in 1, weak in 3.
    assert cat.unsupported_first == pytest.approx(2 / 3)
    assert cat.mean_drop == pytest.approx(6 / 5)
    assert cat.placed == 3
    assert cat.where[0, 0] == 1
    assert cat.where[9, 9] == 0
    assert (dog.images, dog.predicted, dog.later, dog.unsupported_first) == (1, 1, 1, None)
    assert dog.where[9, 9] == 1
    assert (bird.images, bird.regions, bird.later, bird.mean_drop) == (0, 0, 1, None)


def test_rows_are_those_of_a_loop_over_random_regions():
    regions = random_regions(80, 3, np.random.default_rng(0))
    shuffled = regions.take(np.random.default_rng(1).permutation(len(regions)))
    for row in rows_of(archive(("0", "1", "2"), 80, shuffled)).values():
        own = [number for number in range(len(regions)) if regions.label[number] == int(row.label)]
        assert row.regions == len(own)
        assert row.images == len({int(regions.image[number]) for number in own})
        first: dict[int, int] = {}
        for number in sorted(own, key=lambda number: regions.round[number]):
            first.setdefault(int(regions.image[number]), int(regions.verdict[number]))
        tested = [verdict for verdict in first.values() if verdict >= 0]
        assert row.unsupported_first == pytest.approx(sum(verdict > 0 for verdict in tested) / len(tested))


def test_an_archive_without_regions_has_rows_of_what_was_predicted():
    columns = archive(("cat", "dog"), 3, regions_of(), predicted=pairs((0, 1), (2, 1)))
    assert [(label, row.predicted, row.images) for label, row in rows_of(columns).items()] == [("dog", 2, 0)]
