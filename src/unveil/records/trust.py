"""Records of how far regions can be trusted; `unveil.trust` makes them."""

from dataclasses import dataclass, field
from enum import StrEnum

from unveil.targets import TargetScore


class Verdict(StrEnum):
    """The conclusion of a trust card, in one word."""

    SUPPORTED = "supported"
    WEAK = "weak"
    ARTIFACT = "artifact"


@dataclass(frozen=True)
class TrustCard:
    """How far one region R can be trusted. All scores are values of the region's target, in logits.

    - `necessity`: f(x) − f(x ∖ R), with R alone erased from the original image. Near 0 where other regions replace it.
    - `sufficiency`: f(R alone), with everything else erased; `baseline`: f with everything erased, for comparison.
    - `placements`: number of other places where R's shape was erased. `p_value`: (1 + number of them whose drop is at
      least R's) / (1 + `placements`), or 5 / `placements` if drawing ended at the fifth of these; None where the shape
      fits nowhere else. `p_holm` and `q_value` are corrected for
      all regions of the run: Holm (1979), Benjamini & Hochberg (1995).
    - `fill_drops`: R's drop with each of the other fills. `fill_agreement`: smallest over largest absolute drop among
      all fills, including the run's own; 0 if signs differ.
    - `boundary_share`: share of the drop that remains when only R's boundary is erased. None for a region that is all
      boundary, or without a drop.
    - `randomized_overlap`: share of R among the strongest pixels of the map of a network with randomized last layers;
      `randomized_rank_correlation`: rank correlation of the two maps. None for classifiers and methods that aren't
      tested.
    - `shapley_value`: R's share of what all regions of its target add to the score, see `ShapleyGame`. None beyond
      the regions with the largest drops.
    Where the settings are adaptive, tests that can't change the verdict are left out (see `TrustSettings`): then
    `placements` is 0, `fill_drops` is empty, and the values of these tests are None.

    - `verdict` and `reason`: the conclusion, and the test that decided it.
    """

    necessity: float
    sufficiency: float
    baseline: float
    placements: int
    p_value: float | None
    p_holm: float | None
    q_value: float | None
    fill_drops: tuple[float, ...]
    fill_agreement: float | None
    boundary_share: float | None
    randomized_overlap: float | None
    randomized_rank_correlation: float | None
    shapley_value: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class ShapleyGame:
    """How the regions of one target share its score, and how they interact.

    `players` are places in `Run.regions`: at most `max_players` of the recipe, those with the largest drops. v(S) is
    the target score with all players erased but those in S. `shares` are the Shapley values (Shapley 1953)

        φ_i = Σ_{S ∌ i} |S|!(k−|S|−1)!/k! · [v(S∪i) − v(S)],

    which add up to `value_all` − `value_none` = v(all) − v(none). `interactions` (Grabisch & Roubens 1999),

        I_ij = Σ_{S ∌ i,j} |S|!(k−|S|−2)!/(k−1)! · [v(S∪ij) − v(S∪i) − v(S∪j) + v(S)],

    are symmetric, 0 on the diagonal, below 0 for two redundant regions, and above 0 for two that need each other.
    """

    track: str | None
    target_score: TargetScore
    players: tuple[int, ...]
    value_all: float
    value_none: float
    shares: tuple[float, ...]
    interactions: tuple[tuple[float, ...], ...]

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.target_score.name


@dataclass(frozen=True)
class TrustCards:
    """The trust cards of a run, one per region in the order of `Run.regions`, and its Shapley games.

    `passes`: number of images that the classifier was given for them, beyond those of the rounds;
    a cost like `Run.seconds`, and no part of equality.
    """

    cards: tuple[TrustCard, ...]
    games: tuple[ShapleyGame, ...]
    passes: int = field(compare=False)
