"""Groups of images that look alike: those that were planted, and none of what has nothing in common."""

import numpy as np

from archive_columns import archive, random_regions, regions_of, square
from unveil.batch.summary import groups
from unveil.batch.summary.groups import find_groups


def planted(count: int = 60) -> list[dict]:
    """Three kinds in turn: label 0 upper left, supported; label 0 lower right, artifacts; label 1 upper left."""
    rng = np.random.default_rng(0)
    kinds = (
        {"label": 0, "verdict": 0, "place": (3, 3)},
        {"label": 0, "verdict": 2, "place": (24, 24)},
        {"label": 1, "verdict": 0, "place": (3, 3)},
    )
    rows = []
    for image in range(count):
        kind = dict(kinds[image % 3])
        top, left = np.array(kind.pop("place")) + rng.integers(-1, 2, size=2)
        rows.append({"image": image, **kind, "cells": square(top, left, 6)})
    return rows


def test_planted_groups_are_found_with_their_places_and_shares():
    found = find_groups(archive(("cat", "dog"), 60, regions_of(*planted())))
    kinds = {(group.label, group.verdict, group.size, round(group.share, 3)) for group in found}
    assert kinds == {("cat", "supported", 20, 0.333), ("cat", "artifact", 20, 0.333), ("dog", "supported", 20, 0.333)}
    for group in found:
        peak = np.unravel_index(group.where.argmax(), group.where.shape)
        assert (int(peak[0]) > 16) == (group.verdict == "artifact")
        numbers = {int(name[:4]) % 3 for name in group.examples}
        assert len(group.examples) == 3
        assert len(numbers) == 1


def test_one_place_with_two_verdicts_is_two_groups():
    rows = [{"image": image, "verdict": image % 2, "cells": square(5, 5)} for image in range(20)]
    assert [(group.verdict, group.size) for group in find_groups(archive(("cat",), 20, regions_of(*rows)))] == [
        ("supported", 10),
        ("weak", 10),
    ]


def test_only_first_regions_count():
    rows = [{"image": image, "cells": square(5, 5)} for image in range(10)]
    later = [{"image": image, "round": 2, "cells": square(20, 20)} for image in range(10)]
    (group,) = find_groups(archive(("cat",), 10, regions_of(*later, *rows)))
    assert group.where[6, 6] == 1
    assert group.where[21, 21] == 0


def test_small_regions_that_lie_anywhere_are_no_group_of_note():
    found = find_groups(archive(("cat",), 300, random_regions(300, 1, np.random.default_rng(0), side=2)))
    assert max((group.share for group in found), default=0) < 0.1


def test_of_many_images_a_sample_is_compared_that_the_seed_decides(monkeypatch):
    monkeypatch.setattr(groups, "MOST_SAMPLED", 30)
    columns = archive(("cat", "dog"), 600, regions_of(*planted(600)))
    first, again, other = (find_groups(columns, seed) for seed in (0, 0, 1))
    assert sum(group.size for group in first) == 30
    assert [group.examples for group in first] == [group.examples for group in again]
    assert [group.examples for group in first] != [group.examples for group in other]


def test_the_typical_example_comes_first():
    rows = [{"image": image, "cells": square(5, 5, 8)} for image in range(9)]
    rows[0]["cells"] = square(5, 9, 8)
    (group,) = find_groups(archive(("cat",), 9, regions_of(*rows)))
    assert group.size == 9
    assert group.examples[0] == "0001.png"
