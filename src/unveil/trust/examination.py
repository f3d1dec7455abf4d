"""The cards of a run: every region is looked at in its place, and all of a target's regions together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from unveil.cards import Card, Cards, Game
from unveil.records import Region, Round
from unveil.targets import Scalar
from unveil.trust.asking import Asker, BoolMap, Subject
from unveil.trust.borders import Agreement, Alone, Border, ByItself, OnlyTheRim, OtherFills
from unveil.trust.nulls import Elsewhere, Null, benjamini_hochberg, holm
from unveil.trust.randomised import Forgetful, Lens, Survival
from unveil.trust.settings import Trust
from unveil.trust.shares import Coalitions
from unveil.trust.verdicts import judge

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Seen:
    """What was found out about one region by itself."""

    region: Region
    alone: Alone
    null: Null
    agreement: Agreement
    border: Border | None
    survival: Survival


def examine(
    asker: Asker,
    lens: Lens,
    rounds: Sequence[Round],
    scalars: Mapping[str, Scalar],
    trust: Trust,
    on_step: OnStep = lambda done, total: None,
) -> Cards:
    """The cards of all regions of these rounds.

    `scalars`: what the targets' names mean. `on_step(done, total)` is told of every region and every game. About 50
    images a region (with 39 draws and three fills), 2^k for the k regions of a target, and for gradients
    `trust.samples` a round; what is asked twice is asked once.
    """
    before, places = asker.passes, _games(rounds, trust.players)
    total = sum(len(one.regions) for one in rounds) + len(places)
    seen: list[Seen] = []
    for one in _regions(asker, lens, rounds, scalars, trust):
        seen.append(one)
        on_step(len(seen), total)
    games = []
    for place in places:
        games.append(_play(asker, place, [one.region for one in seen], scalars))
        on_step(len(seen) + len(games), total)
    return Cards(_cards(seen, games, trust), tuple(games), asker.passes - before)


def significance(asker: Asker, one: Round, scalars: Mapping[str, Scalar], draws: int) -> float | None:
    """The smallest corrected p (Benjamini & Hochberg) of a round's regions; None if none can be compared.

    A region that doesn't lower the score has p = 1, also where other places raise it by more.
    """
    nulls: list[float | None] = []
    for region in one.regions:
        if region.drop <= 0:
            nulls.append(1.0)
            continue
        null = Elsewhere(_subject(asker, one, region, scalars, one.erased_after.inside()), draws)
        asker.ask(null.views())
        nulls.append(null.answer().p)
    return min((q for q in benjamini_hochberg(nulls) if q is not None), default=None)


def _regions(
    asker: Asker, lens: Lens, rounds: Sequence[Round], scalars: Mapping[str, Scalar], trust: Trust
) -> Iterator[Seen]:
    forgetful = Forgetful(asker, lens, trust.samples) if any(one.regions for one in rounds) else None
    final = {one.track: one.erased_after.inside() for one in rounds}
    for one in rounds:
        asked = [scalars[item.target] for item in one.maps]
        maps = forgetful.maps(one, asked) if forgetful and one.regions else {}
        for region in one.regions:
            subject = _subject(asker, one, region, scalars, final[one.track])
            alone, null = ByItself(subject), Elsewhere(subject, trust.draws)
            agreement, rim = OtherFills(subject, trust.fills), OnlyTheRim(subject)
            asker.ask(view for part in (alone, null, agreement, rim) for view in part.views())
            survival = forgetful.survival(region, one, maps) if forgetful else Survival(None, None)
            yield Seen(region, alone.answer(), null.answer(), agreement.answer(), rim.answer(), survival)


def _subject(asker: Asker, one: Round, region: Region, scalars: Mapping[str, Scalar], final: BoolMap) -> Subject:
    inside = region.grid_outline.inside()
    return Subject(
        asker,
        scalars[region.target],
        inside,
        erased=one.erased.inside(),
        taken=one.erased_after.inside(),
        others=final & ~inside,
    )


@dataclass(frozen=True)
class Place:
    """Where a game is played: a track, a target, and its players' places among the run's regions."""

    track: str | None
    target: str
    players: tuple[int, ...]


def _games(rounds: Sequence[Round], most: int) -> list[Place]:
    """A game for every target of every track: of its regions those with the largest drops, in the order of the run."""
    found: dict[tuple[str | None, str], list[tuple[float, int]]] = {}
    regions = [(one.track, region) for one in rounds for region in one.regions]
    for index, (track, region) in enumerate(regions):
        found.setdefault((track, region.target), []).append((-region.drop, index))
    return [
        Place(track, target, tuple(sorted(index for _, index in sorted(drops)[:most])))
        for (track, target), drops in found.items()
        if most
    ]


def _play(asker: Asker, place: Place, regions: Sequence[Region], scalars: Mapping[str, Scalar]) -> Game:
    insides = tuple(regions[index].grid_outline.inside() for index in place.players)
    game = Coalitions(asker, scalars[place.target], insides)
    asker.ask(game.views())
    division = game.answer()
    return Game(
        place.track,
        place.target,
        place.players,
        division.whole,
        division.rest,
        division.shares,
        division.interactions,
    )


def _cards(seen: Sequence[Seen], games: Sequence[Game], trust: Trust) -> tuple[Card, ...]:
    p = [one.null.p for one in seen]
    shares = {index: share for game in games for index, share in zip(game.players, game.shares, strict=True)}
    return tuple(
        _card(one, p_holm, q, shares.get(index), trust.alpha)
        for index, (one, p_holm, q) in enumerate(zip(seen, holm(p), benjamini_hochberg(p), strict=True))
    )


def _card(one: Seen, p_holm: float | None, q: float | None, share: float | None, alpha: float) -> Card:
    verdict, reason = judge(one.region, one.null, q, alpha, one.agreement, one.border)
    return Card(
        necessity=one.alone.necessity,
        sufficiency=one.alone.sufficiency,
        empty=one.alone.empty,
        draws=one.null.draws,
        p=one.null.p,
        p_holm=p_holm,
        q=q,
        drops=one.agreement.drops,
        agreement=one.agreement.least,
        border=one.border.stays if one.border else None,
        survives=one.survival.survives,
        likeness=one.survival.likeness,
        share=share,
        verdict=verdict,
        reason=reason,
    )
