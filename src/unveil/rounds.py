"""The loop: predict, find regions, erase them, predict again.

`find_regions` does all of it. To see each round when it is done, and to leave early:

    context = unveil.start_run("dog.jpg", classifier)
    for round_ in unveil.iter_rounds(context):
        if round_.coverage > 0.2:
            break
    run = unveil.finish_run(context)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from unveil.attribution import AttributionRequest, AttributionResult, Moments
from unveil.classifiers import load_classifier
from unveil.context import RunContext, Track
from unveil.images import read_image
from unveil.masks import iou, union
from unveil.recipes import Recipe, choose_recipe
from unveil.recording import TargetFinding, make_round, make_run
from unveil.records import Round, Run, TrustCards
from unveil.stopping import StopKind, StopReason, StopState
from unveil.targets import TargetScore
from unveil.trust import make_trust_cards, smallest_p_value

FloatMap = Float[np.ndarray, "*grid"]
BoolMap = Bool[np.ndarray, "*grid"]


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        round: The number of the round, from 1 on.
        rounds: The largest number of rounds of all tracks.
        sample: The samples done in this round; while trust cards are made, the regions and Shapley games done.
        samples: The number of all samples, or of all regions and games.
        cards: Whether the rounds are done and the trust cards are made.
    """

    round: int
    rounds: int
    sample: int
    samples: int
    cards: bool = False


OnProgress = Callable[[Progress], None]


