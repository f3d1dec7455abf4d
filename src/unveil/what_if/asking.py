"""Asks what happens when a drawing is erased: first the prediction, then how unusual its drop is for that shape."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from unveil.context import RunContext
from unveil.errors import RecordError, require_between
from unveil.predictions import Prediction
from unveil.recipes import TrustSettings
from unveil.stopping.base import MAX_PLACEMENTS
from unveil.targets import TargetScore, class_score
from unveil.trust.base import RegionContext
from unveil.trust.placement import PlacementTest
from unveil.view import labels_worth_showing
from unveil.what_if.answer import LabelChange, WhatIf, WhatIfState
from unveil.what_if.drawing import Drawing
from unveil.what_if.pixels import DrawnPixels, draw_pixels
from unveil.what_if.states import (
    check_rounds,
    choose_target,
    find_track,
    first_target,
    parse_state,
    regions_by_id,
    state_before,
)

BoolMap = Bool[np.ndarray, "*grid"]
MOVED, MOST_MOVED = 0.01, 8  # change in probability from which a label is listed, and how many such labels at most


def ask_what_if(
    context: RunContext,
    drawing: Drawing,
    *,
    on: WhatIfState | str = WhatIfState.ORIGINAL,
    rounds: int | None = None,
    target: Any = None,
    placements: int | None = None,
) -> WhatIf:
    """Erase a drawing, predict, and compare the drop with that of the same shape at other places.

    The pixels are replaced by the fill of the run's recipe, and the comparison is the placement test of the trust
    cards. It takes one image for the answer and up to `placements` for the comparison; `predict_what_if` and
    `test_what_if` are its two halves.

    Args:
        context: The run, from `start_run`; rounds that were done are known to drawings by the ids of their regions.
        drawing: What to erase.
        on: "original" erases the drawing from the image itself; "erased" from what the run has left of it.
        rounds: With "erased", the number of rounds whose regions are erased as well; None for all that were done.
        target: The target whose score is tested, as in `find_regions`, or a `TargetScore`; None for the region's own if
            the drawing is one region, and else for the first target of the run.
        placements: The largest number of other places; None for that of the recipe's trust settings.

    Raises `RecordError` for a drawing that covers no pixel of the model's grid or names an unknown region, and
    `TargetError` for a target that the classifier doesn't have.

    >>> import unveil
    >>> from unveil.planted import draw_scene
    >>> from unveil.what_if import Stroke, StrokeKind
    >>> context = unveil.start_run(unveil.Image.from_array(draw_scene(200_010).pixels), "planted/demo", "demo")
    >>> around_the_middle = Stroke(StrokeKind.BRUSH, ((64, 40), (64, 88)), width_px=24)
    >>> what_if = ask_what_if(context, Drawing((around_the_middle,)))
    >>> what_if.is_tested, what_if.area_px
    (True, 1600)
    """
    what_if = predict_what_if(context, drawing, on=on, rounds=rounds, target=target)
    return test_what_if(context, what_if, placements=placements)


@torch.inference_mode(False)
def predict_what_if(
    context: RunContext,
    drawing: Drawing,
    *,
    on: WhatIfState | str = WhatIfState.ORIGINAL,
    rounds: int | None = None,
    target: Any = None,
) -> WhatIf:
    """Erase a drawing and predict: one image. The answer isn't compared with other places yet.

    `context`, `drawing`, `on`, `rounds` and `target` are those of `ask_what_if`, with its errors.
    """
    on = parse_state(on)
    score, track = choose_target(context, drawing, on, target)
    done = check_rounds(track, on, rounds)
    before, erased = state_before(context, track, done)
    if score is None:
        score = first_target(context, before)
    pixels, inside = _draw(context, drawing, erased)
    (after,) = context.masked.predict([context.masked.view(erased | inside)])
    return WhatIf(
        drawing=drawing,
        on=on,
        track=track.name,
        rounds=done,
        area_px=int(np.count_nonzero(inside)),
        area_share=float(np.count_nonzero(inside) / inside.size),
        outside_share=pixels.outside_share,
        empty_strokes=pixels.empty_strokes,
        labels=_label_changes(context, score, before, after),
        target_score=score,
        score_before=float(score.of(before.logits)),
        score_after=float(score.of(after.logits)),
        placements=None,
        exceeding=0,
        p_value=None,
        image_sha256=context.image.sha256,
        classifier=context.classifier.fingerprint,
        recipe=context.recipe.as_dict(),
        seed=context.seed,
    )


@torch.inference_mode(False)
def test_what_if(context: RunContext, what_if: WhatIf, *, placements: int | None = None) -> WhatIf:
    """Compare the drop with that of the same shape at other places, as a trust card does.

    Args:
        context: The run that `what_if` was predicted with.
        what_if: The answer to test.
        placements: The largest number of places; None for that of the recipe's trust settings. Fewer are drawn if five
            of them lower the score as much.

    Returns the same answer with `placements`, `exceeding` and `p_value`. Raises `RecordError` for the answer to another
    image, classifier, fill or seed.
    """
    count = (context.recipe.trust or TrustSettings()).placements if placements is None else placements
    require_between("placements", count, 1, MAX_PLACEMENTS, "39 is usual")
    _check_same_run(context, what_if)
    track = find_track(context, what_if.track)
    done = check_rounds(track, what_if.on, what_if.rounds)
    _, erased = state_before(context, track, done)
    _, inside = _draw(context, what_if.drawing, erased)
    region = RegionContext(
        context.masked,
        what_if.target_score,
        inside,
        erased=erased,
        taken=erased | inside,
        others=erased,
    )
    result = PlacementTest(region.compared(), count).result()
    return replace(what_if, placements=result.placements, exceeding=result.exceeding, p_value=result.p_value)


# pytest takes every function of this name for one of its own.
test_what_if.__test__ = False  # type: ignore[attr-defined]


def _draw(context: RunContext, drawing: Drawing, erased: BoolMap) -> tuple[DrawnPixels, BoolMap]:
    """The drawn pixels, and those of them that aren't erased yet. Raises `RecordError` if there are none."""
    geometry = context.prepared.geometry
    masks = {name: region.model_mask.to_array() for name, region in regions_by_id(context).items()}
    pixels = draw_pixels(drawing, geometry, masks)
    inside = pixels.inside & ~erased
    if inside.any():
        return pixels, inside
    if pixels.inside.any():
        raise RecordError("a drawing of pixels that aren't erased yet", "only erased ones", "draw beside them")
    size = " x ".join(f"{scale:.3g}" for scale in geometry.scale)
    got = "none" if pixels.outside_px == 0 else f"none, but {pixels.outside_px} that its crop leaves out"
    do = f"draw wider: a pixel there is {size} px of the image" if pixels.outside_px == 0 else "draw inside the crop"
    raise RecordError("a drawing that covers pixels of the model's grid", got, do)


