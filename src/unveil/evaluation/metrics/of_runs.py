"""Runs against boxes by the protocol of ChestX-ray8: regions after each round, and one map cut at 60 and 180 of 255."""

from collections.abc import Collection, Hashable, Mapping, Sequence

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.chestxray8 import Localization, count_localization
from unveil.evaluation.metrics.detections import boxes_of_map
from unveil.masks import Box
from unveil.recipes import Recipe
from unveil.records import Run

FIRST_MAP = "first map"


def states_of(rounds: int) -> tuple[str, ...]:
    """Names of the compared states: `first map`, and `round 1` … for all regions found up to that round."""
    return (FIRST_MAP, *(f"round {index}" for index in range(1, rounds + 1)))


def count_run_localization(
    run: Run, boxes: Sequence[LabeledBox], targets: Mapping[str, Collection[int]], group: Hashable, rounds: int
) -> dict[str, list[Localization]]:
    """For every state, the counts of every label in `targets` in one image.

    `targets`: for each label of the data set, the indices of the classifier's classes that name the same thing. `boxes`
    are in pixels of the run's source. Detected boxes are those of the label's regions in the rounds 1 … r; a run that
    ended early keeps its regions in later rounds. `first map`: the boxes of the first round's map of the label,
    smoothed as in the run's recipe but without its thresholds, on the source's pixels. A label that the run didn't
    explain has no detected boxes.
    """
    counts: dict[str, list[Localization]] = {state: [] for state in states_of(rounds)}
    for label, indices in targets.items():
        truth = [box for box in boxes if box.label == label]
        detected = {FIRST_MAP: _boxes_of_first_map(run, indices)}
        for index, state in enumerate(states_of(rounds)[1:], start=1):
            detected[state] = _boxes_of_regions(run, indices, index)
        for state, detections in detected.items():
            counts[state].append(count_localization(detections, truth, label, group))
    return counts


def _boxes_of_regions(run: Run, indices: Collection[int], rounds: int) -> list[Box]:
    regions = (region for done in run.rounds if done.index <= rounds for region in done.regions)
    return [region.box for region in regions if region.target_score.class_index in indices and region.box is not None]


def _boxes_of_first_map(run: Run, indices: Collection[int]) -> list[Box]:
    # Only the selector matters here; the rest of the recipe may hold objects that a table can't describe.
    table = {"selector": run.recipe["selector"]} if "selector" in run.recipe else {}
    smooth = Recipe.from_dict(table).selector.smooth
    maps = (item for done in run.rounds if done.index == 1 for item in done.maps)
    saliencies = [item.saliency for item in maps if item.target_score.class_index in indices]
    to_source = run.source.geometry.map_to_source
    return [box for saliency in saliencies for box in boxes_of_map(to_source(smooth(saliency)))]