# Autograd can't record what was made in inference mode, in which Lightning calls its test steps.
@torch.inference_mode(False)
def find_regions(
    image: Any,
    classifier: Any,
    recipe: Recipe | str | Path = "recommended",
    *,
    target: Any = None,
    trust: bool = True,
    seed: int = 0,
    batch_size: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Run:
    """Find every region of an image that a classifier relies on, round after round.

    Args:
        image: Any input of `read_image`: a path, bytes, a file, an array, a tensor, a PIL image, or an `Image`.
        classifier: Any input of `load_classifier`: a name, an `nn.Module`, or a `Classifier`. It isn't changed.
        recipe: All settings: the name of one ("recommended", "paper", …), the path of a TOML file, or a `Recipe`.
        target: Replaces the recipe's target, for example `unveil.Class("Edema")`.
        trust: False leaves the trust cards out.
        seed: The same seed gives the same run, for any batch size.
        batch_size: Images per batch; None chooses a fast size for the classifier's device. A batch that doesn't fit
            into memory is halved.
        on_progress: Called with a `Progress` after each batch of samples.

    Returns the `Run`: all rounds with their regions, and a trust card for each region. Raises `UnveilError` for input
    that can't be used; the message names what was expected, what was given, and what to do. Source: Bordes et al. 2018.

    >>> import unveil
    >>> from unveil.planted import draw_scene
    >>> image = unveil.Image.from_array(draw_scene(200_010).pixels)
    >>> run = unveil.find_regions(image, "planted/demo", "demo", trust=False)
    >>> run.rounds[0].regions[0].drop > 0
    True
    """
    context = start_run(image, classifier, recipe, target=target, trust=trust, seed=seed, batch_size=batch_size)
    for _ in iter_rounds(context, on_progress):
        pass
    return finish_run(context, on_progress)


@torch.inference_mode(False)
def start_run(
    image: Any,
    classifier: Any,
    recipe: Recipe | str | Path = "recommended",
    *,
    target: Any = None,
    trust: bool = True,
    seed: int = 0,
    batch_size: int | None = None,
) -> RunContext:
    """Prepare a run for `iter_rounds` and `finish_run`.

    `image`, `classifier`, `recipe`, `target`, `trust`, `seed` and `batch_size` are those of `find_regions`. The image
    is read and predicted once, the target is resolved, and the fill is tried. Raises `UnveilError` for input that can't
    be used.

    >>> from unveil import Image
    >>> from unveil.planted import draw_scene
    >>> context = start_run(Image.from_array(draw_scene(200_010).pixels), "planted/demo", "demo", trust=False)
    >>> first_round = next(iter_rounds(context))
    >>> len(finish_run(context).rounds)
    1
    """
    chosen = choose_recipe(recipe, target, trust=trust)
    loaded = load_classifier(classifier)
    return RunContext.create(
        read_image(image, channels=loaded.preprocessing.channels), loaded, chosen, seed, batch_size
    )


@torch.inference_mode(False)
def iter_rounds(context: RunContext, on_progress: OnProgress = lambda progress: None) -> Iterator[Round]:
    """Yield each round of each track when it is done.

    The iteration may be left at any time; another call continues after the last complete round. All state is in
    `context.tracks`, and is up to date when a round is yielded. `on_progress` is called with a `Progress` after each
    batch of samples.
    """
    limit = context.recipe.stop.most_rounds or 0
    for number, track in enumerate(context.tracks):
        while track.stop is None and len(track.rounds) < limit:

            def report(sample: int, samples: int, at: int = number * limit + len(track.rounds) + 1) -> None:
                on_progress(Progress(at, limit * len(context.tracks), sample, samples))

            round_ = _next_round(context, track, report)
            if round_ is not None:
                yield round_


@torch.inference_mode(False)
def finish_run(context: RunContext, on_progress: OnProgress = lambda progress: None) -> Run:
    """Make the record of the rounds of `context` done so far, with trust cards if the recipe has settings for them.

    It can be called at any time, also after `iter_rounds` was left early; the stop reason of such a track is
    `left early`. `on_progress` is called with a `Progress` after each region.
    """
    return make_run(context, _trust_cards(context, on_progress))


def _trust_cards(context: RunContext, on_progress: OnProgress) -> TrustCards | None:
    if context.recipe.trust is None:
        return None
    limit = (context.recipe.stop.most_rounds or 0) * len(context.tracks)

    def report(step: int, steps: int) -> None:
        on_progress(Progress(limit, limit, step, steps, cards=True))

    return make_trust_cards(context.masked, context.recipe, context.rounds, report)


def _next_round(context: RunContext, track: Track, report: Callable[[int, int], None]) -> Round | None:
    """Do one round and add it to the track, with the reason to stop if there is one; None if there is no round to
    do."""
    scores = resolve_targets(context, track)
    if not scores:
        track.stop = StopReason(StopKind.NOTHING_PREDICTED, _nothing_predicted(track))
        return None
    track.stop = context.recipe.stop.check_before(_stop_state(context, track, scores))
    if track.stop is not None:
        return None
    findings = _find_targets(context, track, scores, report)
    if not track.first_maps:
        smooth = context.recipe.selector.smooth
        track.first_maps.update({finding.target_score: smooth(finding.saliency) for finding in findings})
    round_ = make_round(context, track, findings)
    track.rounds.append(round_)
    track.stop = _stop_reason(context, track, round_, scores)
    return round_


def _find_targets(
    context: RunContext, track: Track, scores: Sequence[TargetScore], report: Callable[[int, int], None]
) -> list[TargetFinding]:
    """The saliency map and the regions of every target, with everything erased that the track has erased so far."""
    recipe, erased = context.recipe, context.erased_of(track)
    request = AttributionRequest(
        context.classifier,
        context.masked.render(context.masked.view(erased)),
        scores,
        f"{context.stream}/round {len(track.rounds) + 1}",
        context.masked.batch_size,
        report,
        _HalvesAgreement(recipe, erased),
    )
    result = recipe.attribution.attribute(request)
    maps = recipe.magnitude.saliency(result.all).astype(np.float32)
    halves = _halves(recipe, result, erased)
    return [
        TargetFinding(
            score,
            saliency,
            recipe.selector.select(saliency, erased),
            halves[number] if halves else None,
            result.rules.count if result.rules else None,
        )
        for number, (score, saliency) in enumerate(zip(scores, maps, strict=True))
    ]


def _halves(recipe: Recipe, result: AttributionResult, erased: BoolMap) -> list[tuple[BoolMap, BoolMap]] | None:
    if result.odd is None:
        return None
    even, odd = (_regions_from(recipe, half, erased) for half in (result.even, result.odd))
    return list(zip(even, odd, strict=True))


def _regions_from(recipe: Recipe, moments: Moments, erased: BoolMap) -> list[BoolMap]:
    """For each target, the union of the regions that these samples alone give."""
    maps = recipe.magnitude.saliency(moments)
    return [union(recipe.selector.select(saliency, erased).regions, erased.shape) for saliency in maps]


@dataclass(frozen=True)
class _HalvesAgreement:
    """IoU of the regions from two halves of the samples, for the target with the smallest IoU."""

    recipe: Recipe
    erased: BoolMap

    def __call__(self, first_half: Moments, second_half: Moments) -> float:
        pairs = (_regions_from(self.recipe, half, self.erased) for half in (first_half, second_half))
        return min(iou(*pair) for pair in zip(*pairs, strict=True))


def resolve_targets(context: RunContext, track: Track) -> tuple[TargetScore, ...]:
    """The target scores of the next round of a `track` of `context`, which may be none.

    Labels that turned out to be artifacts of erasing are left out.
    """
    now, labels = context.prediction_of(track), context.classifier.labels
    if not context.is_open_ended(track):
        return track.target.resolve(context.first, now, labels)
    if len(track.artifacts) == len(labels):
        return ()
    return track.target.resolve(context.first, now.without(track.artifacts), labels)


def _nothing_predicted(track: Track) -> str:
    return "the classifier predicts no label" + (" but artifacts of erasing" if track.artifacts else "")


def _stop_state(context: RunContext, track: Track, scores: Sequence[TargetScore]) -> StopState:
    """The state of a track after its last round."""
    last = track.rounds[-1] if track.rounds else None
    return StopState(
        len(track.rounds),
        scores,
        context.first,
        context.prediction_of(track),
        0.0 if last is None else last.coverage,
        lambda placements: None if last is None else smallest_p_value(context.masked, last, placements),
        blank=lambda: context.blank,
        rounds_without_label=track.rounds_without_label if context.is_open_ended(track) else None,
    )


def _stop_reason(context: RunContext, track: Track, round_: Round, scores: Sequence[TargetScore]) -> StopReason | None:
    if not round_.regions and not context.is_open_ended(track):
        reasons = "; ".join(f"{target_map.target}: {target_map.reason}" for target_map in round_.maps)
        return StopReason(StopKind.NOTHING_FOUND, reasons)
    return context.recipe.stop.check(_stop_state(context, track, scores))
