"""From strokes in pixels of the source to pixels of the model's grid.

A pixel belongs to a stroke if its center does: for a brush or an eraser, if the center is within half the width of the
path; for a lasso, if the polygon winds around it (non-zero winding, the rule of canvas and SVG).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from unveil.errors import RecordError
from unveil.images.geometry import Geometry
from unveil.what_if.drawing import Drawing, Stroke, StrokeKind
from unveil.what_if.lattice import Lattice, LatticeMap
from unveil.what_if.shapes import path_pixels, polygon_pixels

BoolMap = Bool[np.ndarray, "*grid"]


@dataclass(frozen=True, eq=False)
class DrawnPixels:
    """The pixels of a drawing.

    Attributes:
        inside: The drawn pixels on the model's grid.
        outside_px: The number of drawn pixels, of the same size, that a crop keeps from the model.
        empty_strokes: The numbers, from 1 on, of brushes and lassos that no pixel's center lies in.
    """

    inside: BoolMap
    outside_px: int
    empty_strokes: tuple[int, ...]

    @property
    def outside_share(self) -> float:
        """The share of the drawn pixels that the model doesn't get, in [0, 1]; 0 if none is drawn."""
        total = int(np.count_nonzero(self.inside)) + self.outside_px
        return self.outside_px / total if total else 0.0


def draw_pixels(drawing: Drawing, geometry: Geometry, regions: Mapping[str, BoolMap]) -> DrawnPixels:
    """Compute the pixels of a drawing.

    Args:
        drawing: The drawing.
        geometry: The way from the source to the model's grid.
        regions: The regions that a drawing may name, by their ids, on the model's grid.

    Raises `RecordError` for an unknown region, and for paths and polygons on a volume.
    """
    _check_known(drawing, regions)
    if len(geometry.model_shape) != 2:
        return _draw_regions(drawing, geometry, regions)
    lattice = Lattice.around(geometry)
    drawn, empty = np.zeros(lattice.shape, dtype=bool), []
    for number, stroke in enumerate(drawing.strokes, start=1):
        pixels = _stroke_pixels(stroke, lattice, regions)
        if stroke.kind is StrokeKind.ERASER:
            drawn &= ~pixels
            continue
        drawn |= pixels
        if stroke.kind is not StrokeKind.REGION and not pixels.any():
            empty.append(number)
    seen = np.zeros(lattice.shape, dtype=bool)
    seen[lattice.grid] = True
    outside_px = int(np.count_nonzero(drawn & ~seen & lattice.in_source))
    return DrawnPixels(drawn[lattice.grid].copy(), outside_px, tuple(empty))


def _check_known(drawing: Drawing, regions: Mapping[str, BoolMap]) -> None:
    for name in drawing.regions:
        if name not in regions:
            known = ", ".join(list(regions)[:6]) + (" …" if len(regions) > 6 else "")
            expected = f"the id of a region of this run ({known})" if known else "a region that the run has found"
            raise RecordError(expected, f"{name!r:.60}", "take it from the view of the same run, with as many rounds")


def _draw_regions(drawing: Drawing, geometry: Geometry, regions: Mapping[str, BoolMap]) -> DrawnPixels:
    inside = np.zeros(geometry.model_shape, dtype=bool)
    for stroke in drawing.strokes:
        if stroke.region is None:
            raise RecordError(
                "strokes of kind region on a volume", f"a {stroke.kind}", "name regions, or take a slice of the volume"
            )
        inside |= regions[stroke.region]
    return DrawnPixels(inside, 0, ())


def _stroke_pixels(stroke: Stroke, lattice: Lattice, regions: Mapping[str, BoolMap]) -> LatticeMap:
    if stroke.region is not None:
        pixels = np.zeros(lattice.shape, dtype=bool)
        pixels[lattice.grid] = regions[stroke.region]
        return pixels
    points = np.array(stroke.points, dtype=np.float64)
    if stroke.width_px is None:
        return polygon_pixels(points, lattice)
    return path_pixels(points, stroke.width_px / 2, lattice)
