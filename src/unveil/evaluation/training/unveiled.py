"""What rounds find on a trained network: cues by round, false regions, and verdicts."""

from collections.abc import Callable
from dataclasses import dataclass

from unveil.classifiers import Classifier
from unveil.evaluation.planted.cue_recall import CueTally, count_cues
from unveil.evaluation.training.scenes import TOGETHER
from unveil.images import Image
from unveil.planted import draw_scene
from unveil.recipes import Recipe
from unveil.records.trust import Verdict
from unveil.rounds import find_regions

ROUNDS = 5
OnCount = Callable[[int, int], None]


@dataclass(frozen=True)
class UnveiledCues:
    """What runs of a recipe find in scenes; None where a share has nothing to be a share of.

    Attributes:
        recall_round1: The share of the cues of predicted labels that the first round finds.
        recall: The share that five rounds find.
        false_regions: The share of regions that lie on no cue of their label.
        supported: The share of regions whose verdict is `supported`.
        regions: The number of regions per scene.
    """

    recall_round1: float | None
    recall: float | None
    false_regions: float | None
    supported: float | None
    regions: float


def unveil_scenes(
    classifier: Classifier,
    first: int,
    count: int,
    recipe: Recipe,
    on_count: OnCount = lambda done, total: None,
) -> UnveiledCues:
    """Run `recipe` on the scenes of the seeds `first` … `first + count − 1`, and count what it finds."""
    tally, supported = CueTally(), 0
    for number in range(count):
        scene = draw_scene(first + number, TOGETHER)
        run = find_regions(Image.from_array(scene.pixels), classifier, recipe)
        tally += count_cues(run, scene, ROUNDS)
        cards = [run.card(region) for region in run.regions]
        supported += sum(card is not None and card.verdict is Verdict.SUPPORTED for card in cards)
        on_count(number + 1, count)
    return UnveiledCues(
        tally.recall(1),
        tally.recall(ROUNDS),
        tally.false_region_rate,
        supported / tally.regions if tally.regions else None,
        tally.regions / count,
    )
