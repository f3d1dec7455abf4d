"""Similarity of two maps: structural similarity."""

import numpy as np
from jaxtyping import Float
from scipy import ndimage

SIGMA_PX = 1.5
WINDOW_PX = 11
SMALL = (0.01**2, 0.03**2)  # stabilize the quotient where a window is dark or constant


def ssim(first: Float[np.ndarray, "*grid"], second: Float[np.ndarray, "*grid"]) -> float | None:
    """Mean structural similarity (Wang et al. 2004) of two non-negative maps, each divided by its maximum.

    SSIM = (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂)), means and covariances under a
    Gaussian of 1.5 px on 11 px per side; the mean is over the places where this window lies inside the grid. None if a
    map is zero everywhere or the grid is smaller than the window.
    """
    half = WINDOW_PX // 2
    if not first.max() > 0 or not second.max() > 0 or min(first.shape) < WINDOW_PX:
        return None
    a, b = (values.astype(np.float64) / values.max() for values in (first, second))

    def mean(values: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
        return ndimage.gaussian_filter(values, SIGMA_PX, radius=half)

    mean_a, mean_b = mean(a), mean(b)
    covariance, variances = mean(a * b) - mean_a * mean_b, mean(a * a) + mean(b * b) - mean_a**2 - mean_b**2
    luminance = (2 * mean_a * mean_b + SMALL[0]) / (mean_a**2 + mean_b**2 + SMALL[0])
    structure = (2 * covariance + SMALL[1]) / (variances + SMALL[1])
    return float((luminance * structure)[(slice(half, -half),) * a.ndim].mean())
