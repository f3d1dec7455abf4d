"""Max-sensitivity (Yeh et al. 2019): how much a map changes under small changes of the image."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unveil.classifiers import Classifier
from unveil.errors import RecipeError
from unveil.evaluation.metrics.probe import Explain
from unveil.seeding import seeded_generator

RADIUS = 0.02  # in pixel units
SAMPLES = 10


def max_sensitivity(
    explain: Explain,
    classifier: Classifier,
    pixels: Float[Tensor, "c *grid"],
    *,
    radius: float = RADIUS,
    samples: int = SAMPLES,
    seed: int = 0,
) -> float | None:
    """max_k ‖S(x + e_k) − S(x)‖₂ / ‖S(x)‖₂ over `samples` images x + e_k, e_k uniform in [−radius, radius] (lower
    is better). None if the map of the image itself is zero.

    A lower bound of the maximum over all e with ‖e‖∞ ≤ radius, which rises with `samples`. In pixel units, before
    normalization; pixels may leave [0, 1]. Raises `RecipeError` for a radius or samples that aren't positive.
    """
    if not radius > 0 or samples < 1:
        raise RecipeError("radius > 0 and samples ≥ 1", f"radius {radius}, samples {samples}", "0.02 and 10 are usual")
    original = explain(classifier, pixels).astype(np.float64)
    size = np.linalg.norm(original)
    if not size:
        return None
    changes = []
    for sample in range(samples):
        random = seeded_generator(f"{seed}/max-sensitivity", sample)
        noise = radius * (2 * torch.rand(pixels.shape, generator=random) - 1)
        changed = explain(classifier, pixels + noise.to(pixels)).astype(np.float64)
        changes.append(float(np.linalg.norm(changed - original) / size))
    return max(changes)
