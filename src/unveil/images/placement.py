"""Placement: where a volume lies in the patient, and the way back to the order of its file."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from unveil.errors import ImageError

# Index growing towards inferior, posterior, left: every slice of the array, shown as it stands, is upright as a
# radiologist sees it (axial and coronal: the patient's right on the left; sagittal: anterior on the left).
CANONICAL = "IPL"
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))

Affine = Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class Placement:
    """Where voxels lie: `mm = affine · (d, h, w, 1)` for the center of voxel (d, h, w).

    mm count towards the patient's right, front and head (RAS+, as NIfTI has it). `axes` names the direction in which
    each index of the array grows (`IPL`: to inferior, posterior, left), `stored` those of the file it came from.
    Raises `ImageError`.
    """

    affine: tuple[tuple[float, ...], ...]
    axes: str
    stored: str

    def __post_init__(self) -> None:
        matrix = np.asarray(self.affine, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ImageError("an affine of 4 x 4 finite numbers", f"shape {matrix.shape}", "take it from the header")
        for axes in (self.axes, self.stored):
            if sorted(min(letter, OPPOSITE.get(letter, letter)) for letter in axes) != ["A", "I", "L"]:
                raise ImageError(
                    "three directions, one each of R/L, A/P and S/I", repr(axes), "name them as IPL or RAS"
                )

    def to_stored(self, values: Shaped[np.ndarray, "d h w"]) -> Shaped[np.ndarray, "i j k"]:
        """An array on the voxels of the image (a mask, a map), in the order of the file."""
        return reorient(values, self.axes, self.stored)

    def stored_affine(self, shape: tuple[int, ...]) -> Affine:
        """The affine of the file, in mm, for an image of this shape."""
        return reorient_affine(np.asarray(self.affine), shape, self.axes, self.stored)


def reorient(values: Shaped[np.ndarray, "a b c"], axes: str, wanted: str) -> Shaped[np.ndarray, "d e f"]:
    """An array whose indices grow in the directions `axes`, in the order and directions `wanted`; a view."""
    order = _order(axes, wanted)
    steps = tuple(
        slice(None, None, 1 if axes[old] == letter else -1) for old, letter in zip(order, wanted, strict=True)
    )
    return values.transpose(order)[steps]


def reorient_affine(affine: Affine, shape: tuple[int, ...], axes: str, wanted: str) -> Affine:
    """The affine of `turned(values, axes, wanted)`, given that of `values` and their shape."""
    index = np.zeros((4, 4))  # from a new index to the old one
    index[3, 3] = 1
    for new, (old, letter) in enumerate(zip(_order(axes, wanted), wanted, strict=True)):
        index[old, new], index[old, 3] = (1, 0) if axes[old] == letter else (-1, shape[old] - 1)
    return affine @ index


def _order(axes: str, wanted: str) -> list[int]:
    return [next(old for old, have in enumerate(axes) if have in (letter, OPPOSITE[letter])) for letter in wanted]
