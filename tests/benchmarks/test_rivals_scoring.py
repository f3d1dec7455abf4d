"""Scoring: the same numbers as the tally of cues on real runs, and equal areas on marks laid by hand."""

import numpy as np
import pytest
from run import iterated
from scoring import COUNTS, RATES, Marked, Outcome, areas, counts, found, grown, pointed_at, row, until

from unveil import find_regions, load_classifier
from unveil.evaluation.planted.cue_recall import count_cues, is_false
from unveil.images import Image
from unveil.planted import SIZE, draw_scene
from unveil.recipes import demo

CLASSIFIER = load_classifier("planted/demo", precision="fp32")  # a counted one has no quick form
SCENE = next(scene for scene in map(draw_scene, range(900, 1000)) if len(scene.cues) >= 3 and len(scene.labels) == 2)
A, B = SCENE.cues[0], SCENE.cues[1]


def named(values: list[float]) -> dict[str, float]:
    return dict(zip(COUNTS, values, strict=True))


def block(top: int, left: int, height: int, width: int) -> np.ndarray:
    inside = np.zeros((SIZE, SIZE), bool)
    inside[top : top + height, left : left + width] = True
    return inside


@pytest.mark.parametrize("seed", [100_001, 100_019, 100_021])
def test_a_run_counts_as_its_tally(seed):
    scene = draw_scene(seed)
    run = find_regions(Image.from_array(scene.pixels), CLASSIFIER, demo())
    expected = count_cues(run, scene, 5)
    asked = [CLASSIFIER.labels[index] for index in run.first.predicted()]
    outcome = iterated(scene, CLASSIFIER, demo())
    got = named(counts(scene, asked, outcome, outcome))
    assert (got["cues"], got["regions"], got["false_regions"]) == (
        expected.cues,
        expected.regions,
        expected.false_regions,
    )
    assert got["found"] == expected.found[-1] > 0
    # Beside itself, a method loses nothing and wins nothing.
    assert got["found_equal_area"] == got["found_grown"] == got["ours_found_at_its_area"] == got["found"]
    assert got["equal_area_px"] == got["area_px"] >= got["on_cues_px"] > 0


def test_areas_count_a_pixel_once_a_label():
    marked = [Marked("x", block(0, 0, 4, 4)), Marked("x", block(2, 0, 4, 4)), Marked("y", block(0, 0, 1, 1))]
    assert areas(marked) == {"x": 24, "y": 1}


def test_marks_are_taken_in_order_until_the_area_is_reached():
    first, second, third = (Marked("x", block(10 * i, 0, 2, 5)) for i in range(3))
    other = Marked("y", block(0, 50, 2, 2))
    marked = [first, other, second, third]
    assert until(marked, {"x": 10}) == [first]
    assert until(marked, {"x": 11, "y": 1}) == [first, other, second]
    assert until(marked, {"x": 999}) == [first, second, third]
    assert until(marked, {}) == []


def test_marks_grow_on_all_sides_until_the_area_is_reached():
    point = Marked("x", block(10, 10, 1, 1))
    (same,) = grown([point], {"x": 1})
    assert same.inside.sum() == 1
    (cross,) = grown([point], {"x": 2})
    assert cross.inside.sum() == 5
    (diamond,) = grown([point, Marked("x", block(10, 10, 1, 1))], {"x": 6})
    assert diamond.inside.sum() == 13
    assert grown([Marked("x", block(0, 0, 0, 0))], {"x": 6})[0].inside.sum() == 0, "nothing can't grow"
    assert grown([point], {"x": SIZE**2 + 1})[0].inside.all()


def test_a_cue_is_found_by_half_and_pointed_at_by_a_little():
    where = np.flatnonzero(A.inside)

    def some(share: float) -> Marked:
        inside = np.zeros(SIZE**2, bool)
        inside[where[: round(share * len(where))]] = True
        return Marked(A.label, inside.reshape(SIZE, SIZE))

    assert (found([A, B], [some(0.45)]), pointed_at([A, B], [some(0.45)])) == (0, 1)
    assert (found([A, B], [some(0.55)]), pointed_at([A, B], [some(0.55)])) == (1, 1)
    # Both halves together cover it.
    rest = Marked(A.label, A.inside & ~some(0.4).inside)
    assert found([A], [some(0.4)]) == 0
    assert found([A], [some(0.4), rest]) == 1
    # A mark of another label, and one that is mostly on the ground, point at nothing.
    other = next(label for label in SCENE.labels if label != A.label)
    assert pointed_at([A], [Marked(other, A.inside)]) == 0
    assert is_false(np.ones((SIZE, SIZE), bool), SCENE.inside(A.label))
    assert pointed_at([A], [Marked(A.label, np.ones((SIZE, SIZE), bool))]) == 0


def test_a_mark_over_two_cues_points_at_the_one_it_holds_more_of():
    mine = [cue for cue in SCENE.cues if cue.label == A.label]
    twin = next((cue for cue in mine if cue.index != A.index), None)
    if twin is None:
        mine = [cue for cue in SCENE.cues if cue.label == B.label]
    one, two = mine[0], mine[1]
    both = Marked(one.label, one.inside | two.inside)
    assert (found(mine, [both]), pointed_at(mine, [both])) == (2, 1)
    assert pointed_at(mine, [Marked(one.label, one.inside), Marked(one.label, two.inside)]) == 2


def test_equal_area_by_hand():
    """Ours: all of A, found in two rounds. Theirs: all of A and all of B, and something false."""
    half = np.zeros(SIZE**2, bool)
    half[np.flatnonzero(A.inside)[: round(0.4 * A.inside.sum())]] = True
    half = half.reshape(SIZE, SIZE)
    ours = Outcome((Marked(A.label, half), Marked(A.label, A.inside & ~half)))
    ground = ~SCENE.inside(A.label)
    theirs = Outcome((Marked(A.label, ground), Marked(A.label, A.inside), Marked(B.label, B.inside)), 2.5, 7, 3)
    got = named(counts(SCENE, SCENE.labels, theirs, ours))
    alike = A.label == B.label
    assert got["found"] == 2
    # At our area the ground alone is taken, and of another label nothing.
    assert got["found_equal_area"] == 0
    assert got["equal_area_px"] == ground.sum()
    assert got["ours_found_at_its_area"] == 1
    assert got["false_regions"] == 1
    assert got["on_cues_px"] == A.inside.sum() + B.inside.sum()
    assert got["area_px"] == SIZE**2 - (SCENE.inside(A.label) & ~A.inside).sum() + (0 if alike else B.inside.sum())
    assert (got["seconds"], got["forward_passes"], got["backward_passes"], got["labels"]) == (2.5, 7, 3, 2)


def test_rows_are_ratios_of_sums():
    values = np.arange(2 * len(COUNTS), dtype=float).reshape(2, -1) + 1
    made = row(values.tolist())
    sums = named(values.sum(axis=0).tolist())
    for name, (top, bottom) in RATES.items():
        assert made[name] == pytest.approx(sums[top] / sums[bottom], abs=1e-4)
        low, high = made["intervals"][name]
        assert low <= made[name] <= high
    nothing = row([[0.0] * len(COUNTS)])
    assert {nothing[name] for name in RATES} == {None}
