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

from unveil.attribution import AttributionResult, Moments, Question
from unveil.cards import Cards
from unveil.classifiers import Classifier, load_classifier
from unveil.images import read_image
from unveil.masks import Outline, iou, union
from unveil.measures import effective, revealed, rim, settled
from unveil.predictions import Prediction
from unveil.recipes import Recipe, get_recipe
from unveil.records import Region, Round, Run, TargetMap
from unveil.regions import Selection
from unveil.search import Search, Track, eight_bit
from unveil.stopping import State, StopKind, StopReason
from unveil.targets import Scalar, Target
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
    search = Search.begin(read_image(image), load_classifier(classifier), chosen, seed, batch_size)
    done = tuple(rounds(search, on_progress))
    cards = trust_cards(search, done, on_progress)
    return search.finish(done, time.monotonic() - started, cards)


def trust_cards(search: Search, done: Sequence[Round], on_progress: OnProgress = lambda progress: None) -> Cards | None:
    """The trust cards of a search's rounds, as the recipe wants them; None if it doesn't."""
    recipe = search.recipe
    if recipe.trust is None:
        return None
    most = (recipe.stop.most_rounds or 0) * len(search.tracks)
    scalars = {name: scalar for track in search.tracks for name, scalar in track.asked.items()}

    def tell(step: int, steps: int) -> None:
        on_progress(Progress(most, most, step, steps, cards=True))

    lens = Lens(recipe.attribution, recipe.magnitude, recipe.select)
    return examine(search.asker, lens, done, scalars, recipe.trust, tell)


def rounds(search: Search, on_progress: OnProgress = lambda progress: None) -> Iterator[Round]:
    """Every round of every track, as it is done. The only state of a track is what is erased, and what was said
    then."""
    for number, track in enumerate(search.tracks):
        yield from _rounds_of(search, track, number, on_progress)


def _rounds_of(search: Search, track: Track, number: int, on_progress: OnProgress) -> Iterator[Round]:
    most = search.recipe.stop.most_rounds or 0
    first_maps: dict[str, FloatMap] = {}
    now, erased = search.first, np.zeros(search.grid, dtype=bool)
    for index in range(1, most + 1):
        scalars = track.target.resolve(search.first, now, search.classifier.labels)
        if not scalars:
            track.stop.append(StopReason(StopKind.NOTHING_PREDICTED, "the classifier predicts no label"))
            return
        track.asked.update({scalar.name: scalar for scalar in scalars})
        if index == 1 and (reason := search.recipe.stop.check_first(State(0, scalars, search.first, now, 0.0))):
            track.stop.append(reason)
            return

        def tell(sample: int, samples: int, at: int = number * most + index) -> None:
            on_progress(Progress(at, most * len(search.tracks), sample, samples))

        look = _look(search, index, scalars, erased, tell)
        first_maps = first_maps or {one.scalar.name: search.recipe.select.smooth(one.saliency) for one in look}
        done = _record(search, track, index, now, erased, look, first_maps)
        yield done
        now, erased = done.after, done.erased_after.inside()
        if reason := _why_stop(search, done, scalars):
            track.stop.append(reason)
            return


@dataclass(frozen=True, eq=False)
class Found:
    """What one target's map gave in one round, before anything is erased for it."""

    scalar: Scalar
    saliency: FloatMap
    selection: Selection
    halves: tuple[BoolMap, BoolMap] | None
    rectifiers: int | None


def _look(
    search: Search, index: int, scalars: Sequence[Scalar], erased: BoolMap, tell: Callable[[int, int], None]
) -> list[Found]:
    """Attribution, saliency and regions of every target, with what is erased so far."""
    key = f"{search.key}/round {index}"
    question = Question(
        search.classifier, search.erase(erased), scalars, key, search.batch_size, tell, _Agreement(search, erased)
    )
    result = search.recipe.attribution.attribute(question)
    maps = search.recipe.magnitude.saliency(result.all).astype(np.float32)
    halves = _halves(search, result, erased)
    return [
        Found(
            scalar,
            saliency,
            search.recipe.select.select(saliency, erased),
            halves[number] if halves else None,
            result.rules.count if result.rules else None,
        )
        for number, (scalar, saliency) in enumerate(zip(scalars, maps, strict=True))
    ]


def _halves(search: Search, result: AttributionResult, erased: BoolMap) -> list[tuple[BoolMap, BoolMap]] | None:
    if result.odd is None:
        return None
    even, odd = (_regions_of(search, half, erased) for half in (result.even, result.odd))
    return list(zip(even, odd, strict=True))


