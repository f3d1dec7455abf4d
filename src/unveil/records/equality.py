"""Equality of records: every value, arrays bit for bit."""

import dataclasses
from typing import Any

import numpy as np


def records_equal(first: Any, second: Any, *, skip: tuple[str, ...] = ()) -> bool:
    """True if two records of one class hold the same values in all fields but those to `skip`, arrays bit for bit."""
    names = [item.name for item in dataclasses.fields(first) if item.name not in skip]
    return all(_equal(getattr(first, name), getattr(second, name)) for name in names)


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return (first.dtype, first.shape) == (second.dtype, second.shape) and first.tobytes() == second.tobytes()
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(value, second[key]) for key, value in first.items())
    return bool(first == second)
