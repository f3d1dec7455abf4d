"""The loop: ask, find, erase, ask again. `rounds()` yields every round as it is done; `find_regions()` returns the
run."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

from unveil.attribution import AttributionRequest, AttributionResult, Moments
from unveil.classifiers import Classifier, load_classifier
from unveil.context import RunContext, Track, to_uint8
from unveil.images import read_image
from unveil.masks import Mask, iou, union
from unveil.measures import effective, revealed, rim_share, stability
from unveil.predictions import Prediction
from unveil.recipes import Recipe, get_recipe
from unveil.records.run import Region, Round, Run, TargetMap
from unveil.records.trust import TrustCards
from unveil.regions import Selection
from unveil.stopping import StopKind, StopReason, StopState
from unveil.targets import Target, TargetScore
from unveil.trust import Lens, examine, significance

FloatMap = Float[np.ndarray, "*grid"]
BoolMap = Bool[np.ndarray, "*grid"]


@dataclass(frozen=True)
class Progress:
    """How far a run is: in `round` of at most `rounds`, `sample` of `samples` are done.

    After the last round the trust cards are made: `cards` is then True, and samples are regions and games.
    """

    round: int
    rounds: int
    sample: int
    samples: int
    cards: bool = False


OnProgress = Callable[[Progress], None]


def find_regions(
    image: Any,
    classifier: Classifier | nn.Module | str,
    recipe: Recipe | str | Path = "recommended",
    *,
    target: Target | None = None,
    trust: bool = True,
    seed: int = 0,
    batch_size: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Run:
    """Find every region of an image that a classifier relies on, round after round.

    `image`: whatever `read_image` takes. `recipe`: a value, `recommended`, `paper`, or a TOML file; `target` replaces
    the recipe's; `trust=False` leaves the trust cards out. The same seed gives the same run, whatever the batch size
    (None: the classifier's own, which is fast on its device; one that the memory doesn't hold is halved). `on_progress`
    is told of every batch of samples.

    Raises an `UnveilError` for input that can't be used; the classifier is left as it was.
    """
    started = time.monotonic()
    chosen = get_recipe(recipe)
    chosen = chosen.with_target(target) if target else chosen
    chosen = chosen if trust else replace(chosen, trust=None)
    search = RunContext.begin(read_image(image), load_classifier(classifier), chosen, seed, batch_size)
    done = tuple(rounds(search, on_progress))
    cards = trust_cards(search, done, on_progress)
    return search.finish(done, time.monotonic() - started, cards)


def trust_cards(
    search: RunContext, done: Sequence[Round], on_progress: OnProgress = lambda progress: None
) -> TrustCards | None:
    """The trust cards of a search's rounds, as the recipe wants them; None if it doesn't."""
    recipe = search.recipe
    if recipe.trust is None:
        return None
    most = (recipe.stop.most_rounds or 0) * len(search.tracks)
    target_scores = {name: target_score for track in search.tracks for name, target_score in track.asked.items()}

    def tell(step: int, steps: int) -> None:
        on_progress(Progress(most, most, step, steps, cards=True))

    lens = Lens(recipe.attribution, recipe.magnitude, recipe.selector)
    return examine(search.masked, lens, done, target_scores, recipe.trust, tell)


def rounds(search: RunContext, on_progress: OnProgress = lambda progress: None) -> Iterator[Round]:
    """Every round of every track, as it is done. The only state of a track is what is erased, and what was said
    then."""
    for number, track in enumerate(search.tracks):
        yield from _rounds_of(search, track, number, on_progress)


def _rounds_of(search: RunContext, track: Track, number: int, on_progress: OnProgress) -> Iterator[Round]:
    most = search.recipe.stop.most_rounds or 0
    first_maps: dict[str, FloatMap] = {}
    now, erased = search.first, np.zeros(search.grid, dtype=bool)
    for index in range(1, most + 1):
        target_scores = track.target.resolve(search.first, now, search.classifier.labels)
        if not target_scores:
            track.stop.append(StopReason(StopKind.NOTHING_PREDICTED, "the classifier predicts no label"))
            return
        track.asked.update({target_score.name: target_score for target_score in target_scores})
        if index == 1 and (
            reason := search.recipe.stop.check_first(StopState(0, target_scores, search.first, now, 0.0))
        ):
            track.stop.append(reason)
            return

        def tell(sample: int, samples: int, at: int = number * most + index) -> None:
            on_progress(Progress(at, most * len(search.tracks), sample, samples))

        look = _look(search, index, target_scores, erased, tell)
        first_maps = first_maps or {one.target_score.name: search.recipe.selector.smooth(one.saliency) for one in look}
        done = _record(search, track, index, now, erased, look, first_maps)
        yield done
        now, erased = done.after, done.erased_after.to_array()
        if reason := _why_stop(search, done, target_scores):
            track.stop.append(reason)
            return


@dataclass(frozen=True, eq=False)
class TargetFinding:
    """What one target's map gave in one round, before anything is erased for it."""

    target_score: TargetScore
    saliency: FloatMap
    selection: Selection
    halves: tuple[BoolMap, BoolMap] | None
    rectifiers: int | None


def _look(
    search: RunContext,
    index: int,
    target_scores: Sequence[TargetScore],
    erased: BoolMap,
    tell: Callable[[int, int], None],
) -> list[TargetFinding]:
    """Attribution, saliency and regions of every target, with what is erased so far."""
    stream = f"{search.stream}/round {index}"
    question = AttributionRequest(
        search.classifier,
        search.erase(erased),
        target_scores,
        stream,
        search.batch_size,
        tell,
        _Agreement(search, erased),
    )
    result = search.recipe.attribution.attribute(question)
    maps = search.recipe.magnitude.saliency(result.all).astype(np.float32)
    halves = _halves(search, result, erased)
    return [
        TargetFinding(
            target_score,
            saliency,
            search.recipe.selector.select(saliency, erased),
            halves[number] if halves else None,
            result.rules.count if result.rules else None,
        )
        for number, (target_score, saliency) in enumerate(zip(target_scores, maps, strict=True))
    ]