def _regions_of(search: Search, half: Moments, erased: BoolMap) -> list[BoolMap]:
    """All that would be found for each target, had there been only this half of the samples."""
    maps = search.recipe.magnitude.saliency(half)
    return [union(search.recipe.select.select(one, erased).regions, erased.shape) for one in maps]


@dataclass(frozen=True)
class _Agreement:
    """Of two halves of the samples, for the target on which they agree least."""

    search: Search
    erased: BoolMap

    def __call__(self, one: Moments, other: Moments) -> float:
        found, again = (_regions_of(self.search, half, self.erased) for half in (one, other))
        return min(iou(*pair) for pair in zip(found, again, strict=True))


def _record(
    search: Search,
    track: Track,
    index: int,
    before: Prediction,
    erased: BoolMap,
    look: list[Found],
    first_maps: dict[str, FloatMap],
) -> Round:
    """Erase what was found, ask again, and write the round down."""
    regions = [(found, inside) for found in look for inside in found.selection.regions]
    alone, after = _ask_again(search, before, erased, [inside for _, inside in regions])
    asked = [found.scalar for found, _ in regions]
    drops = [float(one.score(before.logits) - one.score(said.logits)) for one, said in zip(asked, alone, strict=True)]
    kept = effective(drops, [one.name for one in asked], search.recipe.least_drop)
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
        maps=tuple(TargetMap(found.scalar.name, found.saliency, found.selection.reason) for found in look),
        regions=tuple(
            _region(
                search,
                found,
                inside,
                before,
                without,
                erased,
                revealed(inside, first_maps.get(found.scalar.name, shown), area),
            )
            for (found, inside), without in zip(regions, alone, strict=True)
        ),
        erased=Outline.of(erased),
        erased_after=Outline.of(erased_after),
        image=eight_bit(search.erase(erased)),
        rectifiers=look[0].rectifiers,
    )


def _ask_again(
    search: Search, before: Prediction, erased: BoolMap, regions: list[BoolMap]
) -> tuple[list[Prediction], Prediction]:
    """Predictions with each region alone erased as well, and with all of them."""
    if not regions:
        return [], before
    areas = [erased | inside for inside in regions]
    if len(regions) > 1:
        areas.append(erased | union(regions, erased.shape))
    answers = _ask(search, areas)
    return answers[: len(regions)], answers[-1]


def _ask(search: Search, areas: list[BoolMap]) -> list[Prediction]:
    """Predictions with each of these areas erased."""
    return search.classifier.predict(torch.stack([search.erase(area) for area in areas]), search.batch_size)


def _region(
    search: Search,
    found: Found,
    inside: BoolMap,
    before: Prediction,
    after: Prediction,
    erased: BoolMap,
    hidden: float,
) -> Region:
    scalar, geometry = found.scalar, search.prepared.geometry
    outline = Outline.of(geometry.region_to_source(inside))
    spacing = search.image.spacing_mm
    size_mm = outline.area_px * float(np.prod(spacing)) if spacing else None
    flat = len(outline.shape) == 2
    return Region(
        target=scalar.name,
        outline=outline,
        grid_outline=Outline.of(inside),
        area_mm2=size_mm if flat else None,
        score_before=float(scalar.score(before.logits)),
        score_after=float(scalar.score(after.logits)),
        probability_before=_probability(scalar, before),
        probability_after=_probability(scalar, after),
        settled=settled(inside, *found.halves) if found.halves else None,
        revealed=hidden,
        rim=rim(inside, found.saliency, erased),
        volume_mm3=None if flat else size_mm,
    )


def _probability(scalar: Scalar, prediction: Prediction) -> float | None:
    return None if scalar.label is None else float(prediction.probabilities[scalar.label])


def _why_stop(search: Search, done: Round, scalars: Sequence[Scalar]) -> StopReason | None:
    if not done.regions:
        return StopReason(StopKind.NOTHING_FOUND, "; ".join(f"{one.target}: {one.reason}" for one in done.maps))

    def smallest_p(draws: int) -> float | None:
        return significance(search.asker, done, {scalar.name: scalar for scalar in scalars}, draws)

    state = State(done.index, scalars, search.first, done.after, done.coverage, smallest_p, blank=lambda: search.blank)
    return search.recipe.stop.check(state)
