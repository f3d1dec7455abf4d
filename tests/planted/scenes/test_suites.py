"""The benchmark's suites: each has its difficulty, masks are exact, and the demo's world is unchanged."""

import numpy as np
import pytest
from scipy import ndimage

from unveil.planted import SIZE, SceneError, SceneSettings, draw_scene
from unveil.planted.scenes.layout import plan_scene
from unveil.planted.scenes.signs import AZURE, BENCHMARK, PALETTE, STONES
from unveil.planted.scenes.suites import SUITES, suite_scene

SEEDS = range(800_000, 800_006)
SCENES = {suite: [suite_scene(suite, seed) for seed in SEEDS] for suite in SUITES}
EVERY = [scene for scenes in SCENES.values() for scene in scenes]
APART = [scene for suite, scenes in SCENES.items() if suite != "overlap" for scene in scenes]


def plans(suite: str, count: int = 60):
    return [plan_scene(np.random.default_rng((seed, 1)), SUITES[suite]) for seed in range(count)]


def extent(inside: np.ndarray) -> int:
    return max(part.stop - part.start for part in ndimage.find_objects(inside.astype(int))[0])


def test_the_layout_of_the_demo_is_unchanged():
    """Places as version 0.1.0 drew them before there were suites."""
    things = plan_scene(np.random.default_rng((100_019, 0)), SceneSettings())
    result = [(one.label, one.kind, round(one.pose.x, 2), round(one.pose.y, 2)) for one in things]
    assert result == DEMO
    assert all(one.also == () for one in things)


DEMO = [
    ("poppy", "leaf", 11.59, 72.91),
    ("poppy", "leaf", 77.03, 105.85),
    ("poppy", "flower", 49.56, 72.17),
    ("poppy", "pod", 80.7, 21.24),
    ("", "", 107.15, 87.33),
]


def test_without_a_cue_nothing_else_changes():
    looked_at = 0
    for scene in APART:
        for cue in scene.cues:
            other = scene.without([cue.index])
            changed = (scene.pixels != other.pixels).any(0)
            assert not (changed & ~cue.inside).any()
            assert np.count_nonzero(changed) >= 0.9 * np.count_nonzero(cue.inside)
            looked_at += 1
    assert looked_at > 150


def test_a_shared_sign_is_a_cue_of_both_its_classes():
    shared = 0
    for scene in SCENES["shared"]:
        for index in {cue.index for cue in scene.cues}:
            same = [cue for cue in scene.cues if cue.index == index]
            expected = {"berries": {"poppy", "clover"}, "gall": {"clover", "iris"}}.get(same[0].kind)
            assert {cue.label for cue in same} == (expected or {same[0].label})
            assert all(np.array_equal(cue.inside, same[0].inside) for cue in same)
            assert not {cue.index for cue in scene.without([index]).cues} & {index}
            shared += expected is not None
    assert shared >= 4


def test_numbers_of_cues_per_class():
    for suite in SUITES:
        for things in plans(suite):
            cues = [thing for thing in things if thing.label]
            labels = {thing.label for thing in cues}
            most = {"many": 6, "overlap": 4, "large": 2}.get(suite, 3)
            assert len(labels) == 0 if suite == "absent" else 1 <= len(labels) <= 3
            if suite == "several":
                assert len(labels) >= 2
            elif suite != "absent":
                assert len(labels) == 1
            assert all(sum(thing.label == label for thing in cues) <= most for label in labels)
    counts = {len([thing for thing in things if thing.label]) for things in plans("many")}
    assert {4, 5, 6} <= counts
    assert {len([thing for thing in things if thing.label]) for things in plans("usual")} == {1, 2, 3}


def test_sizes_from_a_few_pixels_to_a_third_of_the_image():
    small, large = (
        [extent(cue.inside) for scene in SCENES[suite] for cue in scene.cues] for suite in ("small", "large")
    )
    assert max(small) <= 13
    assert min(small) <= 9
    assert max(large) >= 36
    assert max(large) <= SIZE / 3 + 3


def test_suites_of_one_thing_only():
    for suite, kind in (("texture", "texture"), ("shape", "shape"), ("color", "color"), ("small", "color")):
        assert {cue.kind for scene in SCENES[suite] for cue in scene.cues} == {kind}
    # Of the class that is a color no other thing has the color: its hue is far from every palette's.
    hue = np.array(AZURE) / np.linalg.norm(AZURE)
    others = np.array([*PALETTE, *STONES])
    assert (others @ hue / np.linalg.norm(others, axis=1)).max() < 0.9
    shapes = next(sign for sign in BENCHMARK.signs if sign.kind == "shape")
    assert len(shapes.palette) >= 5
    assert len(next(sign for sign in BENCHMARK.signs if sign.kind == "texture").designs) >= 5


def test_overlapping_cues_overlap_a_little():
    touching = 0
    for things in plans("overlap", 40):
        for number, one in enumerate(things):
            for other in things[:number]:
                distance = np.hypot(one.pose.x - other.pose.x, one.pose.y - other.pose.y)
                both = one.pose.radius + other.pose.radius
                assert distance >= both + SUITES["overlap"].gap_px - 1e-6
                touching += distance < both and bool(one.label) and bool(other.label)
    assert touching >= 10


def test_letters_are_upright_in_corners_at_most_one_of_a_kind():
    seen = 0
    for things in plans("letter", 60):
        letters = [thing for thing in things if thing.kind == "letter"]
        assert len(letters) <= 1
        for one in letters:
            seen += 1
            assert one.pose.angle == 0
            assert all(min(place, SIZE - 1 - place) < 20 for place in (one.pose.x, one.pose.y))
    assert seen > 20


def test_contrast_and_distractors_are_those_of_the_suite():
    assert all(thing.pose.contrast <= 0.55 for things in plans("faint") for thing in things)
    assert all(thing.pose.contrast >= 0.72 for things in plans("usual") for thing in things)
    crowd = np.mean([sum(not thing.label for thing in things) for things in plans("look-alikes")])
    assert crowd > 2 * np.mean([sum(not thing.label for thing in things) for things in plans("usual")])


def test_without_evidence_there_is_no_label():
    for scene in SCENES["absent"]:
        assert (scene.labels, scene.cues) == ((), ())
        assert len(scene.distractors) >= 1
    for scene in EVERY:
        assert scene.labels == tuple(
            label for label in BENCHMARK.labels if any(cue.label == label for cue in scene.cues)
        )


def test_suites_have_scenes_of_their_own():
    assert len({SCENES[suite][0].seed for suite in SUITES}) == len(SUITES)
    scene = SCENES["many"][2]
    assert np.array_equal(draw_scene(scene.seed, SUITES["many"]).pixels, scene.pixels)
    with pytest.raises(SceneError, match="expected a suite usual, many"):
        suite_scene("meadow", 3)


def test_kinds_of_another_world_are_refused():
    with pytest.raises(SceneError, match="pairs of planted cues"):
        SceneSettings(kinds=(("azure", "color"),))
    assert SceneSettings(kinds=(("azure", "color"),), world=BENCHMARK).world is BENCHMARK
