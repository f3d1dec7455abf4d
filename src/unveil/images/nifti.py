"""NIfTI volumes, `.nii` and `.nii.gz`: the only module that imports nibabel."""

import gzip
import io
import logging
import zlib
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from unveil.errors import ImageError, MissingLibraryError, first_line
from unveil.images.image import Image
from unveil.images.placement import CANONICAL, Placement, reorient, reorient_affine

NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img")
MAX_VOXELS = 2**28  # 512 x 512 x 1024
# What header extensions may take up; they are skipped, never parsed.
MAX_OFFSET = 2**24
HEADER_BYTES = 540  # bytes of the longest header
TO_MM = {1: 1000.0, 3: 0.001}  # by the header's code for its unit of length: meters, micrometers
# nibabel writes its remarks on headers to the terminal otherwise.
SILENT_LOGGER = logging.Logger("nibabel", logging.CRITICAL + 1)

# What header fields without a meaning lead to.
HEADER_ERRORS = (ValueError, OverflowError, KeyError, IndexError)


def is_nifti(path: Path) -> bool:
    """True for a name that ends as NIfTI files do."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def read_nifti(
    path: Path, source: str, value_range: tuple[float, float] | None = None, max_voxels: int = MAX_VOXELS
) -> Image:
    """The volume of a single-file NIfTI-1 or NIfTI-2, its axes turned to depth, height, width as `CANONICAL` says.

    `value_range`: the values that become 0 and 1; by default the volume's own smallest and largest, so that nothing is
    cut. Size, type and length are checked in the header before any voxel is read; header extensions are skipped.
    Raises `ImageError`, or `MissingLibraryError` without nibabel.
    """
    nibabel = _import_nibabel()
    if path.suffix.lower() in (".hdr", ".img"):
        raise ImageError("a NIfTI of one file", f"{path}, half of a pair", "save the pair as one .nii.gz file")
    try:
        with _open(path) as stream:
            header = _read_header(nibabel, stream.read(HEADER_BYTES), path)
            shape = _checked_shape(header, path, max_voxels)
            values = _read_values(header, stream, shape)
    except (OSError, EOFError, zlib.error) as error:
        raise _damage_error(path, error) from error
    affine = _read_affine(nibabel, header, path)
    stored = "".join(nibabel.aff2axcodes(affine))
    affine = reorient_affine(affine, shape, stored, CANONICAL)
    known = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    return Image.from_array(
        reorient(values, stored, CANONICAL),
        axes="d h w",
        value_range=_data_range(values) if value_range is None else value_range,
        source=source,
        spacing_mm=np.linalg.norm(affine[:3, :3], axis=0).tolist(),
        placement=Placement(tuple(map(tuple, affine.tolist())), CANONICAL, stored) if known else None,
    )


def encode_nifti_mask(inside: np.ndarray, placement: Placement) -> bytes:
    """A `.nii.gz` file of a mask: uint8, 1 where `inside`, in the order and with the affine of the file that the
    `placement` names. The same mask gives the same bytes. Raises `MissingLibraryError` without nibabel.
    """
    nibabel = _import_nibabel()
    stored = np.ascontiguousarray(placement.to_stored(inside).astype(np.uint8))
    volume = nibabel.Nifti1Image(stored, placement.stored_affine(inside.shape))
    volume.header.set_xyzt_units("mm")
    return gzip.compress(volume.to_bytes(), mtime=0)


def _open(path: Path) -> io.BufferedIOBase:
    # By its first bytes: some .nii.gz files aren't compressed, and some .nii files are.
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _read_header(nibabel: ModuleType, start: bytes, path: Path) -> Any:
    if start[344:347] == b"ni1" or start[4:7] == b"ni2":
        raise ImageError("a NIfTI of one file", f"{path}, half of a pair", "save the pair as one .nii.gz file")
    if start[344:347] != b"n+1" and start[4:7] != b"n+2":
        raise ImageError("a NIfTI file (.nii, .nii.gz)", f"{path}, which is none", "convert it to .nii.gz")
    kind, size = (nibabel.Nifti1Header, 348) if start[344:347] == b"n+1" else (nibabel.Nifti2Header, HEADER_BYTES)
    try:
        header = kind(start[:size], check=False)
        header.check_fix(logger=SILENT_LOGGER, error_level=40)
        return header
    except (nibabel.spatialimages.HeaderDataError, nibabel.wrapstruct.WrapStructError, *HEADER_ERRORS) as error:
        raise _damage_error(path, error) from error


def _checked_shape(header: Any, path: Path, max_voxels: int) -> tuple[int, ...]:
    shape = tuple(int(side) for side in header.get_data_shape())
    sides = "x".join(map(str, shape))
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        do = "save the volume you mean as a file of its own" if len(shape) > 3 else "check how it was made"
        raise ImageError("one volume with three axes", f"{path} with {sides} voxels", do)
    if prod(shape) > max_voxels:
        limit = f"at most {max_voxels / 1e6:.0f} million voxels"
        raise ImageError(f"a volume of {limit}", f"{path} with {sides}", "scale it down or cut out a part")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        got = f"{path} with {'colors' if dtype.fields else f'{dtype.name} values'}"
        raise ImageError("a volume with one real number per voxel", got, "save one channel as a file of its own")
    return shape


def _read_values(header: Any, stream: io.BufferedIOBase, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of the file in its own order; `slope · raw + intercept` where the header has them."""
    dtype, offset = header.get_data_dtype(), header["vox_offset"]
    if not 0 < offset <= MAX_OFFSET:
        raise EOFError(f"voxels from byte {float(offset):.4g} on")
    stream.seek(int(offset))
    length = prod(shape) * dtype.itemsize
    content = stream.read(length)
    if len(content) < length:
        raise EOFError(f"{len(content)} of {length} bytes")
    stream.read(1)  # gzip compares its checksum when it comes to the end
    raw = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope) or (slope, intercept) == (1, 0):
        return raw.astype(np.float64) if dtype.itemsize > 8 else raw
    with np.errstate(over="ignore", invalid="ignore"):  # what isn't finite is refused with the image
        return (slope * raw.astype(np.float64) + intercept).astype(np.float32)


