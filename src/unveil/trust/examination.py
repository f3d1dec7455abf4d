"""The cards of a run: every region is looked at in its place, and all of a target's regions together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from unveil.masked import BoolMap, MaskedClassifier, RegionContext
from unveil.records.run import Region, Round
from unveil.records.trust import ShapleyGame, TrustCard, TrustCards
from unveil.targets import TargetScore
from unveil.trust.erasure import (
    BoundaryShare,
    BoundaryTest,
    FillAgreement,
    FillRobustness,
    SingleRegionScores,
    SingleRegionTest,
)
from unveil.trust.placement import PlacementResult, PlacementTest, benjamini_hochberg, holm
from unveil.trust.randomization import Lens, ParameterRandomization, RandomizationResult
from unveil.trust.settings import TrustSettings
from unveil.trust.shapley import ShapleyTest
from unveil.trust.verdicts import judge

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class RegionEvidence:
    """What was found out about one region by itself."""

    region: Region
    alone: SingleRegionScores
    null: PlacementResult
    agreement: FillAgreement
    border: BoundaryShare | None
    survival: RandomizationResult


def examine(
    masked: MaskedClassifier,
    lens: Lens,
    rounds: Sequence[Round],
    target_scores: Mapping[str, TargetScore],
    trust: TrustSettings,
    on_step: OnStep = lambda done, total: None,
) -> TrustCards:
    """The cards of all regions of these rounds.

    `target_scores`: what the targets' names mean. `on_step(done, total)` is told of every region and every game. About 50
    images a region (with 39 placements and three fills), 2^k for the k regions of a target, and for gradients
    `trust.samples` a round; what is asked twice is asked once.
    """
    before, places = masked.passes, _games(rounds, trust.max_players)
    total = sum(len(one.regions) for one in rounds) + len(places)
    seen: list[RegionEvidence] = []
    for one in _regions(masked, lens, rounds, target_scores, trust):
        seen.append(one)
        on_step(len(seen), total)
    games = []
    for place in places:
        games.append(_play(masked, place, [one.region for one in seen], target_scores))
        on_step(len(seen) + len(games), total)
    return TrustCards(_cards(seen, games, trust), tuple(games), masked.passes - before)


def significance(
    masked: MaskedClassifier, one: Round, target_scores: Mapping[str, TargetScore], placements: int
) -> float | None:
    """The smallest corrected p (Benjamini & Hochberg) of a round's regions; None if none can be compared.

    A region that doesn't lower the score has p = 1, also where other places raise it by more.
    """
    nulls: list[float | None] = []
    for region in one.regions:
        if region.drop <= 0:
            nulls.append(1.0)
            continue
        null = PlacementTest(_subject(masked, one, region, target_scores, one.erased_after.to_array()), placements)
        masked.ask(null.views())
        nulls.append(null.answer().p_value)
    return min((q for q in benjamini_hochberg(nulls) if q is not None), default=None)


def _regions(
    masked: MaskedClassifier,
    lens: Lens,
    rounds: Sequence[Round],
    target_scores: Mapping[str, TargetScore],
    trust: TrustSettings,
) -> Iterator[RegionEvidence]:
    forgetful = ParameterRandomization(masked, lens, trust.samples) if any(one.regions for one in rounds) else None
    final = {one.track: one.erased_after.to_array() for one in rounds}
    for one in rounds:
        asked = [target_scores[item.target] for item in one.maps]
        maps = forgetful.maps(one, asked) if forgetful and one.regions else {}
        for region in one.regions:
            subject = _subject(masked, one, region, target_scores, final[one.track])
            alone, null = SingleRegionTest(subject), PlacementTest(subject, trust.placements)
            agreement, rim = FillRobustness(subject, trust.fills), BoundaryTest(subject)
            masked.ask(view for part in (alone, null, agreement, rim) for view in part.views())
            survival = forgetful.survival(region, one, maps) if forgetful else RandomizationResult(None, None)
            yield RegionEvidence(region, alone.answer(), null.answer(), agreement.answer(), rim.answer(), survival)


def _subject(
    masked: MaskedClassifier, one: Round, region: Region, target_scores: Mapping[str, TargetScore], final: BoolMap
) -> RegionContext:
    inside = region.model_mask.to_array()
    return RegionContext(
        masked,
        target_scores[region.target],
        inside,
        erased=one.erased.to_array(),
        taken=one.erased_after.to_array(),
        others=final & ~inside,
    )


@dataclass(frozen=True)
class Players:
    """Where a game is played: a track, a target, and its players' places among the run's regions."""

    track: str | None
    target: str
    players: tuple[int, ...]


def _games(rounds: Sequence[Round], most: int) -> list[Players]:
    """A game for every target of every track: of its regions those with the largest drops, in the order of the run."""
    found: dict[tuple[str | None, str], list[tuple[float, int]]] = {}
    regions = [(one.track, region) for one in rounds for region in one.regions]
    for index, (track, region) in enumerate(regions):
        found.setdefault((track, region.target), []).append((-region.drop, index))
    return [
        Players(track, target, tuple(sorted(index for _, index in sorted(drops)[:most])))
        for (track, target), drops in found.items()
        if most
    ]


def _play(
    masked: MaskedClassifier, place: Players, regions: Sequence[Region], target_scores: Mapping[str, TargetScore]
) -> ShapleyGame:
    insides = tuple(regions[index].model_mask.to_array() for index in place.players)
    game = ShapleyTest(masked, target_scores[place.target], insides)
    masked.ask(game.views())
    division = game.answer()
    return ShapleyGame(
        place.track,
        place.target,
        place.players,
        division.value_all,
        division.value_none,
        division.shares,
        division.interactions,
    )


def _cards(seen: Sequence[RegionEvidence], games: Sequence[ShapleyGame], trust: TrustSettings) -> tuple[TrustCard, ...]:
    p = [one.null.p_value for one in seen]
    shares = {index: share for game in games for index, share in zip(game.players, game.shares, strict=True)}
    return tuple(
        _card(one, p_holm, q, shares.get(index), trust.alpha)
        for index, (one, p_holm, q) in enumerate(zip(seen, holm(p), benjamini_hochberg(p), strict=True))
    )


def _card(one: RegionEvidence, p_holm: float | None, q: float | None, share: float | None, alpha: float) -> TrustCard:
    verdict, reason = judge(one.region, one.null, q, alpha, one.agreement, one.border)
    return TrustCard(
        necessity=one.alone.necessity,
        sufficiency=one.alone.sufficiency,
        baseline=one.alone.baseline,
        placements=one.null.placements,
        p_value=one.null.p_value,
        p_holm=p_holm,
        q_value=q,
        fill_drops=one.agreement.drops,
        fill_agreement=one.agreement.least,
        boundary_share=one.border.stays if one.border else None,
        randomized_overlap=one.survival.randomized_overlap,
        randomized_rank_correlation=one.survival.randomized_rank_correlation,
        shapley_value=share,
        verdict=verdict,
        reason=reason,
    )
