"""How much is asked for the trust cards of a run."""

from dataclasses import dataclass

from unveil.errors import RecipeError
from unveil.fills import Blur, Fill, Mean, Noise

MOST_PLAYERS = 8  # 2^8 subsets


@dataclass(frozen=True)
class TrustSettings:
    """Settings of the trust cards.

    `placements`: places a region is compared with, at most. `fills`: those that its drop is measured with again. `alpha`:
    the corrected p (`Card.q`) up to which a drop counts as more than chance. `max_players`: regions of a target whose
    Shapley shares are computed; k of them cost 2^k images. `samples`: of SmoothGrad for the maps of the randomized
    network; 0 leaves these out.
    """

    placements: int = 39
    fills: tuple[Fill, ...] = (Mean(), Blur(), Noise())
    alpha: float = 0.1
    max_players: int = 8
    samples: int = 8

    def __post_init__(self) -> None:
        if self.placements < 1:
            raise RecipeError("at least 1 draw", str(self.placements), "39 is usual: no p is below 1/(1 + placements)")
        if not 0 < self.alpha < 1:
            raise RecipeError("alpha between 0 and 1", str(self.alpha), "0.1 is usual")
        if not 0 <= self.max_players <= MOST_PLAYERS:
            raise RecipeError(f"0 to {MOST_PLAYERS} players", str(self.max_players), "k players cost 2^k images")
        if self.samples < 0 or self.samples == 1:
            raise RecipeError("0 samples, or 2 and more", str(self.samples), "0 leaves the randomized network out")
