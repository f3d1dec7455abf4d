"""Counting cues: on runs whose regions are laid by hand over the cues of a real scene."""

import dataclasses

import numpy as np
import pytest

from unveil.classifiers import load_classifier
from unveil.evaluation.planted.cue_recall import CueTally, count_cues, is_false
from unveil.images import Image
from unveil.masks import Mask
from unveil.planted import SIZE, Scene, draw_scene
from unveil.predictions import Output, Prediction
from unveil.recipes import Recipe
from unveil.records import Region, Round, Run
from unveil.rounds import find_regions
from unveil.stopping import MaxRounds
from unveil.targets import Class, class_score

CLASSIFIER = load_classifier("planted/demo")
SCENE = next(scene for scene in map(draw_scene, range(900, 1000)) if len(scene.cues) >= 3 and len(scene.labels) == 2)
NOTHING = np.zeros((SIZE, SIZE), bool)


def region(label: str, inside: np.ndarray) -> Region:
    mask = Mask.from_array(inside)
    score = class_score(CLASSIFIER.labels.index(label), CLASSIFIER.labels)
    return Region(score, mask, mask, None, 0.0, 0.0, None, None, None, 0.0, 0.0)


def run_with(scene: Scene, rounds: list[list[Region]], predicted: tuple[str, ...] | None = None) -> Run:
    """A real run of the scene, with regions laid by hand."""
    real = find_regions(Image.from_array(scene.pixels), CLASSIFIER, Recipe(target=Class(0), stop=MaxRounds(1)))
    names = scene.labels if predicted is None else predicted
    first = Prediction(np.array([1.0 if label in names else -1.0 for label in CLASSIFIER.labels]), Output.SIGMOID)
    done: list[Round] = [
        dataclasses.replace(real.rounds[0], index=index, regions=tuple(regions))
        for index, regions in enumerate(rounds, start=1)
    ]
    return dataclasses.replace(real, rounds=tuple(done), first=first)


def part_of(inside: np.ndarray, share: float) -> np.ndarray:
    """The first pixels of a set, as many as the share says."""
    where = np.flatnonzero(inside)
    result = np.zeros(inside.size, bool)
    result[where[: round(share * len(where))]] = True
    return result.reshape(inside.shape)


def test_a_cue_is_found_once_half_of_it_is_covered_by_its_own_label():
    a, b, *_ = SCENE.cues
    other = next(label for label in SCENE.labels if label != a.label)
    rounds = [
        [region(a.label, part_of(a.inside, 0.3)), region(other, a.inside)],
        [region(a.label, a.inside & ~part_of(a.inside, 0.7))],
        [region(b.label, b.inside)],
    ]
    counted = count_cues(run_with(SCENE, rounds), SCENE, 4)
    assert counted.found == (0, 1, 2, 2)
    assert counted.cues == len(SCENE.cues)
    assert counted.recall(2) == 1 / len(SCENE.cues)
    assert counted.recall(9) == 2 / len(SCENE.cues)
    assert (counted.regions, counted.false_regions) == (4, 1)
    assert counted.false_region_rate == 0.25


def test_a_region_is_false_below_a_tenth():
    a = SCENE.cues[0]
    ground = np.flatnonzero(~SCENE.inside(a.label))
    count = np.count_nonzero(a.inside)
    for spread, expected in ((8.8, False), (9.5, True)):
        wide = a.inside.copy().ravel()
        wide[ground[: int(spread * count)]] = True
        assert is_false(wide.reshape(SIZE, SIZE), SCENE.inside(a.label)) is expected


def test_cues_of_labels_that_are_not_predicted_are_counted_apart():
    label = SCENE.labels[0]
    mine = [cue for cue in SCENE.cues if cue.label == label]
    counted = count_cues(run_with(SCENE, [[region(mine[0].label, mine[0].inside)]], predicted=(label,)), SCENE, 2)
    assert (counted.cues, counted.cues_missed_by_classifier) == (len(mine), len(SCENE.cues) - len(mine))
    assert counted.found == (1, 1)


def test_scenes_without_evidence():
    empty = next(scene for scene in map(draw_scene, range(900, 1000)) if not scene.cues)
    quiet = count_cues(run_with(empty, []), empty, 3)
    loud = count_cues(run_with(empty, [[region("poppy", ~NOTHING)]]), empty, 3)
    assert (quiet.empty_scenes, quiet.empty_scenes_with_regions, quiet.false_region_rate, quiet.recall(1)) == (
        1,
        0,
        None,
        None,
    )
    assert (loud.empty_scenes, loud.empty_scenes_with_regions, loud.false_region_rate) == (1, 1, 1.0)


def test_tallies_add_up():
    a = CueTally(1, 4, 1, (1, 2, 3), 5, 1, 0, 0)
    b = CueTally(2, 3, 0, (2,), 2, 0, 1, 1)
    assert a + b == b + a == CueTally(3, 7, 1, (3, 4, 5), 7, 1, 1, 1)
    assert sum([a, b], CueTally()).recall(3) == pytest.approx(5 / 7)
