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


def impute(pixels: Float[np.ndarray, "c h w"], missing: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "c h w"]:
    """The image with every missing pixel replaced, float64; all missing pixels are solved for at once.

    x_i = Σ_j w_ij x_j / Σ_j w_ij over its neighbors j in the image, missing or not; w is 1/6 for pixels that share a
    side and 1/12 for pixels that share a corner. One sparse system for all channels, without noise. Other pixels stay
    unchanged, and the old values of the missing pixels have no effect. Raises `RecipeError` if all pixels are missing.
    """
    if missing.all():
        raise RecipeError("at least one pixel to impute the others from", "none", "remove fewer pixels")
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
        inside = np.flatnonzero((y >= 0) & (y < missing.shape[0]) & (x >= 0) & (x < missing.shape[1]))
        y, x = y[inside], x[inside]
        weights[inside] += weight
        known = number[y, x] < 0
        right[inside[known]] += weight * result[:, y[known], x[known]].T
        others = inside[~known]
        pairs.append((np.full(len(others), -weight), others, number[y, x][~known]))
    values, first, second = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    system = sparse.coo_array((values, (first, second)), shape=(len(rows),) * 2) + sparse.diags_array(weights)
    # This order of elimination suits a symmetric, positive definite system.
    solved = splu(sparse.csc_matrix(system), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    result[:, rows, columns] = solved.T
    return result
