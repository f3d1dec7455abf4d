"""One saliency map as published metrics read it: its peak, and its values stretched to [0, 1]."""

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import AttributionError

CONSTANT = 1e-6  # values closer than this share of the largest count as equal


def peak_of_map(saliency: Float[np.ndarray, "h w"]) -> tuple[int, int] | None:
    """The pixel with the largest value, the first in reading order among equals; None for a map without evidence."""
    if not has_evidence(saliency):
        return None
    y, x = divmod(int(np.nanargmax(saliency)), saliency.shape[1])
    return y, x


def stretch_map(saliency: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"] | None:
    """(S − min S) / (max S − min S), float64 in [0, 1], 0 where S is NaN; None for a map without evidence.

    Every map that isn't constant reaches 1, however small its values: published protocols read maps this way.
    """
    if not has_evidence(saliency):
        return None
    wide = saliency.astype(np.float64)
    low, top = np.nanmin(wide), np.nanmax(wide)
    return np.where(np.isnan(wide), 0.0, (wide - low) / (top - low))


def has_evidence(saliency: Float[np.ndarray, "*grid"]) -> bool:
    """False for a map that is constant inside the model's field of view; NaN stands for pixels outside it.

    Raises `AttributionError` for infinite values.
    """
    if np.isinf(saliency).any():
        got = f"{np.count_nonzero(np.isinf(saliency))} infinite values"
        raise AttributionError("a finite map, NaN outside the model's field of view", got, "check the attribution")
    inside = saliency[~np.isnan(saliency)].astype(np.float64)
    if not inside.size:
        return False
    return bool(inside.max() - inside.min() > CONSTANT * np.abs(inside).max())


def check_same_grid(saliency: Float[np.ndarray, "*grid"], truth: Bool[np.ndarray, "*other"]) -> None:
    """Raise `AttributionError` unless a map and a truth have one shape."""
    if saliency.shape != truth.shape:
        raise AttributionError(
            f"a truth on the map's grid {saliency.shape}",
            f"one on {truth.shape}",
            "bring the map to the source with geometry.map_to_source",
        )
