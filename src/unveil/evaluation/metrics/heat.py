"""One saliency map as the field's metrics read it: where its peak is, and stretched to [0, 1]."""

import numpy as np
from jaxtyping import Bool, Float

from unveil.errors import AttributionError

CONSTANT = 1e-6  # values closer than this share of the largest are one value


def peak_of_map(saliency: Float[np.ndarray, "h w"]) -> tuple[int, int] | None:
    """The pixel with the largest value, of equal ones the first in reading order; None for a map without evidence."""
    if not shows_evidence(saliency):
        return None
    y, x = divmod(int(np.nanargmax(saliency)), saliency.shape[1])
    return y, x


def stretched(saliency: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"] | None:
    """(S − min S) / (max S − min S), float64 in [0, 1], 0 where the model doesn't see; None for a map without evidence.

    Every map that isn't constant reaches 1, however little it says: that is how the field's protocols read maps.
    """
    if not shows_evidence(saliency):
        return None
    wide = saliency.astype(np.float64)
    low, top = np.nanmin(wide), np.nanmax(wide)
    return np.where(np.isnan(wide), 0.0, (wide - low) / (top - low))


def shows_evidence(saliency: Float[np.ndarray, "*grid"]) -> bool:
    """False for a map that is constant where the model sees. NaN stands for pixels that it doesn't see.

    Raises `AttributionError` for infinite values.
    """
    if np.isinf(saliency).any():
        got = f"{np.count_nonzero(np.isinf(saliency))} infinite values"
        raise AttributionError("a finite map, NaN where the model doesn't see", got, "check the attribution")
    seen = saliency[~np.isnan(saliency)].astype(np.float64)
    if not seen.size:
        return False
    return bool(seen.max() - seen.min() > CONSTANT * np.abs(seen).max())


def same_grid(saliency: Float[np.ndarray, "*grid"], inside: Bool[np.ndarray, "*other"]) -> None:
    """Raises `AttributionError` unless a map and a truth have one shape."""
    if saliency.shape != inside.shape:
        raise AttributionError(
            f"a truth on the map's grid {saliency.shape}",
            f"one on {inside.shape}",
            "bring the map to the source with geometry.map_to_source",
        )
