"""Unions of regions, and the coarse grid, against loops over cells."""

import numpy as np

from archive_columns import bits_of, random_regions, regions_of, square
from unveil.batch.places import covered_cells
from unveil.batch.summary.coverage import coarse_cells, count_cells, cover, first_of_each_group, place_shares


def test_regions_of_one_label_in_one_image_are_joined():
    regions = regions_of(
        {"image": 4, "label": 1, "cells": square(0, 0)},
        {"image": 2, "label": 1, "cells": square(8, 8)},
        {"image": 4, "label": 0, "cells": square(16, 0)},
        {"image": 4, "label": 1, "cells": square(0, 2)},
        {"image": 4, "label": 1, "cells": np.zeros((32, 32), bool)},
    )
    coverage = cover(regions)
    entries = list(zip(coverage.label.tolist(), coverage.image.tolist(), strict=True))
    assert entries == [(0, 4), (1, 2), (1, 4)]
    assert (covered_cells(coverage.bits)[2] == (square(0, 0) | square(0, 2))).all()
    assert [(label, len(part)) for label, part in coverage.by_label()] == [(0, 1), (1, 2)]


def test_the_share_of_images_that_cover_a_place():
    coverage = cover(random_regions(50, 1, np.random.default_rng(0)))
    cells = covered_cells(coverage.bits)
    for y, x in ((0, 0), (3, 17), (31, 31)):
        assert place_shares(coverage)[y, x] == sum(bool(one[y, x]) for one in cells) / 50


def test_a_cell_of_the_coarse_grid_is_covered_if_any_of_its_places_is():
    rng = np.random.default_rng(1)
    places = rng.random((40, 32, 32)) < 0.1
    coarse = coarse_cells(bits_of(places)).reshape(40, 16, 16)
    for number, y, x in rng.integers((40, 16, 16), size=(300, 3)):
        assert coarse[number, y, x] == places[number, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].any()


def test_cells_and_sizes_are_counted():
    coverage = cover(random_regions(30, 1, np.random.default_rng(2)))
    covered, sizes = count_cells(coverage)
    coarse = coarse_cells(coverage.bits)
    assert covered.tolist() == [sum(column) for column in coarse.T.tolist()]
    areas = [sum(row) for row in coarse.tolist()]
    assert {area: areas.count(area) for area in areas} == {int(a): int(sizes[a]) for a in np.flatnonzero(sizes)}


def test_of_each_group_the_first_image_stays_for_each_label():
    rows = [(0, 0), (0, 1), (1, 0), (2, 0), (3, 1), (4, 0), (5, 0)]
    coverage = cover(regions_of(*({"image": image, "label": label} for image, label in rows)))
    kept = first_of_each_group(coverage, np.array([7, 7, 8, 7, -1, -1]))
    entries = set(zip(kept.image.tolist(), kept.label.tolist(), strict=True))
    assert entries == {(0, 0), (0, 1), (2, 0), (4, 0), (5, 0)}
