"""Makes the trust cards of a run: every region is tested in its place, and all regions of a target together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from unveil.masked import MaskedClassifier
from unveil.multiple_testing import benjamini_hochberg, holm
from unveil.recipes import Recipe, TrustSettings
from unveil.records import Region, Round, ShapleyGame, TrustCard, TrustCards, Verdict, make_label_cards
from unveil.targets import TargetScore
from unveil.trust.base import RegionContext
from unveil.trust.erasure import (
    BoundaryShare,
    BoundaryTest,
    FillAgreement,
    FillRobustness,
    SingleRegionScores,
    SingleRegionTest,
)
from unveil.trust.placement import PlacementResult, PlacementTest
from unveil.trust.randomization import ParameterRandomization, RandomizationResult
from unveil.trust.shapley import ShapleyTest
from unveil.trust.verdicts import judge, judge_by_label

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class _Evidence:
    """The results of all tests of one region."""

    region: Region
    alone: SingleRegionScores
    randomization: RandomizationResult
    by_label: tuple[Verdict, str] | None
    erasure: "_Erasure | None"


@dataclass(frozen=True)
class _Erasure:
    """The results of the tests that compare a region with other places, fills and its boundary.

    Where the settings are adaptive, all are left out if the label check decides, and each if it can't change the
    verdict any more: see `_test_erasure`.
    """

    placement: PlacementResult
    fills: FillAgreement | None = None
    boundary: BoundaryShare | None = None


@dataclass(frozen=True)
class _Players:
    """The regions of one Shapley game: a track, a target, and the regions' places in `Run.regions`."""

    track: str | None
    target_score: TargetScore
    places: tuple[int, ...]


def make_trust_cards(
    masked: MaskedClassifier,
    recipe: Recipe,
    rounds: Sequence[Round],
    on_step: OnStep = lambda done, total: None,
) -> TrustCards:
    """Make a trust card for each region, and a Shapley game for each target.

    Each region costs about 50 images with 39 placements and three fills; the k regions of a target cost 2^k images;
    gradients cost `recipe.trust.samples` images per round. Views that the loop or another test has already predicted
    cost nothing.

    Args:
        masked: The classifier and image of the run.
        recipe: The recipe of the run; its `trust` has the settings (None: the default settings).
        rounds: The rounds whose regions are tested.
        on_step: Called after each region and each game with the number done and their total.
    """
    settings = recipe.trust or TrustSettings()
    passes_before, games = masked.passes, _players(rounds, settings.max_players)
    total = sum(len(round_.regions) for round_ in rounds) + len(games)
    evidence: list[_Evidence] = []
    for item in _test_regions(masked, recipe, settings, rounds):
        evidence.append(item)
        on_step(len(evidence), total)
    regions = [item.region for item in evidence]
    played: list[ShapleyGame] = []
    for players in games:
        played.append(_play(masked, players, regions))
        on_step(len(evidence) + len(played), total)
    return TrustCards(_cards(evidence, played, settings), tuple(played), masked.passes - passes_before)


def smallest_p_value(masked: MaskedClassifier, round_: Round, placements: int) -> float | None:
    """Compute the smallest q-value (Benjamini & Hochberg) of the regions of `round_` in the placement test.

    `masked` is the classifier and image of the run; each region is compared with at most `placements` places. None if
    no region of the round fits anywhere else. A region that doesn't lower the score has p = 1, even if placements raise
    the score by more.
    """
    values: list[float | None] = []
    for region in round_.regions:
        if region.drop <= 0:
            values.append(1.0)
            continue
        context = RegionContext.of(masked.compared, round_, region, round_.erased_after.to_array())
        values.append(_test_places(context, placements).p_value)
    return min((q_value for q_value in benjamini_hochberg(values) if q_value is not None), default=None)


def _test_regions(
    masked: MaskedClassifier, recipe: Recipe, settings: TrustSettings, rounds: Sequence[Round]
) -> Iterator[_Evidence]:
    if not any(round_.regions for round_ in rounds):
        return
    randomization = ParameterRandomization(masked, recipe, settings)
    erased_at_end = {round_.track: round_.erased_after.to_array() for round_ in rounds}
    labels = {card.class_index: card for card in make_label_cards(rounds, rounds[0].before)}
    for round_ in rounds:
        scores = [target_map.target_score for target_map in round_.maps]
        maps = randomization.maps(round_, scores) if round_.regions and round_.index == 1 else {}
        follows = round_.track is None and recipe.target.follows_predictions
        for region in round_.regions:
            context = RegionContext.of(masked, round_, region, erased_at_end[round_.track])
            by_label = judge_by_label(region, labels, follows=follows)
            alone = SingleRegionTest(context)
            masked.evaluate(alone.views())
            yield _Evidence(
                region,
                alone.result(),
                randomization.result(region, round_, maps),
                by_label,
                None if by_label and settings.adaptive else _test_erasure(context.compared(), region, settings),
            )


