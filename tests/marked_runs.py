"""Runs whose regions are given: place, label, drop and verdict, on a grid of any shape, for the tests of figures."""

from dataclasses import dataclass, replace

import numpy as np

from tiny_runs import run
from unveil.masks import Mask
from unveil.predictions import Output, Prediction
from unveil.records import Region, Run, TrustCards, Verdict
from unveil.targets import TargetScore

NAMES = ("oak", "holly", "poppy")
S, W, A = Verdict.SUPPORTED, Verdict.WEAK, Verdict.ARTIFACT


@dataclass(frozen=True)
class Given:
    """A region: a box (top, left, bottom, right), the drop of its label, and its verdict."""

    box: tuple[int, int, int, int]
    drop: float = 1.0
    verdict: Verdict | None = S
    label: int = 0
    rim: float = 0.0

    def inside(self, shape: tuple[int, int]) -> np.ndarray:
        """Its pixels."""
        inside = np.zeros(shape, bool)
        top, left, bottom, right = self.box
        inside[top:bottom, left:right] = True
        return inside


def marked_run(
    rounds: list[list[Given]],
    shape: tuple[int, int] = (64, 64),
    names: tuple[str, ...] = NAMES,
    targets: tuple[int, ...] | None = None,
) -> Run:
    """A run with these regions. In each round the labels of its regions are searched for, or `targets`; there are trust
    cards unless a verdict is None. Images are dark gray, predictions are the same in all rounds."""
    base = run()
    prediction = Prediction(np.array([2.0, 1.0, -1.0, *[-2.0] * (len(names) - 3)]), Output.SOFTMAX)
    image = np.full((3, *shape), 60, np.uint8)
    scores = [TargetScore(name, ((index, 1.0),)) for index, name in enumerate(names)]
    erased, made, verdicts = np.zeros(shape, bool), [], []
    for index, given in enumerate(rounds, start=1):
        before = erased.copy()
        for one in given:
            erased |= one.inside(shape)
            verdicts.append(one.verdict)
        searched = targets or tuple(dict.fromkeys(one.label for one in given)) or (0,)
        saliency = np.where(erased & ~before, 1.0, 0.1).astype(np.float32)
        maps = tuple(
            replace(base.rounds[0].maps[0], target_score=scores[label], saliency=saliency) for label in searched
        )
        masks = {"erased": Mask.from_array(before), "erased_after": Mask.from_array(erased.copy())}
        regions = tuple(_region(base, one, scores[one.label], shape) for one in given)
        states = {"before": prediction, "after": prediction}
        made.append(
            replace(base.rounds[0], index=index, maps=maps, regions=regions, image=image, track=None, **masks, **states)
        )
    geometry = replace(base.source.geometry, source_shape=shape, model_shape=shape, scale=(1.0, 1.0), offset=(0.0, 0.0))
    cards = None
    if None not in verdicts:
        (card, *_), reason = base.trust.cards, "by hand"
        cards = TrustCards(tuple(replace(card, verdict=verdict, reason=reason) for verdict in verdicts), (), 1)
    return replace(
        base,
        source=replace(base.source, geometry=geometry),
        classifier=replace(base.classifier, labels=names),
        first=prediction,
        rounds=tuple(made),
        trust=cards,
        final_images={None: image},
    )


def _region(base: Run, given: Given, score: TargetScore, shape: tuple[int, int]) -> Region:
    mask = Mask.from_array(given.inside(shape))
    scores = {"score_before": given.drop, "score_after": 0.0, "rim_share": given.rim}
    return replace(
        base.rounds[0].regions[0], target_score=score, mask=mask, model_mask=mask, **scores, shown=None, box_gain=None
    )
