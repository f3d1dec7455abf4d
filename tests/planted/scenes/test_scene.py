"""Planted scenes: masks are exact, cues are independent, and settings are kept."""

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage, stats

from unveil.planted import KINDS, LABELS, SIZE, SceneError, SceneSettings, draw_scene

SEEDS = range(200, 240)
SCENES = [draw_scene(seed) for seed in SEEDS]


def test_equal_seeds_give_equal_scenes():
    for scene in SCENES[:5]:
        again = draw_scene(scene.seed)
        assert np.array_equal(scene.pixels, again.pixels)
        assert [cue.label for cue in scene.cues] == [cue.label for cue in again.cues]
    assert not np.array_equal(SCENES[0].pixels, SCENES[1].pixels)


def test_pixels_are_floats_in_0_1():
    for scene in SCENES:
        assert scene.pixels.shape == (3, SIZE, SIZE)
        assert scene.pixels.dtype == np.float32
        assert 0 <= scene.pixels.min() < scene.pixels.max() <= 1
        assert scene.pixels.std() > 0.03, "clutter, not a flat ground"


def test_a_mask_is_exactly_the_pixels_that_omitting_the_cue_changes():
    looked_at = 0
    for scene in SCENES:
        for cue in scene.cues:
            other = scene.without([cue.index])
            changed = (scene.pixels != other.pixels).any(0)
            assert not (changed & ~cue.inside).any(), "nothing outside its mask changes, not by one bit"
            assert np.count_nonzero(changed) >= 0.97 * np.count_nonzero(cue.inside)
            assert [one.index for one in other.cues] == [one.index for one in scene.cues if one.index != cue.index]
            looked_at += 1
    assert looked_at > 40


def test_without_all_cues_no_class_is_present():
    for scene in SCENES[:10]:
        bare = scene.without(cue.index for cue in scene.cues)
        assert (bare.labels, bare.cues) == ((), ())
        assert len(bare.distractors) == len(scene.distractors)


def test_objects_keep_their_distance_and_size():
    gap, (_, largest) = SceneSettings().gap_px, SceneSettings().size_px
    for scene in SCENES:
        masks = [*(cue.inside for cue in scene.cues), *scene.distractors]
        numbers = np.zeros((SIZE, SIZE), int)
        for number, inside in enumerate(masks, start=1):
            assert not numbers[inside].any()
            numbers[inside] = number
            extent = max(part.stop - part.start for part in ndimage.find_objects(inside.astype(int))[0])
            assert extent <= largest + 2
        for number, inside in enumerate(masks, start=1):
            near = ndimage.binary_dilation(inside, iterations=int(gap) - 1)
            assert set(np.unique(numbers[near])) <= {0, number}


def test_labels_follow_from_the_cues():
    for scene in SCENES:
        assert scene.labels == tuple(label for label in LABELS if any(cue.label == label for cue in scene.cues))
        assert all((cue.label, cue.kind) in KINDS for cue in scene.cues)
        for label in LABELS:
            expected = np.logical_or.reduce(
                [cue.inside for cue in scene.cues if cue.label == label] or [np.zeros((SIZE, SIZE), bool)]
            )
            assert np.array_equal(scene.inside(label), expected)


def test_classes_and_kinds_have_the_probabilities_of_the_settings():
    from unveil.planted.scenes.layout import plan_scene  # noqa: PLC0415

    settings = SceneSettings()
    plans = [plan_scene(np.random.default_rng((seed, 0)), settings) for seed in range(1500)]
    classes = Counter(len({thing.label for thing in plan if thing.label}) for plan in plans)
    expected = np.array(settings.classes_present) / sum(settings.classes_present) * len(plans)
    assert stats.chisquare([classes[count] for count in range(3)], expected).pvalue > 1e-4
    kinds = Counter((thing.label, thing.kind) for plan in plans for thing in plan if thing.label)
    assert set(kinds) == set(KINDS)
    assert stats.chisquare(list(kinds.values())).pvalue > 1e-4
    assert {len([thing for thing in plan if not thing.label]) for plan in plans} <= {0, 1, 2, 3, 4}


def test_fifteen_kinds_three_per_class():
    assert Counter(label for label, _ in KINDS) == dict.fromkeys(LABELS, 3)


def test_gray_scenes_and_other_settings():
    gray = draw_scene(5, SceneSettings(gray=True, classes_present=(0, 0, 1)))
    assert np.array_equal(gray.pixels[0], gray.pixels[2])
    assert len(gray.labels) == 2
    only = draw_scene(5, SceneSettings(classes_present=(0, 1), kinds=(("poppy", "pod"),), distractors=(0, 0)))
    assert {(cue.label, cue.kind) for cue in only.cues} == {("poppy", "pod")}
    assert only.distractors == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw_scene(-1), "a seed of 0 or more; got -1"),
        (lambda: draw_scene(200, omit=frozenset({99})), "cue indices among"),
        (lambda: SceneSettings(kinds=(("poppy", "engine"),)), "pairs of planted cues"),
        (lambda: SceneSettings(kinds=()), "pairs of planted cues; got none"),
        (lambda: SceneSettings(size_px=(20.0, 10.0)), "smallest <= largest"),
        (lambda: SceneSettings(distractors=(3, 1)), "fewest <= most"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(SceneError, match=message):
        make()
