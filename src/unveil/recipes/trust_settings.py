"""Settings of the trust cards."""

from dataclasses import dataclass, replace

from unveil.attribution import Attribution, Gradient, SmoothGrad
from unveil.codec import require_numbers
from unveil.errors import RecipeError
from unveil.fills import Blur, Fill, Mean, Noise
from unveil.stopping import MAX_PLACEMENTS

MAX_PLAYERS = 8  # 2^8 subsets
MAX_TRUST_SAMPLES = 10_000


@dataclass(frozen=True)
class TrustSettings:
    """Settings of the trust cards.

    Attributes:
        placements: The largest number of other places that a region is compared with, 1 to 10 000; no p-value is below
            1 / (1 + placements).
        fills: The fills with which the drop of each region is measured again.
        alpha: The largest q-value of a significant drop, between 0 and 1.
        max_players: The largest number of regions per target whose Shapley values are computed, 0 to 8; k regions cost
            2^k images.
        samples: The number of SmoothGrad samples for the map of the randomized network, in the first round of each
            track; 0 leaves that test out.
        adaptive: Whether tests that can't change a verdict are left out: a region whose label decides (see
            `LabelCheck`) or whose drop isn't above 0 isn't compared with other places, one with a p-value above `alpha`
            not with other fills and its boundary, and plain gradients, which pass it, aren't given the parameter
            randomization test.

    Raises `RecipeError` for settings out of range.
    """

    placements: int = 39
    fills: tuple[Fill, ...] = (Mean(), Blur(), Noise())
    alpha: float = 0.1
    max_players: int = 4
    samples: int = 8
    adaptive: bool = True

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 1 <= self.placements <= MAX_PLACEMENTS:
            raise RecipeError(f"1 to {MAX_PLACEMENTS} placements", str(self.placements), "39 is usual")
        if not 0 < self.alpha < 1:
            raise RecipeError("alpha between 0 and 1", str(self.alpha), "0.1 is usual")
        if not 0 <= self.max_players <= MAX_PLAYERS:
            raise RecipeError(
                f"max_players from 0 to {MAX_PLAYERS}", str(self.max_players), "k players cost 2^k images"
            )
        if not (self.samples == 0 or 2 <= self.samples <= MAX_TRUST_SAMPLES):
            expected = f"0 samples, or 2 to {MAX_TRUST_SAMPLES}"
            raise RecipeError(expected, str(self.samples), "0 leaves the randomization test out")

    def randomized_method(self, attribution: Attribution) -> Attribution | None:
        """Return the method of the parameter randomization test; None where the test is left out.

        It is `attribution` with at most `samples` samples. Only gradients are tested: other methods may be slow, or
        belong to the weights that they were made for.

        >>> from unveil.attribution import GuidedBackprop
        >>> TrustSettings(samples=4).randomized_method(SmoothGrad(GuidedBackprop(), samples=50)).samples
        4
        >>> TrustSettings().randomized_method(SmoothGrad()) is None
        True
        """
        method = attribution.method if isinstance(attribution, SmoothGrad) else attribution
        if not self.samples or not isinstance(method, Gradient) or (self.adaptive and method.rule is None):
            return None
        if not isinstance(attribution, SmoothGrad):
            return attribution
        own = attribution.samples
        samples = min(self.samples, own) if isinstance(own, int) else self.samples
        return replace(attribution, samples=samples, antithetic=False)
