"""The state of a run that a drawing is erased from, and the target whose score is tested."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from unveil.context import RunContext, Track
from unveil.errors import RecordError, TargetError
from unveil.predictions import Prediction
from unveil.records import Region
from unveil.targets import TargetScore, as_target, class_score
from unveil.view import name_region_ids
from unveil.what_if.answer import WhatIfState
from unveil.what_if.drawing import Drawing

BoolMap = Bool[np.ndarray, "*grid"]


def regions_by_id(context: RunContext) -> dict[str, Region]:
    """The regions that the run of this `context` has found so far, by the ids that a view gives them."""
    rounds = context.rounds
    names = name_region_ids(
        [track.name for track in context.tracks],
        [(round_.track, round_.index, len(round_.regions)) for round_ in rounds],
    )
    return dict(zip(names, (region for round_ in rounds for region in round_.regions), strict=True))


def parse_state(on: WhatIfState | str) -> WhatIfState:
    """The state of this name. Raises `RecordError`."""
    try:
        return WhatIfState(on)
    except ValueError as error:
        raise RecordError("on to be original or erased", f"{on!r:.40}", "choose one of these") from error


def choose_target(
    context: RunContext, drawing: Drawing, on: WhatIfState, target: Any
) -> tuple[TargetScore | None, Track]:
    """The target score, if the caller or a region decides it, and the track whose erased pixels are meant."""
    score, names = None, drawing.regions
    if target is not None:
        score = _given_target(context, target)
    elif len(drawing.strokes) == len(names) == 1:
        region = regions_by_id(context).get(names[0])
        score = None if region is None else region.target_score
    named = [track for track in context.tracks if score is not None and track.name == score.name]
    return score, (named or context.tracks)[0]


def _given_target(context: RunContext, target: Any) -> TargetScore | None:
    labels = context.classifier.labels
    if not isinstance(target, TargetScore):
        (score, *_) = as_target(target).resolve(context.first, context.first, labels) or (None,)
        return score
    if not all(0 <= index < len(labels) for index, _ in target.weights):
        raise TargetError(
            f"a target among {len(labels)} labels", f"{target.name!r:.60}", "use the classifier of the answer"
        )
    return target


def first_target(context: RunContext, before: Prediction) -> TargetScore:
    """The first target of the run in this state; the most probable label where nothing is predicted."""
    labels = context.classifier.labels
    scores: Sequence[TargetScore] = context.recipe.target.resolve(context.first, before, labels)
    return scores[0] if scores else class_score(before.leading(1)[0], labels)


def find_track(context: RunContext, name: str | None) -> Track:
    """The track of this name. Raises `RecordError`."""
    for track in context.tracks:
        if track.name == name:
            return track
    raise RecordError("an answer of this run", f"one of the track {name!r:.60}", "predict it with this run")


def check_rounds(track: Track, on: WhatIfState, rounds: int | None) -> int:
    """The number of rounds whose regions are erased. Raises `RecordError` for more than were done."""
    if on is WhatIfState.ORIGINAL:
        if rounds is not None and rounds != 0:
            raise RecordError("rounds with on=erased only", f"{rounds} on the original", "leave it out")
        return 0
    done = len(track.rounds)
    if rounds is None:
        return done
    if not 0 <= rounds <= done:
        raise RecordError(f"0 to {done} rounds, as many as were done", str(rounds), "do more rounds first")
    return rounds


def state_before(context: RunContext, track: Track, rounds: int) -> tuple[Prediction, BoolMap]:
    """The prediction after so many rounds, and what was erased by then."""
    if not rounds:
        return context.first, np.zeros(context.grid, dtype=bool)
    last = track.rounds[rounds - 1]
    return last.after, last.erased_after.to_array()
