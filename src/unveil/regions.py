"""From a saliency map to regions of interest: box smoothing, a threshold after each pass, connected components."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from unveil.box_filter import box_mean, require_odd
from unveil.errors import RecipeError
from unveil.masks import distance_px, label_components


class Threshold(ABC):
    """Which values of a smoothed map are kept: those that are positive and at least `level`."""

    @abstractmethod
    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """The level for the values of the pixels that may be part of a region."""


@dataclass(frozen=True)
class RelativeToMax(Threshold):
    """`share · max`."""

    share: float = 0.5

    def __post_init__(self) -> None:
        _require_share("share", self.share)

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """A share of the largest value."""
        return self.share * float(values.max())


@dataclass(frozen=True)
class Quantile(Threshold):
    """The `q` quantile of the values: the region is at most the upper `1 − q` of the pixels."""

    q: float = 0.95

    def __post_init__(self) -> None:
        _require_share("q", self.q)

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """The quantile."""
        return float(np.quantile(values, self.q))


@dataclass(frozen=True)
class Otsu(Threshold):
    """The level that parts the values into two classes with the largest variance between them (Otsu 1979).

    Exact, on the values themselves: σ_B²(k) = n_0 · n_1 · (μ_0 − μ_1)² over all n − 1 ways to part the sorted values.
    """

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """The smallest value of the upper class."""
        ordered = np.sort(values.astype(np.float64))
        below = np.arange(1, ordered.size)
        above = ordered.size - below
        sums = np.cumsum(ordered)
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
        return float(ordered[int(np.argmax(between)) + 1])


@dataclass(frozen=True, eq=False)
class Selection:
    """Regions found in one map, the one with most saliency first; or none, and the reason why."""

    regions: tuple[Bool[np.ndarray, "*grid"], ...]
    reason: str | None = None


class Selector(ABC):
    """A way to find regions of interest in a saliency map."""

    @abstractmethod
    def select(self, saliency: Float[np.ndarray, "*grid"], erased: Bool[np.ndarray, "*grid"]) -> Selection:
        """Regions among the pixels that aren't erased yet."""

    @abstractmethod
    def smooth(self, saliency: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
        """The map as this way sees it, without any threshold; used to ask what one map would have shown."""


@dataclass(frozen=True)
class SmoothedThreshold(Selector):
    """`passes` times a mean over a box of `size_px` pixels a side, each followed by a threshold; what is left is the
    region.

    Pass: S ← B(S), then S ← S where S > 0 and S ≥ level, else 0 (Bordes et al. 2018: 11 x 11, three passes). A bigger
    box and more passes give larger regions; smaller and fewer suit small findings. Further:

    - `band_px`: saliency closer than that to what is erased already counts as 0, so that the rim of an erased area,
      which lights up whatever the image, can't start a region. A region that starts outside may grow into the band.
    - `split`: every connected component is a region of its own; else all of a round's pixels are one region.
    - `min_area_share`: components smaller than this share of the grid are dropped. `max_regions`: at most so many regions a round.
    - `floor`: a map whose largest value is below it shows no evidence. An absolute bound, in logits per unit of pixel
      value, because a relative threshold finds a region in anything.
    """

    size_px: int = 11
    passes: int = 3
    threshold: Threshold = field(default_factory=RelativeToMax)
    band_px: int = 0
    split: bool = False
    min_area_share: float = 0.0
    max_regions: int = 8
    floor: float = 1e-6

    def __post_init__(self) -> None:
        require_odd(self.size_px, "the paper's is 11")
        if self.passes < 1 or self.band_px < 0 or self.max_regions < 1:
            got = f"passes {self.passes}, band_px {self.band_px}, max_regions {self.max_regions}"
            raise RecipeError(
                "passes ≥ 1, band_px ≥ 0, max_regions ≥ 1", got, "the paper's are 3 passes without a band"
            )
        if not 0 <= self.min_area_share < 1 or not self.floor >= 0:
            got = f"min_area_share {self.min_area_share}, floor {self.floor}"
            raise RecipeError("min_area_share in [0, 1) and floor ≥ 0", got, "0.001 and 1e-6 are usual")

    def smooth(self, saliency: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
        """All passes without their thresholds."""
        for _ in range(self.passes):
            saliency = box_mean(saliency, self.size_px)
        return saliency

    def select(self, saliency: Float[np.ndarray, "*grid"], erased: Bool[np.ndarray, "*grid"]) -> Selection:
        """Regions, or the reason why there is none: erased everywhere, NaN, vanishing, constant, or too small."""
        free = ~erased
        startable = distance_px(erased) > self.band_px
        if reason := self._no_evidence(saliency[startable]):
            return Selection((), reason)
        values = np.where(startable, saliency, 0.0)
        for _ in range(self.passes):
            values = self._one_pass(values, free)
        return self._regions(values)

    def _no_evidence(self, values: Float[np.ndarray, "n"]) -> str | None:
        if values.size == 0:
            return "no pixel is left that isn't erased"
        if not np.isfinite(values).all():
            return f"{np.count_nonzero(~np.isfinite(values))} values of the saliency are NaN or infinite"
        top, low = float(values.max()), float(values.min())
        if top < self.floor or top == 0:
            return f"the largest saliency, {top:.2g}, is below the floor {self.floor:.2g}"
        if top - low <= 1e-6 * top:
            return f"the saliency is {top:.2g} everywhere"
        return None

    def _one_pass(
        self, values: Float[np.ndarray, "*grid"], free: Bool[np.ndarray, "*grid"]
    ) -> Float[np.ndarray, "*grid"]:
        smoothed = np.where(free, box_mean(values, self.size_px), 0.0)
        level = self.threshold.level(smoothed[free])
        # Running sums leave rounding errors of about 1e-16 of the largest value where the true sum is 0.
        rounding = 1e-12 * float(smoothed.max())
        return np.where((smoothed >= level) & (smoothed > rounding), smoothed, 0.0)

    def _regions(self, values: Float[np.ndarray, "*grid"]) -> Selection:
        # Counted before any part is made an array of its own: a noisy volume may have thousands.
        numbers, _ = label_components(values > 0)
        smallest = max(1, self.min_area_share * values.size)
        large = np.bincount(numbers.ravel()) >= smallest
        large[0] = False
        if not large.any():
            return Selection((), f"no connected part reaches the smallest area of {smallest:.0f} px")
        if not self.split:
            return Selection((large[numbers],))
        sums = np.bincount(numbers.ravel(), values.ravel())
        order = sorted(np.flatnonzero(large), key=lambda number: -sums[number])
        return Selection(tuple(numbers == number for number in order[: self.max_regions]))


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise RecipeError(f"{name} between 0 and 1", str(value), "0.5 is half of the largest value")
