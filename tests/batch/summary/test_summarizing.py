"""The whole summary: what failed, what is left, and the same as plain values."""

import json

import numpy as np
import pytest

from archive_columns import archive, random_regions, regions_of, square
from unveil.batch.summary.summarizing import summarize_columns


def test_failures_are_counted_by_kind_and_images_by_what_became_of_them():
    kinds = np.array(["", "ImageError", "", "OSError", "ImageError", ""], object)
    columns = archive(("cat",), 6, regions_of({"image": 0}, {"image": 0}, {"image": 5}), error_kinds=kinds, waiting=9)
    summary = summarize_columns(columns)
    assert (summary.images, summary.waiting, summary.regions, summary.without_regions) == (3, 9, 3, 1)
    assert list(summary.failed.items()) == [("ImageError", 2), ("OSError", 1)]


def test_the_summary_as_json_holds_every_number():
    rng = np.random.default_rng(0)
    regions = random_regions(60, 2, rng)
    marks = regions_of(*({"image": image, "label": 1, "cells": square(0, 0)} for image in range(55)))
    joined = {name: np.concatenate([getattr(regions, name), getattr(marks, name)]) for name in vars(regions)}
    summary = summarize_columns(archive(("cat", "dog"), 60, type(regions)(**joined)))
    values = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert values["regions"] == len(regions) + 55
    (place,) = values["places"]
    assert (place["label"], place["where"]) == ("dog", "upper left corner")
    assert place["share"] == pytest.approx(place["count"] / place["images"])
    assert np.allclose(values["labels"][0]["where"], summary.labels[0].where, atol=1e-4)
    assert [place.label for place in summary.shortcuts] == ["dog"]


def test_an_empty_archive_has_a_summary():
    summary = summarize_columns(archive((), 0, regions_of()))
    assert (summary.images, summary.labels, summary.places, summary.groups, summary.suspicious) == (0, (), (), (), ())
