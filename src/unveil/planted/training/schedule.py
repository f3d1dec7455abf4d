"""The learning rate while a network is trained."""

import math

WARM_UP = 0.05


def warm_up_and_cosine(done: float) -> float:
    """Share of the full learning rate after a share of the training: up over the first `WARM_UP`, then down along a
    cosine."""
    return done / WARM_UP if done < WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