def _halves(search: RunContext, result: AttributionResult, erased: BoolMap) -> list[tuple[BoolMap, BoolMap]] | None:
    if result.odd is None:
        return None
    even, odd = (_regions_of(search, half, erased) for half in (result.even, result.odd))
    return list(zip(even, odd, strict=True))


def _regions_of(search: RunContext, half: Moments, erased: BoolMap) -> list[BoolMap]:
    """All that would be found for each target, had there been only this half of the samples."""
    maps = search.recipe.magnitude.saliency(half)
    return [union(search.recipe.selector.select(one, erased).regions, erased.shape) for one in maps]


@dataclass(frozen=True)
class _Agreement:
    """Of two halves of the samples, for the target on which they agree least."""

    search: RunContext
    erased: BoolMap

    def __call__(self, one: Moments, other: Moments) -> float:
        found, again = (_regions_of(self.search, half, self.erased) for half in (one, other))
        return min(iou(*pair) for pair in zip(found, again, strict=True))


def _record(
    search: RunContext,
    track: Track,
    index: int,
    before: Prediction,
    erased: BoolMap,
    look: list[TargetFinding],
    first_maps: dict[str, FloatMap],
) -> Round:
    """Erase what was found, ask again, and write the round down."""
    regions = [(found, inside) for found in look for inside in found.selection.regions]
    alone, after = _ask_again(search, before, erased, [inside for _, inside in regions])
    asked = [found.target_score for found, _ in regions]
    drops = [float(one.of(before.logits) - one.of(said.logits)) for one, said in zip(asked, alone, strict=True)]
    kept = effective(drops, [one.name for one in asked], search.recipe.min_drop_share)
    regions, alone = list(compress(regions, kept)), list(compress(alone, kept))
    erased_after = erased | union((inside for _, inside in regions), erased.shape)
    if not all(kept):
        (after,) = alone if len(alone) == 1 else _ask(search, [erased_after])
    # A label asked about for the first time later on is held against what the first round showed for its labels.
    shown: FloatMap = np.mean(list(first_maps.values()), axis=0)
    area = int(np.count_nonzero(erased_after))
    return Round(
        index=index,
        track=track.name,
        before=before,
        after=after,
        maps=tuple(TargetMap(found.target_score.name, found.saliency, found.selection.reason) for found in look),
        regions=tuple(
            _region(
                search,
                found,
                inside,
                before,
                without,
                erased,
                revealed(inside, first_maps.get(found.target_score.name, shown), area),
            )
            for (found, inside), without in zip(regions, alone, strict=True)
        ),
        erased=Mask.from_array(erased),
        erased_after=Mask.from_array(erased_after),
        image=to_uint8(search.erase(erased)),
        rectifiers=look[0].rectifiers,
    )


def _ask_again(
    search: RunContext, before: Prediction, erased: BoolMap, regions: list[BoolMap]
) -> tuple[list[Prediction], Prediction]:
    """Predictions with each region alone erased as well, and with all of them."""
    if not regions:
        return [], before
    areas = [erased | inside for inside in regions]
    if len(regions) > 1:
        areas.append(erased | union(regions, erased.shape))
    answers = _ask(search, areas)
    return answers[: len(regions)], answers[-1]


def _ask(search: RunContext, areas: list[BoolMap]) -> list[Prediction]:
    """Predictions with each of these areas erased."""
    return search.classifier.predict(torch.stack([search.erase(area) for area in areas]), search.batch_size)


def _region(
    search: RunContext,
    found: TargetFinding,
    inside: BoolMap,
    before: Prediction,
    after: Prediction,
    erased: BoolMap,
    hidden: float,
) -> Region:
    target_score, geometry = found.target_score, search.prepared.geometry
    mask = Mask.from_array(geometry.region_to_source(inside))
    spacing = search.image.spacing_mm
    size_mm = mask.area_px * float(np.prod(spacing)) if spacing else None
    flat = len(mask.shape) == 2
    return Region(
        target=target_score.name,
        mask=mask,
        model_mask=Mask.from_array(inside),
        area_mm2=size_mm if flat else None,
        score_before=float(target_score.of(before.logits)),
        score_after=float(target_score.of(after.logits)),
        probability_before=_probability(target_score, before),
        probability_after=_probability(target_score, after),
        stability=stability(inside, *found.halves) if found.halves else None,
        revealed=hidden,
        rim_share=rim_share(inside, found.saliency, erased),
        volume_mm3=None if flat else size_mm,
    )


def _probability(target_score: TargetScore, prediction: Prediction) -> float | None:
    return None if target_score.label is None else float(prediction.probabilities[target_score.label])


def _why_stop(search: RunContext, done: Round, target_scores: Sequence[TargetScore]) -> StopReason | None:
    if not done.regions:
        return StopReason(StopKind.NOTHING_FOUND, "; ".join(f"{one.target}: {one.reason}" for one in done.maps))

    def smallest_p(draws: int) -> float | None:
        return significance(
            search.masked, done, {target_score.name: target_score for target_score in target_scores}, draws
        )

    state = StopState(
        done.index, target_scores, search.first, done.after, done.coverage, smallest_p, blank=lambda: search.blank
    )
    return search.recipe.stop.check(state)
