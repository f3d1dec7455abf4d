"""Find regions of interest in a saliency map: box smoothing, a threshold after each pass, connected components."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from unveil.box_filter import box_mean, require_odd
from unveil.codec import require_numbers
from unveil.errors import RecipeError, require_between
from unveil.masks import distance_px, label_components


class Threshold(ABC):
    """Base class of thresholds: a pass keeps the values that are positive and at least `level`."""

    @abstractmethod
    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """Compute the threshold from the values of the pixels that may be part of a region."""


@dataclass(frozen=True)
class RelativeToMax(Threshold):
    """A share of the largest value: level = share · max S.

    Attributes:
        share: The share, between 0 and 1.

    Raises `RecipeError` for a share out of range.

    >>> RelativeToMax(0.3).level(np.array([1.0, 10.0]))
    3.0
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        require_numbers(self)
        _require_share("share", self.share, "0.5 is half of the largest value")

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """Compute the share of the largest value."""
        return self.share * float(values.max())


@dataclass(frozen=True)
class Quantile(Threshold):
    """A quantile of the values.

    Attributes:
        q: The share of the values below the threshold, between 0 and 1; a region has at most a share of 1 − q of the
            pixels.

    Raises `RecipeError` for a share out of range.
    """

    q: float = 0.95

    def __post_init__(self) -> None:
        require_numbers(self)
        _require_share("q", self.q, "0.95 keeps the largest 5 % of the values")

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """Compute the quantile."""
        return float(np.quantile(values, self.q))


@dataclass(frozen=True)
class Otsu(Threshold):
    """The threshold that splits the values into two classes with the largest variance between them (Otsu 1979).

    It maximizes σ_B²(k) = n_0 · n_1 · (μ_0 − μ_1)² over all n − 1 splits of the sorted values, without a histogram.

    >>> Otsu().level(np.array([0.0, 0.1, 0.9, 1.0]))
    0.9
    """

    def level(self, values: Float[np.ndarray, "n"]) -> float:
        """Compute the smallest value of the upper class."""
        ordered = np.sort(values.astype(np.float64))
        below = np.arange(1, ordered.size)
        above = ordered.size - below
        sums = np.cumsum(ordered)
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
        return float(ordered[int(np.argmax(between)) + 1])


@dataclass(frozen=True, eq=False)
class Selection:
    """The regions of one map.

    Attributes:
        regions: Boolean arrays, the region with the largest sum of saliency first.
        reason: Why there is no region; None if there is one.
    """

    regions: tuple[Bool[np.ndarray, "*grid"], ...]
    reason: str | None = None


class Selector(ABC):
    """Base class of methods that find regions of interest in a saliency map."""

    @abstractmethod
    def select(self, saliency: Float[np.ndarray, "*grid"], erased: Bool[np.ndarray, "*grid"]) -> Selection:
        """Find regions among the pixels that aren't erased yet."""

    @abstractmethod
    def smooth(self, saliency: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
        """Smooth the map as `select` does, without any threshold."""


@dataclass(frozen=True)
class SmoothedThreshold(Selector):
    """Repeated box smoothing, with a threshold after each pass; the pixels that remain are the region.

    Each pass computes S ← B(S), the mean over a box, and then S ← S where S > 0 and S ≥ level, else 0 (Bordes et al.
    2018: 11 x 11 px, three passes). A larger box and more passes give larger regions.

    Attributes:
        size_px: The side length of the box in px; odd.
        passes: The number of passes.
        threshold: The threshold after each pass.
        band_px: Saliency within this distance of erased pixels counts as 0 before the first pass, because the border
            of an erased area has large gradients in any image. A region that starts outside may grow into the band.
        split: Whether every connected component is a region of its own; otherwise all pixels form one region.
        min_area_share: Components smaller than this share of the grid are dropped.
        max_regions: The largest number of regions per round, if `split`.
        floor: A map whose largest value is smaller has no region. It is an absolute bound, in logits per unit of
            pixel value, because a relative threshold finds a region in any map.

    Raises `RecipeError` for settings out of range.

    >>> saliency = np.zeros((9, 9))
    >>> saliency[4, 4] = 1.0
    >>> (region,) = SmoothedThreshold(size_px=3, passes=1).select(saliency, np.zeros((9, 9), bool)).regions
    >>> int(region.sum())
    9
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
        require_numbers(self)
        require_odd(self.size_px, "the paper's is 11")
        require_between("passes", self.passes, 1, 100, "the paper has 3")
        require_between("band_px", self.band_px, 0, 10_000, "the paper has no band, 0")
        require_between("max_regions", self.max_regions, 1, 1000, "8 is usual")
        require_between("min_area_share", self.min_area_share, 0, 0.99, "0.001 is usual")
        require_between("floor", self.floor, 0, 1e9, "1e-6 is usual")

    def smooth(self, saliency: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
        """Apply all passes without their thresholds."""
        for _ in range(self.passes):
            saliency = box_mean(saliency, self.size_px)
        return saliency

    def select(self, saliency: Float[np.ndarray, "*grid"], erased: Bool[np.ndarray, "*grid"]) -> Selection:
        """Find the regions of a map.

        The reason for none is that everything is erased, that the map has NaN, vanishes or is constant, or that all
        components are too small.
        """
        free = ~erased
        startable = distance_px(erased) > self.band_px
        if reason := self._reason_for_none(saliency[startable]):
            return Selection((), reason)
        values = np.where(startable, saliency, 0.0)
        for _ in range(self.passes):
            values = self._smooth_and_threshold(values, free)
        return self._split_regions(values)

    def _reason_for_none(self, values: Float[np.ndarray, "n"]) -> str | None:
        if values.size == 0:
            return "no pixel is left that isn't erased"
        if not np.isfinite(values).all():
            return f"{np.count_nonzero(~np.isfinite(values))} values of the saliency are NaN or infinite"
        highest, lowest = float(values.max()), float(values.min())
        if highest < self.floor or highest == 0:
            return f"the largest saliency, {highest:.2g}, is below the floor {self.floor:.2g}"
        if highest - lowest <= 1e-6 * highest:
            return f"the saliency is {highest:.2g} everywhere"
        return None

    def _smooth_and_threshold(
        self, values: Float[np.ndarray, "*grid"], free: Bool[np.ndarray, "*grid"]
    ) -> Float[np.ndarray, "*grid"]:
        smoothed = np.where(free, box_mean(values, self.size_px), 0.0)
        level = self.threshold.level(smoothed[free])
        # Running sums leave rounding errors of about 1e-16 of the largest value where the true sum is 0.
        rounding = 1e-12 * float(smoothed.max())
        return np.where((smoothed >= level) & (smoothed > rounding), smoothed, 0.0)

    def _split_regions(self, values: Float[np.ndarray, "*grid"]) -> Selection:
        # Sizes are counted before any component becomes an array of its own: a noisy volume may have thousands.
        labels, _ = label_components(values > 0)
        min_area = max(1, self.min_area_share * values.size)
        large = np.bincount(labels.ravel()) >= min_area
        large[0] = False
        if not large.any():
            return Selection((), f"no connected component reaches the smallest area of {min_area:.0f} px")
        if not self.split:
            return Selection((large[labels],))
        sums = np.bincount(labels.ravel(), values.ravel())
        order = sorted(np.flatnonzero(large), key=lambda label: -sums[label])
        return Selection(tuple(labels == label for label in order[: self.max_regions]))


def _require_share(name: str, value: float, usual: str) -> None:
    if not 0 < value < 1:
        raise RecipeError(f"{name} between 0 and 1", str(value), usual)
