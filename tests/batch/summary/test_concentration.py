"""Concentrated places: named where a label has one, never where regions are anywhere, and told from what all share."""

import numpy as np
import pytest

from archive_columns import archive, pairs, random_regions, regions_of, square
from unveil.batch.places import PLACES_SIDE
from unveil.batch.summary import concentration
from unveil.batch.summary.columns import RegionColumns
from unveil.batch.summary.concentration import find_places
from unveil.batch.summary.coverage import cover

LABELS = ("cat", "dog", "effusion")


def places_of(regions: RegionColumns, images: int, **values):
    columns = archive(LABELS, images, regions, **values)
    return find_places(columns, cover(columns.regions))


def joined(*parts: RegionColumns) -> RegionColumns:
    names = parts[0].__dataclass_fields__
    return RegionColumns(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def marked(images, label: int = 2, place: tuple[int, int] = (1, 25)) -> RegionColumns:
    """A region at one place in some images."""
    return regions_of(*({"image": image, "label": label, "cells": square(*place)} for image in images))


def test_a_marker_of_one_label_is_named_with_its_place():
    rng = np.random.default_rng(0)
    regions = joined(random_regions(100, 3, rng, side=4), marked(range(0, 80)))
    (place,) = places_of(regions, 100)
    assert (place.label, place.where, place.is_own) == ("effusion", "upper right corner", True)
    assert 80 <= place.count <= 90
    assert place.images == 100
    top, left, bottom, right = place.box
    assert (top, left) == (0, 12 / 16)
    assert (bottom, right) == (3 / 16, 15 / 16)
    assert place.others_share is not None
    assert place.others_share < 0.1
    assert place.examples == tuple(f"{number:04}.png" for number in range(5))


def test_no_place_is_named_where_regions_are_anywhere():
    """200 archives of 60 images and 3 labels; at p <= .01, two false alarms are expected at most."""
    alarms = sum(bool(places_of(random_regions(60, 3, np.random.default_rng(seed), side=4), 60)) for seed in range(200))
    assert alarms <= 5  # a binomial with 200 draws of .01 exceeds it with probability .016


def test_p_values_without_any_place_are_rarely_small(monkeypatch):
    """Over cells and labels together: at most 5 % of the archives have any corrected p below .05."""
    monkeypatch.setattr(concentration, "MIN_RATIO", 0.0)
    monkeypatch.setattr(concentration, "ALPHA", 0.05)
    seeds = 120
    alarms = sum(
        bool(places_of(random_regions(40, 3, np.random.default_rng(1000 + seed)), 40)) for seed in range(seeds)
    )
    assert alarms <= 0.05 * seeds + 2 * np.sqrt(0.05 * 0.95 * seeds)


def test_a_place_of_all_labels_is_not_the_own_place_of_any():
    rng = np.random.default_rng(1)
    watermark = [marked(range(70), label, (28, 0)) for label in range(3)]
    places = places_of(joined(random_regions(100, 3, rng, side=4), *watermark), 100)
    assert [place.label for place in places] == sorted(LABELS)
    assert {place.where for place in places} == {"lower left corner"}
    assert not any(place.is_own for place in places)
    for place in places:
        assert place.others_share == pytest.approx(place.share, abs=0.1)


def test_two_markers_of_one_label_are_two_places():
    rng = np.random.default_rng(2)
    both = [marked(range(70), 2, (0, 0)), marked(range(30, 100), 2, (28, 14))]
    places = places_of(joined(random_regions(100, 3, rng, side=4), *both), 100)
    assert {place.where for place in places} == {"upper left corner", "lower edge"}


def test_an_archive_of_one_label_has_places_but_none_to_compare_with():
    (place,) = places_of(joined(random_regions(60, 1, np.random.default_rng(3), side=4), marked(range(50), 0)), 60)
    assert place.others_share is None
    assert place.others_p_value is None
    assert not place.is_own


def test_nothing_is_said_about_few_images():
    assert places_of(marked(range(19)), 19) == ()
    assert len(places_of(marked(range(20)), 20)) == 1


def test_images_of_one_patient_count_once():
    """The marker is in 60 images, all of one patient; of the others, one image each."""
    rng = np.random.default_rng(4)
    regions = joined(random_regions(120, 3, rng, side=4), marked(range(60)))
    groups = np.concatenate([np.zeros(60, int), np.arange(1, 61)])
    assert places_of(regions, 120, groups=groups) == ()
    assert len(places_of(regions, 120, groups=np.arange(120) // 2)) == 1


def test_shares_are_told_apart_by_the_true_label():
    """Of the images with regions of the label, 40 truly have it and are marked, 60 are neither, but for 3."""
    rng = np.random.default_rng(5)
    regions = joined(random_regions(100, 3, rng, side=2), marked([*range(40), 50, 51, 52]))
    true = pairs(*((image, 2) for image in range(40)))
    (place,) = places_of(regions, 100, true=true)
    assert place.share_if_true == 1
    assert place.share_if_false == pytest.approx(3 / 60, abs=0.05)
    assert place.count == pytest.approx(43, abs=3)


def test_true_labels_of_other_names_say_nothing():
    regions = joined(random_regions(60, 3, np.random.default_rng(6), side=4), marked(range(50)))
    (place,) = places_of(regions, 60, true=pairs((0, 0), (1, 1)))
    assert (place.share_if_true, place.share_if_false) == (None, None)


def test_regions_without_a_place_are_left_out():
    empty = regions_of(*({"image": image, "cells": np.zeros((PLACES_SIDE, PLACES_SIDE), bool)} for image in range(50)))
    assert places_of(empty, 50) == ()
