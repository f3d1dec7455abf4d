"""Trust cards: what is known about how far a region can be trusted. Frozen records; `trust/` makes them."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a card comes to, in one word."""

    SUPPORTED = "supported"
    WEAK = "weak"
    ARTIFACT = "artifact"


@dataclass(frozen=True)
class TrustCard:
    """How far one region can be trusted. All values are the target's, in logits; R is the region.

    - `necessity`: f(x) − f(x without R), R alone erased from the original image. Near 0 where others hide it.
    - `sufficiency`: f(R alone), everything else filled; `baseline`: f with everything filled, to hold it against.
    - `p_value`: of `placements` places where R's shape fits elsewhere, how often erasing takes as much as erasing R:
      (1 + #)/(1 + `placements`). None where it fits nowhere. `p_holm` and `q_value` are corrected for all regions of the run: the
      chance of any false one (Holm 1979), the share of false ones to be expected (Benjamini & Hochberg 1995).
    - `fill_drops`: the drop in place under each of the fills that were tried; `fill_agreement`: of these and the run's own, the
      least over the largest; 0 where their signs differ.
    - `boundary_share`: share of the drop that stays when the region's inside is there and only its rim is erased. A cue's goes,
      as its inside comes back; that of an edge stays. None for regions without an inside or without an effect.
    - `randomized_overlap`: share of R that the map of a network with randomized last layers would have chosen as well;
      `randomized_rank_correlation`: rank correlation of the two maps. None for classifiers without weights of their own.
    - `shapley_value`: R's Shapley share of what all regions of its target bring to the score; see `ShapleyGame`.
    """

    necessity: float
    sufficiency: float
    baseline: float
    placements: int
    p_value: float | None
    p_holm: float | None
    q_value: float | None
    fill_drops: tuple[float, ...]
    fill_agreement: float
    boundary_share: float | None
    randomized_overlap: float | None
    randomized_rank_correlation: float | None
    shapley_value: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class ShapleyGame:
    """How the regions of one target share its score, and what they do to each other.

    Players are regions, `players` their places in `Run.regions`, at most eight: those with the largest drops. v(S) is
    the target's value with all players but those in S erased. `shares` φ_i = Σ_{S ∌ i} |S|!(k−|S|−1)!/k!·[v(S∪i) −
    v(S)] (Shapley 1953) add up to `value_all` − `value_none` = v(all) − v(none). `interactions` I_ij = Σ_{S ∌ i,j}
    |S|!(k−|S|−2)!/(k−1)!·[v(S∪ij) − v(S∪i) − v(S∪j) + v(S)] (Grabisch & Roubens 1999), symmetric, 0 on the diagonal:
    below 0 two regions stand in for each other (redundancy), above 0 they need each other (synergy).
    """

    track: str | None
    target: str
    players: tuple[int, ...]
    value_all: float
    value_none: float
    shares: tuple[float, ...]
    interactions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class TrustCards:
    """The cards of a run: one a region in the order of `Run.regions`, the games, and how many images the classifier was
    asked about for them (`passes`)."""

    cards: tuple[TrustCard, ...]
    games: tuple[ShapleyGame, ...]
    passes: int
