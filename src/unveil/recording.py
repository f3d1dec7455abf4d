"""Makes the records of a run: `Region`, `Round` and `Run`, from what the loop found."""

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from unveil import __version__
from unveil.context import RunContext, Track
from unveil.masks import Mask, union
from unveil.measures import effective, revealed, rim_share, stability
from unveil.naming import BoxPrediction, name_regions
from unveil.predictions import Prediction
from unveil.records import ClassifierInfo, Region, Round, Run, Source, TargetMap, TrustCards
from unveil.regions import Selection
from unveil.stopping import StopKind, StopReason
from unveil.targets import TargetScore

BoolMap = Bool[np.ndarray, "*grid"]
FloatMap = Float[np.ndarray, "*grid"]


@dataclass(frozen=True, eq=False)
class TargetFinding:
    """The saliency map of one target in one round, and the regions selected in it, before anything is erased.

    Attributes:
        target_score: The target.
        saliency: Its saliency map on the model's grid.
        selection: The regions selected in the map.
        halves: The regions from two independent halves of the noise samples; None for a method without noise.
        rectifiers: The number of rectifiers that a backward rule was applied to; None for methods without one.
    """

    target_score: TargetScore
    saliency: FloatMap
    selection: Selection
    halves: tuple[BoolMap, BoolMap] | None
    rectifiers: int | None


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A region that was selected, and the prediction with this region alone erased as well."""

    finding: TargetFinding
    inside: BoolMap
    without: Prediction


def make_round(context: RunContext, track: Track, findings: Sequence[TargetFinding]) -> Round:
    """Erase the regions that were found, predict again, and record the round."""
    before, erased = context.prediction_of(track), context.erased_of(track)
    regions = [(finding, inside) for finding in findings for inside in finding.selection.regions]
    without, after = _predict_without(context, before, erased, [inside for _, inside in regions])
    candidates = [
        _Candidate(finding, inside, prediction) for (finding, inside), prediction in zip(regions, without, strict=True)
    ]
    kept = _effective(candidates, before, context.recipe.min_drop_share)
    erased_after = erased | union((candidate.inside for candidate in kept), erased.shape)
    if len(kept) < len(candidates):
        (after,) = context.masked.predict([context.masked.view(erased_after)])
    return Round(
        index=len(track.rounds) + 1,
        track=track.name,
        before=before,
        after=after,
        maps=tuple(TargetMap(finding.target_score, finding.saliency, finding.selection.reason) for finding in findings),
        regions=tuple(
            _make_region(context, candidate, before, erased, _share_hidden(track, candidate, erased_after), shown)
            for candidate, shown in zip(kept, _name(context, kept), strict=True)
        ),
        erased=Mask.from_array(erased),
        erased_after=Mask.from_array(erased_after),
        image=to_uint8(context.masked.render(context.masked.view(erased))),
        rectifiers=findings[0].rectifiers,
    )


def make_run(context: RunContext, trust: TrustCards | None = None) -> Run:
    """The record of all rounds done so far; a track that was left before it ended says so in `Run.stops`."""
    image, classifier = context.image, context.classifier
    return Run(
        source=Source(
            image.source,
            image.sha256,
            image.channels,
            context.prepared.geometry,
            image.spacing_mm,
            image.value_range,
            image.placement,
        ),
        classifier=ClassifierInfo(
            classifier.name,
            classifier.fingerprint,
            classifier.labels,
            classifier.output,
            str(classifier.device),
            classifier.precision,
            context.recipe.attribution.averaging_precision(classifier),
            classifier.preprocessing.as_dict(),
            classifier.probe,
        ),
        recipe=context.recipe.as_dict(),
        seed=context.seed,
        rounds=context.rounds,
        first=context.first,
        stops={track.name: track.stop or _left_early(track) for track in context.tracks},
        versions=library_versions(),
        seconds=time.monotonic() - context.started,
        final_images={
            track.name: to_uint8(context.masked.render(context.masked.view(context.erased_of(track))))
            for track in context.tracks
        },
        trust=trust,
    )


def to_uint8(pixels: Float[Tensor, "c *grid"]) -> UInt8[np.ndarray, "c *grid"]:
    """Pixels in [0, 1] as whole numbers from 0 to 255."""
    return (pixels.clamp(0, 1) * 255).round().byte().cpu().numpy()


def library_versions() -> dict[str, str]:
    """Versions of everything that can change the numbers of a run."""
    libraries = {name: version(name) for name in ("torch", "numpy", "scipy", "pillow")}
    return {
        "unveil": __version__,
        **libraries,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _predict_without(
    context: RunContext, before: Prediction, erased: BoolMap, regions: Sequence[BoolMap]
) -> tuple[list[Prediction], Prediction]:
    """Predictions with each region alone erased as well, and with all of them erased."""
    if not regions:
        return [], before
    areas = [erased | inside for inside in regions]
    areas.append(erased | union(regions, erased.shape))
    *without, after = context.masked.predict([context.masked.view(area) for area in areas])
    return without, after


def _effective(candidates: Sequence[_Candidate], before: Prediction, min_share: float) -> list[_Candidate]:
    """The regions that stay in this round: see `Recipe.min_drop_share`."""
    scores = [candidate.finding.target_score for candidate in candidates]
    drops = [
        float(score.of(before.logits) - score.of(candidate.without.logits))
        for score, candidate in zip(scores, candidates, strict=True)
    ]
    return list(compress(candidates, effective(drops, scores, min_share)))


def _name(context: RunContext, candidates: Sequence[_Candidate]) -> Sequence[BoxPrediction | None]:
    """What the box of each region shows; None in runs without a label check."""
    check = context.recipe.label_check
    if check is None:
        return [None] * len(candidates)
    return name_regions(context.masked.compared, check, [candidate.inside for candidate in candidates])


def _share_hidden(track: Track, candidate: _Candidate, erased_after: BoolMap) -> float:
    # A class that became a target in a later round is compared with the mean of the first round's maps.
    maps = track.first_maps
    first_map = maps.get(candidate.finding.target_score)
    if first_map is None:
        first_map = np.mean(list(maps.values()), axis=0)
    return revealed(candidate.inside, first_map, int(np.count_nonzero(erased_after)))


def _make_region(
    context: RunContext,
    candidate: _Candidate,
    before: Prediction,
    erased: BoolMap,
    share_hidden: float,
    box: BoxPrediction | None,
) -> Region:
    finding, inside, after = candidate.finding, candidate.inside, candidate.without
    score = finding.target_score
    mask = Mask.from_array(context.prepared.geometry.region_to_source(inside))
    spacing = context.image.spacing_mm
    size_mm = mask.area_px * float(np.prod(spacing)) if spacing else None
    flat = len(mask.shape) == 2
    return Region(
        target_score=score,
        mask=mask,
        model_mask=Mask.from_array(inside),
        area_mm2=size_mm if flat else None,
        score_before=float(score.of(before.logits)),
        score_after=float(score.of(after.logits)),
        probability_before=_probability(score, before),
        probability_after=_probability(score, after),
        stability=stability(inside, *finding.halves) if finding.halves else None,
        revealed=share_hidden,
        rim_share=rim_share(inside, finding.saliency, erased),
        volume_mm3=None if flat else size_mm,
        shown=None if box is None else box.shown,
        box_gain=None if box is None or score.class_index is None else float(box.gains[score.class_index]),
    )


def _probability(score: TargetScore, prediction: Prediction) -> float | None:
    return None if score.class_index is None else float(prediction.probabilities[score.class_index])


def _left_early(track: Track) -> StopReason:
    count = len(track.rounds)
    return StopReason(StopKind.LEFT_EARLY, f"left early, after {count} round{'s' * (count != 1)}")