def _test_erasure(context: RegionContext, region: Region, settings: TrustSettings) -> _Erasure:
    """The tests that erase; where the settings are adaptive, only as long as the verdict is open.

    A region that doesn't lower the score can't be supported: p = 1. Neither can one whose p-value is above alpha
    already, since its q-value is at least as large; other fills and the boundary are then left out.
    """
    if settings.adaptive and region.drop <= 0:
        return _Erasure(PlacementResult(1.0, 0))
    placement = _test_places(context, settings.placements)
    if settings.adaptive and (placement.p_value is None or placement.p_value > settings.alpha):
        return _Erasure(placement)
    fills, boundary = FillRobustness(context, settings.fills), BoundaryTest(context)
    context.masked.evaluate(view for test in (fills, boundary) for view in test.views())
    return _Erasure(placement, fills.result(), boundary.result())


def _test_places(context: RegionContext, placements: int) -> PlacementResult:
    test = PlacementTest(context, placements)
    context.masked.evaluate(test.views())
    return test.result()


def _players(rounds: Sequence[Round], limit: int) -> list[_Players]:
    """For each target of each track, its regions with the largest drops, at most `limit`, in the order of the run."""
    drops: dict[tuple[str | None, TargetScore], list[tuple[float, int]]] = {}
    regions = [(round_.track, region) for round_ in rounds for region in round_.regions]
    for place, (track, region) in enumerate(regions):
        drops.setdefault((track, region.target_score), []).append((-region.drop, place))
    return [
        _Players(track, target_score, tuple(sorted(place for _, place in sorted(ranked)[:limit])))
        for (track, target_score), ranked in drops.items()
        if limit
    ]


def _play(masked: MaskedClassifier, players: _Players, regions: Sequence[Region]) -> ShapleyGame:
    insides = tuple(regions[place].model_mask.to_array() for place in players.places)
    test = ShapleyTest(masked, players.target_score, insides)
    masked.evaluate(test.views())
    values = test.result()
    return ShapleyGame(
        players.track,
        players.target_score,
        players.places,
        values.value_all,
        values.value_none,
        values.shares,
        values.interactions,
    )


def _cards(
    evidence: Sequence[_Evidence], games: Sequence[ShapleyGame], settings: TrustSettings
) -> tuple[TrustCard, ...]:
    p_values = [item.erasure.placement.p_value if item.erasure else None for item in evidence]
    corrected = zip(evidence, holm(p_values), benjamini_hochberg(p_values), strict=True)
    shares = {place: share for game in games for place, share in zip(game.players, game.shares, strict=True)}
    return tuple(
        _card(item, p_holm, q_value, shares.get(place), settings.alpha)
        for place, (item, p_holm, q_value) in enumerate(corrected)
    )


def _card(
    evidence: _Evidence, p_holm: float | None, q_value: float | None, shapley_value: float | None, alpha: float
) -> TrustCard:
    erasure = evidence.erasure
    if evidence.by_label is not None or erasure is None:
        verdict, reason = evidence.by_label or (Verdict.WEAK, "not tested")
    else:
        verdict, reason = judge(evidence.region, erasure.placement, q_value, alpha, erasure.fills, erasure.boundary)
    return TrustCard(
        necessity=evidence.alone.necessity,
        sufficiency=evidence.alone.sufficiency,
        baseline=evidence.alone.baseline,
        placements=erasure.placement.placements if erasure else 0,
        p_value=erasure.placement.p_value if erasure else None,
        p_holm=p_holm,
        q_value=q_value,
        fill_drops=erasure.fills.drops if erasure and erasure.fills else (),
        fill_agreement=erasure.fills.ratio if erasure and erasure.fills else None,
        boundary_share=erasure.boundary.drop_share if erasure and erasure.boundary else None,
        randomized_overlap=evidence.randomization.overlap,
        randomized_rank_correlation=evidence.randomization.rank_correlation,
        shapley_value=shapley_value,
        verdict=verdict,
        reason=reason,
    )