def _read_affine(nibabel: ModuleType, header: Any, path: Path) -> np.ndarray:
    """The header's best affine (sform, else qform, else voxel sizes alone), in mm."""
    try:
        with np.errstate(all="ignore"):  # what isn't finite is refused below
            affine = np.array(header.get_best_affine(), dtype=np.float64)
            affine[:3] *= TO_MM.get(int(header["xyzt_units"]) % 8, 1.0)
    except (nibabel.spatialimages.HeaderDataError, *HEADER_ERRORS) as error:
        raise _damage_error(path, error) from error
    if not _spans_a_volume(affine):
        rows = "; ".join(" ".join(f"{value:.4g}" for value in row) for row in affine[:3])
        raise ImageError("an affine whose axes span a volume", f"{path} with {rows}", "fix the header's sform")
    return affine


def _spans_a_volume(affine: np.ndarray) -> bool:
    if not (np.abs(affine) < 1e9).all():  # False for NaN as well
        return False
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(lengths.min() > 1e-9 and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-3)


def _data_range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if low != high else (low, low + max(1.0, abs(low)))


def _damage_error(path: Path, error: Exception) -> ImageError:
    got = f"{path}, which is damaged or cut off ({first_line(error)})"
    return ImageError("a whole NIfTI file", got, "fetch the file again")


def _import_nibabel() -> ModuleType:
    try:
        import nibabel  # noqa: PLC0415 (optional)
        import nibabel.spatialimages  # noqa: PLC0415
        import nibabel.wrapstruct  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("nibabel", "nifti", "NIfTI files") from error
    return nibabel
