"""Trust cards: what is known about how far a region can be trusted. Frozen records; `trust/` makes them."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a card comes to, in one word."""

    SUPPORTED = "supported"
    WEAK = "weak"
    ARTEFACT = "artefact"


@dataclass(frozen=True)
class Card:
    """How far one region can be trusted. All values are the target's, in logits; R is the region.

    - `necessity`: f(x) − f(x without R), R alone erased from the original image. Near 0 where others hide it.
    - `sufficiency`: f(R alone), everything else filled; `empty`: f with everything filled, to hold it against.
    - `p`: of `draws` places where R's shape fits elsewhere, how often erasing takes as much as erasing R:
      (1 + #)/(1 + `draws`). None where it fits nowhere. `p_holm` and `q` are corrected for all regions of the run: the
      chance of any false one (Holm 1979), the share of false ones to be expected (Benjamini & Hochberg 1995).
    - `drops`: the drop in place under each of the fills that were tried; `agreement`: of these and the run's own, the
      least over the largest; 0 where their signs differ.
    - `border`: share of the drop that stays when the region's inside is there and only its rim is erased. A cue's goes,
      as its inside comes back; that of an edge stays. None for regions without an inside or without an effect.
    - `survives`: share of R that the map of a network with randomised last layers would have chosen as well;
      `likeness`: rank correlation of the two maps. None for classifiers without weights of their own.
    - `share`: R's Shapley share of what all regions of its target bring to the score; see `Game`.
    """

    necessity: float
    sufficiency: float
    empty: float
    draws: int
    p: float | None
    p_holm: float | None
    q: float | None
    drops: tuple[float, ...]
    agreement: float
    border: float | None
    survives: float | None
    likeness: float | None
    share: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Game:
    """How the regions of one target share its score, and what they do to each other.

    Players are regions, `players` their places in `Run.regions`, at most eight: those with the largest drops. v(S) is
    the target's value with all players but those in S erased. `shares` φ_i = Σ_{S ∌ i} |S|!(k−|S|−1)!/k!·[v(S∪i) −
    v(S)] (Shapley 1953) add up to `whole` − `rest` = v(all) − v(none). `interactions` I_ij = Σ_{S ∌ i,j}
    |S|!(k−|S|−2)!/(k−1)!·[v(S∪ij) − v(S∪i) − v(S∪j) + v(S)] (Grabisch & Roubens 1999), symmetric, 0 on the diagonal:
    below 0 two regions stand in for each other (redundancy), above 0 they need each other (synergy).
    """

    track: str | None
    target: str
    players: tuple[int, ...]
    whole: float
    rest: float
    shares: tuple[float, ...]
    interactions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Cards:
    """The cards of a run: one a region in the order of `Run.regions`, the games, and how many images the classifier was
    asked about for them (`passes`)."""

    cards: tuple[Card, ...]
    games: tuple[Game, ...]
    passes: int
