"""Runs against boxes by the protocol of ChestX-ray8: the regions of so many rounds, and one map cut at 60 and 180."""

from collections.abc import Hashable, Mapping, Sequence

from unveil.datasets import LabeledBox
from unveil.evaluation.metrics.chestxray8 import Localized, localized
from unveil.evaluation.metrics.detections import boxes_of_map
from unveil.masks import Box
from unveil.recipes import Recipe
from unveil.records import Run

FIRST_MAP = "first map"


def states_of(rounds: int) -> tuple[str, ...]:
    """The names of what is compared: `first map`, and `round 1` … for what was found by then."""
    return (FIRST_MAP, *(f"round {index}" for index in range(1, rounds + 1)))


def localized_by_run(
    run: Run, boxes: Sequence[LabeledBox], targets: Mapping[str, Sequence[str]], group: Hashable, rounds: int
) -> dict[str, list[Localized]]:
    """For every state, the counts of every label in `targets` (with the classifier's names for it) in one image.

    `boxes` are in pixels of the run's source. Detected are the boxes of the regions of the label in the rounds 1 … r; a
    run that ended early has found in later rounds what it had found by its last. `first map`: the boxes of the first
    round's map of the label, smoothed as by the run's recipe but without its thresholds, on the source's pixels. Of a
    label that wasn't asked about nothing is detected.
    """
    found: dict[str, list[Localized]] = {state: [] for state in states_of(rounds)}
    for label, names in targets.items():
        truth = [box for box in boxes if box.label == label]
        detected = {FIRST_MAP: _of_first_map(run, names)}
        for index, state in enumerate(states_of(rounds)[1:], start=1):
            detected[state] = _of_regions(run, names, index)
        for state, those in detected.items():
            found[state].append(localized(those, truth, label, group))
    return found


def _of_regions(run: Run, names: Sequence[str], rounds: int) -> list[Box]:
    regions = [one for done in run.rounds if done.index <= rounds for one in done.regions if one.target in names]
    return [region.box for region in regions if region.box is not None]


def _of_first_map(run: Run, names: Sequence[str]) -> list[Box]:
    # Whatever else the recipe holds, an object made in Python perhaps: only how it selects matters here.
    smooth = Recipe.from_dict({"select": run.recipe["select"]} if "select" in run.recipe else {}).selector.smooth
    maps = [one.saliency for done in run.rounds if done.index == 1 for one in done.maps if one.target in names]
    return [box for saliency in maps for box in boxes_of_map(run.source.geometry.map_to_source(smooth(saliency)))]
