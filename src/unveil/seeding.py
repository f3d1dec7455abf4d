"""Random numbers that depend on their purpose, not on the order in which they are drawn."""

import hashlib
import operator
from typing import Any

import torch

from unveil.errors import RecipeError, require_between

MAX_SEED = 2**63 - 1


def seeded_generator(stream: str, sample: int) -> torch.Generator:
    """Make the random generator of one sample of a stream, seeded by the first 63 bits of SHA-256(`stream/sample`).

    Equal streams and samples give equal numbers in any order, batch and process, and on any device as long as the
    numbers are drawn on the CPU.

    >>> first, again = (torch.randn(3, generator=seeded_generator("smoothgrad", 5)) for _ in range(2))
    >>> torch.equal(first, again)
    True
    """
    digest = hashlib.sha256(f"{stream}/{sample}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def check_seed(seed: Any) -> int:
    """The seed as a plain `int`. Raises `RecipeError` unless it is an integer, of Python or numpy, in [0, 2^63).

    >>> check_seed(-5)
    Traceback (most recent call last):
    unveil.errors.RecipeError: expected seed of at least 0; got -5; 0 is usual
    """
    try:
        number = operator.index(seed)
    except TypeError as error:
        raise RecipeError("an integer as seed", repr(seed), "0 is usual") from error
    if isinstance(seed, bool):
        raise RecipeError("an integer as seed", repr(seed), "0 is usual")
    require_between("seed", number, 0, MAX_SEED, "0 is usual")
    return number
