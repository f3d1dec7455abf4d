"""Runs by the protocol of ChestX-ray8, by hand: boxes of regions by round, and of the first map."""

import dataclasses

import numpy as np
from handmade import handmade, inside

from unveil.box_filter import box_mean
from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.chestxray8 import CRITERIA, THRESHOLDS
from unveil.evaluation.metrics.detections import boxes_of_map, iou_and_iobb
from unveil.evaluation.metrics.of_runs import FIRST_MAP, count_run_localization, states_of
from unveil.images import Geometry
from unveil.recipes import Recipe
from unveil.regions import SmoothedThreshold

SHAPE = (6, 8)
TARGETS = {"Mass": [0], "Nodule": [1, 2]}  # of mass, nodule, small nodule
MASS, NODULE = LabeledBox("Mass", 0, 0, 4, 4), LabeledBox("Nodule", 8, 12, 4, 4)
HALF = THRESHOLDS.index(0.5)


def run():
    """A source of 12 x 16 px on a grid of 6 x 8: the mass is met in round 1, in round 2 a nodule and nothing's box."""
    on_mass, on_nodule = inside(SHAPE, slice(0, 2), slice(0, 2)), inside(SHAPE, slice(4, 6), slice(6, 8))
    beside = inside(SHAPE, slice(3, 4), slice(0, 5))
    saliency = np.zeros(SHAPE)
    saliency[1, 1], saliency[5, 1] = 5, 1.5
    return handmade(
        ["mass", "nodule", "small nodule"],
        [[0.0] * 3] * 3,
        [[("mass", on_mass)], [("small nodule", on_nodule), ("mass", beside)]],
        geometry=Geometry.resize((12, 16), SHAPE),
        saliencies=[{"mass": saliency}, {}],
    )


def test_regions_by_round():
    found = count_run_localization(run(), [MASS, NODULE], TARGETS, "patient", 3)
    assert list(found) == list(states_of(3)) == ["first map", "round 1", "round 2", "round 3"]
    row = CRITERIA.index("iou")
    counts = {
        (state, one.label): (one.boxes, one.detected, int(one.found[row, HALF]), int(one.false[row, HALF]))
        for state in ("round 1", "round 2", "round 3")
        for one in found[state]
    }
    assert counts == {
        ("round 1", "Mass"): (1, 1, 1, 0),
        ("round 1", "Nodule"): (1, 0, 0, 0),
        ("round 2", "Mass"): (1, 2, 1, 1),
        ("round 2", "Nodule"): (1, 1, 1, 0),
        ("round 3", "Mass"): (1, 2, 1, 1),
        ("round 3", "Nodule"): (1, 1, 1, 0),
    }
    assert {one.group for those in found.values() for one in those} == {"patient"}


def test_the_first_map_is_smoothed_as_the_recipe_does_and_cut_on_the_source():
    done = run()
    (mass, nodule) = count_run_localization(done, [MASS, NODULE], TARGETS, 1, 1)[FIRST_MAP]
    saliency = done.rounds[0].maps[0].saliency
    for _ in range(3):  # the default: 11 x 11, three times
        saliency = box_mean(saliency, 11)
    boxes = boxes_of_map(done.source.geometry.map_to_source(saliency))
    assert mass.detected == len(boxes) >= 2
    iou, _ = iou_and_iobb(boxes, [MASS])
    assert mass.false[0].tolist() == [int((iou <= threshold).sum()) for threshold in THRESHOLDS]
    assert (nodule.detected, nodule.boxes) == (0, 1), "not asked about in the first round"


def test_the_first_map_is_smoothed_by_the_selector_in_the_record():
    """Without smoothing the two bright pixels of the map keep boxes of their own size: 2 px of the source each."""
    recipe = Recipe(selector=SmoothedThreshold(size_px=1, passes=1)).as_dict()
    done = dataclasses.replace(run(), recipe=recipe)
    (mass, _) = count_run_localization(done, [MASS, NODULE], TARGETS, 1, 1)[FIRST_MAP]
    boxes = boxes_of_map(done.source.geometry.map_to_source(done.rounds[0].maps[0].saliency))
    smoothed = count_run_localization(run(), [MASS, NODULE], TARGETS, 1, 1)[FIRST_MAP][0]
    assert mass.detected == len(boxes)
    assert (mass.found != smoothed.found).any() or mass.detected != smoothed.detected
