"""The number of cues that a network uses, by intervention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unveil.classifiers import Classifier
from unveil.evaluation.training.scenes import CueTest

BATCH = 32


@dataclass(frozen=True)
class UsedCues:
    """What interventions on scenes show; all numbers are means over scenes.

    Attributes:
        scenes: The number of scenes.
        recognized: The share of whole scenes whose label is predicted.
        used: The number of cues any of which suffices: with this cue alone the label is predicted, and without any cue
            it isn't.
        needed: The number of cues without which the label isn't predicted any more, where it is for the whole scene.
        robust: The share of scenes whose label is predicted whichever one of its cues is missing, the strongest
            included, where it is for the whole scene.
        invented: The share of scenes whose label is predicted without any of its cues.
        by_kind: For each label and kind of cue, the share of scenes in which it suffices.
    """

    scenes: int
    recognized: float
    used: float
    needed: float
    robust: float
    invented: float
    by_kind: dict[str, float]


def count_used_cues(classifier: Classifier, tests: Sequence[CueTest]) -> UsedCues:
    """Count the cues that `classifier` uses in the scenes of `tests`, which have one label each.

    A label counts as predicted if it is among `Prediction.predicted`.
    """
    used, needed, robust, whole, none = [], [], [], [], []
    kinds: dict[str, list[bool]] = {}
    for test in tests:
        drawn = [test.whole, test.none, *test.alone, *test.without]
        rows = classifier.predict(torch.from_numpy(np.stack(drawn)).float().to(classifier.device), BATCH)
        holds = [test.column in prediction.predicted() for prediction in rows]
        alone, without = holds[2 : 2 + len(test.kinds)], holds[2 + len(test.kinds) :]
        whole.append(holds[0])
        none.append(holds[1])
        used.append(sum(alone) if not holds[1] else 0)
        if holds[0]:
            needed.append(sum(not one for one in without))
            robust.append(all(without))
        for kind, one in zip(test.kinds, alone, strict=True):
            kinds.setdefault(f"{classifier.labels[test.column]} {kind}", []).append(one and not holds[1])
    return UsedCues(
        len(tests),
        recognized=float(np.mean(whole)),
        used=float(np.mean(used)),
        needed=float(np.mean(needed)) if needed else 0.0,
        robust=float(np.mean(robust)) if robust else 0.0,
        invented=float(np.mean(none)),
        by_kind={kind: float(np.mean(values)) for kind, values in sorted(kinds.items())},
    )
