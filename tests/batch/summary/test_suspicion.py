"""The most suspicious images, against means and counts by hand."""

import numpy as np

from archive_columns import archive, pairs, random_regions, regions_of
from unveil.batch.summary.suspicion import rank_images


def test_images_are_ranked_by_their_mean_suspicion():
    regions = regions_of(
        {"image": 0, "suspicion": 0.2},
        {"image": 2, "suspicion": 2.5, "verdict": 2},
        {"image": 2, "suspicion": 0.5, "verdict": -1},
        {"image": 3, "suspicion": 1.5, "verdict": 1},
    )
    columns = archive(
        ("cat", "dog"), 5, regions, predicted=pairs((2, 1), (2, 0), (2, 1), (4, 0)), later=pairs((3, 1), (3, 1))
    )
    found = rank_images(columns)
    assert [(one.sample, one.suspicion) for one in found] == [("0002.png", 1.5), ("0003.png", 1.5), ("0000.png", 0.2)]
    assert found[0].predicted == ("dog", "cat")
    assert found[1].later == ("dog",)
    assert [(one.supported, one.weak, one.artifact, one.untested) for one in found] == [
        (0, 0, 1, 1),
        (0, 1, 0, 0),
        (1, 0, 0, 0),
    ]


def test_only_so_many_are_returned_and_they_are_the_highest():
    regions = random_regions(200, 2, np.random.default_rng(0))
    means = {image: regions.suspicion[regions.image == image].mean() for image in range(200)}
    highest = sorted(means, key=lambda image: -means[image])[:7]
    found = rank_images(archive(("cat", "dog"), 200, regions), 7)
    assert [one.sample for one in found] == [f"{image:04}.png" for image in highest]
