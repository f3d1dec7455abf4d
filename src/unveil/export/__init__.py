"""Results for other programs: tables of regions, and masks. Needs neither torch, nor the model, nor the image."""

from unveil.export.masks import MaskForm, MaskUnit, export_masks, named_masks
from unveil.export.rows import COLUMNS, run_rows
from unveil.export.tables import write_rows

__all__ = ["COLUMNS", "MaskForm", "MaskUnit", "export_masks", "named_masks", "run_rows", "write_rows"]