def _label_changes(
    context: RunContext, score: TargetScore, before: Prediction, after: Prediction
) -> tuple[LabelChange, ...]:
    """The labels of the view, of the target and of the new prediction, and those that moved; largest change first."""
    labels, first, last = context.classifier.labels, before.probabilities, after.probabilities
    moved = np.argsort(-np.abs(last - first), kind="stable")[:MOST_MOVED]
    indices = dict.fromkeys(
        [
            *(index for index, _ in score.weights),
            *after.predicted(),
            *labels_worth_showing(context.first, context.rounds),
            *(int(index) for index in moved if abs(last[index] - first[index]) >= MOVED),
        ]
    )
    changes = [
        LabelChange(
            index,
            class_score(index, labels).name,
            float(first[index]),
            float(last[index]),
            float(before.logits[index]),
            float(after.logits[index]),
        )
        for index in indices
    ]
    return tuple(sorted(changes, key=lambda change: (-abs(change.change), change.class_index)))


def _check_same_run(context: RunContext, what_if: WhatIf) -> None:
    pairs = {
        "image": (what_if.image_sha256, context.image.sha256),
        "classifier": (what_if.classifier, context.classifier.fingerprint),
        "fill": (what_if.fill, context.recipe.as_dict()["fill"]),
        "seed": (what_if.seed, context.seed),
    }
    other = [name for name, (asked, own) in pairs.items() if asked != own]
    if other:
        raise RecordError("an answer of this run", f"one with another {other[0]}", "predict it with this run")
