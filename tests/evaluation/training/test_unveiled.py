"""Rounds on scenes are counted as `find_regions` and the scenes themselves say."""

import unveil
from unveil.evaluation.training.scenes import TOGETHER
from unveil.evaluation.training.unveiled import unveil_scenes
from unveil.planted import draw_scene

FIRST, COUNT = 8_000_000, 3


def test_counts_follow_from_the_runs():
    classifier, recipe = unveil.load_classifier("planted/demo"), unveil.recipes.demo()
    counted = unveil_scenes(classifier, FIRST, COUNT, recipe)
    cues, found, first, regions, supported = 0, 0, 0, 0, 0
    for seed in range(FIRST, FIRST + COUNT):
        scene = draw_scene(seed, TOGETHER)
        run = unveil.find_regions(scene.pixels, classifier, recipe)
        for cue in scene.cues:
            if classifier.labels.index(cue.label) not in run.first.predicted():
                continue
            cues += 1
            own = [region for region in run.regions if region.target == cue.label]
            shares = [
                sum(region.mask.to_array()[cue.inside].sum() for region in some) / cue.inside.sum()
                for some in (own, [region for region in run.rounds[0].regions if region.target == cue.label])
            ]
            found += shares[0] >= 0.5
            first += shares[1] >= 0.5
        regions += len(run.regions)
        supported += sum(run.card(region).verdict == "supported" for region in run.regions)
    assert cues
    assert (counted.recall, counted.recall_round1) == (found / cues, first / cues)
    assert (counted.regions, counted.supported) == (regions / COUNT, supported / regions)
