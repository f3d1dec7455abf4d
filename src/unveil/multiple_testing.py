"""Corrections of p-values for the number of tests."""

from collections.abc import Sequence


def holm(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """p-values corrected by Holm (1979): the chance of any false positive stays below the level.

    The i-th smallest of m values is multiplied by m − i + 1, and is never smaller than the one before it. None stays
    None and isn't counted.

    >>> holm([0.01, 0.04, None])
    (0.02, 0.04, None)
    """
    order = _ascending(values)
    corrected, largest = list(values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(order) - rank) * (values[index] or 0.0))
        corrected[index] = min(1.0, largest)
    return tuple(corrected)


def benjamini_hochberg(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """q-values of Benjamini & Hochberg (1995): among those below a level, the expected share of false positives stays
    below the level.

    The i-th smallest of m p-values is multiplied by m / i, and is never larger than the one after it. None stays None
    and isn't counted.

    >>> benjamini_hochberg([0.01, 0.04, None])
    (0.02, 0.04, None)
    """
    order = _ascending(values)
    corrected, smallest = list(values), 1.0
    for rank, index in reversed(list(enumerate(order, 1))):
        smallest = min(smallest, len(order) / rank * (values[index] or 0.0))
        corrected[index] = smallest
    return tuple(corrected)


def _ascending(values: Sequence[float | None]) -> list[int]:
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    return [index for _, index in sorted(known)]
