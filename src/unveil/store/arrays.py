"""The arrays of a record: one safetensors file, sealed by its hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from unveil.store.tables import Table, damaged

ARRAYS = "arrays.safetensors"


def pack(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, dict]:
    """The file's content, and the seal for the manifest: `sha256` and `bytes`."""
    # safetensors copies the memory as it lies, whatever the strides say.
    content = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return content, {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def unpack(content: bytes, seal: Table) -> "Arrays":
    """The arrays of a file that is what the seal says. Raises `RecordError`."""
    if len(content) != seal.whole("bytes"):
        raise damaged(f"{ARRAYS} to have {seal.whole('bytes')} bytes", f"{len(content)}")
    if hashlib.sha256(content).hexdigest() != seal.text("sha256"):
        raise damaged(f"{ARRAYS} with the SHA-256 that run.json says", "another: its bytes were changed")
    try:
        return Arrays(safetensors.numpy.load(content))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise damaged(f"{ARRAYS} to be a safetensors file", str(error)) from error


@dataclass(frozen=True, eq=False)
class Arrays:
    """Arrays by name; each is checked when taken."""

    values: Mapping[str, np.ndarray]

    def take(self, name: str, dtype: type[np.generic], shape: tuple[int | None, ...]) -> np.ndarray:
        """The array of this name, kind and shape (None: any length). Raises `RecordError`."""
        array = self.values.get(name)
        expected = f"the array {name!r} in {ARRAYS} to be {np.dtype(dtype).name} {_sides(shape)}"
        if array is None:
            raise damaged(expected, "no such array")
        fits = array.ndim == len(shape) and all(
            wanted in (None, side) for wanted, side in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise damaged(expected, f"{array.dtype.name} {_sides(array.shape)}")
        return array


def _sides(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape) or "without axes"
