"""The rows of runs: every region once, with the numbers of the record, and what found nothing."""

import pytest

from labeled_runs import CAT, DOG, FOX, three_labels
from tiny_runs import RECIPES, run
from unveil.export import COLUMNS, run_rows


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_region_has_a_row_and_every_target_without_one_too(recipe):
    made = run(recipe)
    rows = run_rows(made, "folder")
    assert all(list(row) == list(COLUMNS) for row in rows)
    regions = [row for row in rows if row["number"] is not None]
    assert [row["drop"] for row in regions] == [region.drop for region in made.regions]
    assert [row["area_px"] for row in regions] == [int(region.mask.to_array().sum()) for region in made.regions]
    assert [row["number"] for row in regions] == list(range(1, len(made.regions) + 1))
    reasons = [one.reason for round_ in made.rounds for one in round_.maps if one.reason]
    assert [row["no_region"] for row in rows if row["no_region"]] == reasons
    assert len(rows) == max(1, len(regions) + len(reasons))
    assert {row["run"] for row in rows} == {"folder"}
    assert all(row["stop"] for row in rows)


def test_boxes_are_those_of_the_masks():
    made = run(spacing=True)
    for row, region in zip(run_rows(made), made.regions, strict=False):
        ys, xs = region.mask.to_array().nonzero()
        assert (row["box_start_y"], row["box_stop_y"]) == (ys.min(), ys.max() + 1)
        assert (row["box_start_x"], row["box_stop_x"]) == (xs.min(), xs.max() + 1)
        assert row["box_start_d"] is None
        assert row["area_mm2"] == pytest.approx(0.7 * 0.1 * len(ys))


def test_labels_are_those_that_the_regions_show():
    """By hand from `three_labels`."""
    rows = [row for row in run_rows(three_labels()) if row["number"]]
    assert [(row["target"], row["other_label"]) for row in rows] == [(CAT, None), (CAT, None), (DOG, FOX), (DOG, None)]
    assert [(row["label"], row["label_verdict"]) for row in rows] == [
        (CAT, "supported"),
        (CAT, "supported"),
        (FOX, "supported"),
        (DOG, "artifact"),
    ]


def test_types_are_those_that_the_columns_promise():
    values = [(name, value) for row in run_rows(run(spacing=True)) for name, value in row.items() if value is not None]
    assert {name for name, value in values if type(value) is not COLUMNS[name]} == set()
