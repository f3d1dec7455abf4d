"""Masks of runs as files: PNG images, NIfTI volumes, or one COCO file."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from unveil.atomic import publish_folder
from unveil.errors import RecordError
from unveil.export.coco import CocoBuilder
from unveil.images.nifti import encode_nifti_mask
from unveil.images.png_encoding import encode_png
from unveil.masks import Mask
from unveil.records import Run
from unveil.targets import class_score
from unveil.texts import safe_name
from unveil.view import region_ids


class MaskForm(StrEnum):
    """File formats of masks: `png` for images, `nifti` for volumes, `coco` for one JSON file of all images."""

    PNG = "png"
    NIFTI = "nifti"
    COCO = "coco"


class MaskUnit(StrEnum):
    """What one mask holds: one `region`, or all regions of one `label`."""

    REGION = "region"
    LABEL = "label"


@dataclass(frozen=True)
class NamedMask:
    """One mask to be exported.

    Attributes:
        name: The id of the region (`r2.1`), or the index of the label; empty for a target that isn't one class.
        label: The label that the region belongs to (see `Region.label_index`), or the name of its target.
        mask: Its pixels on the source.
    """

    name: str
    label: str
    mask: Mask

    @property
    def file_stem(self) -> str:
        """A name for a file, without its suffix."""
        return safe_name(f"{self.name}-{self.label}" if self.name else self.label)


def named_masks(run: Run, unit: MaskUnit = MaskUnit.REGION) -> list[NamedMask]:
    """The masks of a run, one per region in their order, or one per label in the order in which labels appear.

    The mask of a label is the union of its regions. A region that shows another label than its target belongs to that.

    Args:
        run: The run.
        unit: What one mask holds.
    """
    labels = run.classifier.labels
    masks: dict[str, NamedMask] = {}
    for region_id, region in zip(region_ids(run), run.regions, strict=True):
        index = region.label_index
        label = region.target if index is None else class_score(index, labels).name
        name = region_id if unit is MaskUnit.REGION else str("" if index is None else index)
        key = name or label
        mask = region.mask if key not in masks else masks[key].mask | region.mask
        masks[key] = NamedMask(name, label, mask)
    return list(masks.values())


def export_masks(runs: Iterable[tuple[Path, Run]], out: Path, form: MaskForm, unit: MaskUnit = MaskUnit.REGION) -> int:
    """Write the masks of several runs into a new folder, complete or not at all, and return their number.

    - PNG: a folder per run with one file per mask, 8 bits, 255 inside and 0 outside, on the pixels of the source.
    - NIfTI: the same with `.nii.gz` files of uint8, 1 inside, in the order and with the affine of the source's file.
    - COCO: one file `masks.json`, with one image per run and one annotation per mask.

    Args:
        runs: Pairs of a record's folder, which names the files, and its run.
        out: The folder; it must be new or empty.
        form: The format of the files.
        unit: What one mask holds.

    Raises `RecordError` for runs whose masks the format can't hold, and for a folder that can't be written to;
    `MissingLibraryError` for NIfTI without nibabel.
    """
    count = 0

    def write(part: Path) -> None:
        nonlocal count
        coco, taken = CocoBuilder(), set()
        for folder, run in runs:
            _check_form(folder, run, form)
            masks = named_masks(run, unit)
            count += len(masks)
            name = _free_name(folder, taken)
            if form is MaskForm.COCO:
                coco.add(run, name, [(one.name, one.label, one.mask) for one in masks])
            else:
                _write_files(run, masks, part / name, form)
        if form is MaskForm.COCO:
            (part / "masks.json").write_bytes(coco.to_bytes())

    publish_folder(out, write, lambda there: False)
    return count


def _write_files(run: Run, masks: Iterable[NamedMask], folder: Path, form: MaskForm) -> None:
    folder.mkdir()
    for one in masks:
        inside = one.mask.to_array()
        if form is MaskForm.PNG:
            (folder / f"{one.file_stem}.png").write_bytes(encode_png(inside.astype(np.uint8) * 255))
        elif run.source.placement is not None:
            (folder / f"{one.file_stem}.nii.gz").write_bytes(encode_nifti_mask(inside, run.source.placement))


def _check_form(folder: Path, run: Run, form: MaskForm) -> None:
    is_volume = len(run.source.geometry.source_shape) == 3
    if is_volume and form is not MaskForm.NIFTI:
        raise RecordError(f"runs of images for masks as {form}", f"{folder}, a run of a volume", "use the form nifti")
    if form is MaskForm.NIFTI and not is_volume:
        raise RecordError("runs of volumes for masks as nifti", f"{folder}, a run of an image", "use png or coco")
    if form is MaskForm.NIFTI and run.source.placement is None:
        got = f"{folder}, whose file has no sform or qform"
        raise RecordError("a volume with a known affine", got, "set it in the file and run again, or use Region.mask")


def _free_name(folder: Path, taken: set[str]) -> str:
    """The name of a record's folder; with a hash of its path if another run has it, also by case alone."""
    full = os.path.abspath(folder)  # noqa: PTH100 (Path.absolute keeps "..")
    name = safe_name(os.path.basename(full))  # noqa: PTH119
    if name.casefold() in taken:
        name = f"{name}-{hashlib.sha256(os.fsencode(full)).hexdigest()[:8]}"
    taken.add(name.casefold())
    return name
