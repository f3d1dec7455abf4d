"""Noisy linear imputation (Rong et al. 2022, ROAD): missing pixels as weighted means of their neighbors."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.sparse.linalg import splu

from unveil.errors import RecipeError

BESIDE, ACROSS = 1 / 6, 1 / 12
NEIGHBORS = {
    (down, right): BESIDE if 0 in (down, right) else ACROSS
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
    if (down, right) != (0, 0)
}


def imputed(pixels: Float[np.ndarray, "c h w"], missing: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "c h w"]:
    """The image with every missing pixel solved for at once, float64:

    x_i = Σ_j w_ij x_j / Σ_j w_ij over its neighbors j in the image, missing or not; w is 1/6 beside and 1/12 across.
    One sparse system for all channels, without noise. What is kept stays as it is, and what was in the missing pixels
    doesn't enter. Raises `RecipeError` if no pixel is left.
    """
    if missing.all():
        raise RecipeError("a pixel that is left, to impute the others from", "none", "take away less")
    result = pixels.astype(np.float64)
    if not missing.any():
        return result
    rows, columns = np.nonzero(missing)
    number = np.full(missing.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    weights, right = np.zeros(len(rows)), np.zeros((len(rows), len(pixels)))
    pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for (down, across), weight in NEIGHBORS.items():
        y, x = rows + down, columns + across
        there = np.flatnonzero((y >= 0) & (y < missing.shape[0]) & (x >= 0) & (x < missing.shape[1]))
        y, x = y[there], x[there]
        weights[there] += weight
        known = number[y, x] < 0
        right[there[known]] += weight * result[:, y[known], x[known]].T
        others = there[~known]
        pairs.append((np.full(len(others), -weight), others, number[y, x][~known]))
    values, first, second = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    system = sparse.coo_array((values, (first, second)), shape=(len(rows),) * 2) + sparse.diags_array(weights)
    # The system is symmetric and positive definite, which this order of elimination makes use of.
    solved = splu(sparse.csc_matrix(system), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    result[:, rows, columns] = solved.T
    return result
