"""A run with a label check whose label cards follow by hand, for the tests of tables and figures."""

from dataclasses import replace

import numpy as np

from tiny_runs import run
from unveil.predictions import Output, Prediction
from unveil.records import Region, Round, Run, ShownLabel
from unveil.targets import TargetScore

CAT, DOG, FOX = "cat", "dog", "red [fox]"  # as names of labels; brackets would be markup
LABELS = (CAT, DOG, FOX)
Shown = tuple[tuple[int, float], ...]


def labeled_run(*rounds: tuple[int, list[Shown]]) -> Run:
    """A run of an image in which `CAT` is predicted. Each round has the class that it searches for, and for each of its
    regions the labels that the region shows, with their gains. A region that doesn't show its target has a gain of 0.02
    for it. There are no trust cards."""
    made = tuple(_round(index, target, shown) for index, (target, shown) in enumerate(rounds, start=1))
    classifier = replace(run().classifier, labels=LABELS)
    first = Prediction(np.array([4.0, 0.0, 0.0]), Output.SOFTMAX)
    return replace(run(), classifier=classifier, first=first, rounds=made, trust=None)


def three_labels() -> Run:
    """Regions 1 and 2 of `CAT`, which both show it; region 3 of `DOG`, which shows `FOX`; region 4 of `DOG`, which
    shows nothing. So `CAT` and `FOX` are supported, and `DOG` is an artifact."""
    return labeled_run((0, [((0, 0.75),), ((0, 0.5),)]), (1, [((2, 0.625),), ()]))


def only_cat() -> Run:
    """One region of `CAT`, which shows it."""
    return labeled_run((0, [((0, 0.75),)]))


def _round(index: int, target: int, regions: list[Shown]) -> Round:
    model = run().rounds[0]
    score = TargetScore(LABELS[target], ((target, 1.0),))
    maps = (replace(model.maps[0], target_score=score, reason=None),)
    made = tuple(_region(model.regions[0], score, target, shown) for shown in regions)
    return replace(model, index=index, maps=maps, regions=made)


def _region(model: Region, score: TargetScore, target: int, shown: Shown) -> Region:
    labels = tuple(ShownLabel(index, LABELS[index], gain) for index, gain in shown)
    return replace(model, target_score=score, shown=labels, box_gain=dict(shown).get(target, 0.02))


def first_shown(region: Region) -> ShownLabel:
    """The first label that a region shows."""
    assert region.shown
    return region.shown[0]
