"""The figure of a volume: one column per round, with three slices through its strongest region."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.box_filter import box_mean
from unveil.images.placement import OPPOSITE
from unveil.masks import Mask
from unveil.records import Round, Run, Source
from unveil.render.columns import FigureColumn, make_columns
from unveil.render.contours import draw_contour
from unveil.render.marks import BADGE, draw_marks
from unveil.render.page import PictureRows, draw_page
from unveil.render.parts import COLUMN_WIDTH, color_limit, hide_axes, max_saliency, target_colors
from unveil.render.pictures import SMOOTH

Point = tuple[int, ...]
# Slices through a fixed index of each axis, by the directions of that axis where they are known.
PLANES = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal", "R": "sagittal", "L": "sagittal"}
AXIS_NAMES = ("depth", "height", "width")
TALLEST, LOWEST = 1.6, 0.5  # of a tile: in widths of a column, in inches
MAX_OPACITY = 0.6  # of the saliency where it is strongest
PEAK_BOX_PX = 5  # voxels a side of the box whose mean finds the peak, so that a single voxel of noise doesn't


@dataclass(frozen=True, eq=False)
class VolumeSpace:
    """What is known of a volume's grid: mm a voxel of it, the ends of its axes, names of the planes."""

    mm: tuple[float, ...]
    ends: tuple[tuple[str, str], ...]
    planes: tuple[str, ...]

    @classmethod
    def of(cls, source: Source) -> "Space":
        """From the record; without spacing voxels are cubes, without placement no end has a letter."""
        geometry, placement = source.geometry, source.placement
        spacing = source.spacing_mm or (1.0,) * 3
        mm = tuple(size * scale for size, scale in zip(spacing, geometry.scale, strict=True))
        if placement is None:
            return cls(mm, (("", ""),) * 3, AXIS_NAMES)
        ends = tuple((OPPOSITE[letter], letter) for letter in placement.axes)
        return cls(mm, ends, tuple(PLANES[letter] for letter in placement.axes))


@dataclass(frozen=True, eq=False)
class VolumeSlice:
    """A plane through the voxel `point` across `axis`, on a `tile` of mm (down, right); `light` is drawn white."""

    axis: int
    point: Point
    space: VolumeSpace
    tile: tuple[float, float]
    light: float

    @property
    def across(self) -> tuple[int, int]:
        """The axes of the picture: downwards and to the right."""
        down, right = (axis for axis in range(3) if axis != self.axis)
        return down, right

    def cut(self, values: np.ndarray) -> np.ndarray:
        """The slice of an array on the grid."""
        return values.take(self.point[self.axis], axis=self.axis)


def draw_volume(run: Run, track: str | None = None) -> Figure:
    """The figure of one track of a volume. Rows: the slices through the peak of each round's strongest region across
    every axis, with saliency, regions and a cross-hair; the regions with drops and verdicts; leading labels.

    All slices have one scale in mm, and are lit so that the brightest 0.2 % of the volume are white. A number in the
    corner is the slice's index in the source. The last column shows what is left where the first round had looked.
    """
    columns, colors = make_columns(run, track), target_colors(run, track)
    first, space = columns[0].image, VolumeSpace.of(run.source)
    points = {column.title: peak_voxel(column.round) for column in columns if column.round}
    start = points[columns[0].title] if points else tuple(side // 2 for side in first.shape[1:])
    depth, height, width = (mm * side for mm, side in zip(space.mm, first.shape[1:], strict=True))
    inch = min((COLUMN_WIDTH - 0.08) / max(height, width), TALLEST * COLUMN_WIDTH / max(depth, height))
    rows = {plane: max(inch * size, LOWEST) for plane, size in zip(space.planes, (height, depth, depth), strict=True)}
    light, last = color_limit(first[0].astype(np.float32)), run.of_track(track)[-1:]

    def show(axes: Axes, row: str, column: FigureColumn) -> None:
        point = points.get(column.title, start)
        tile = rows[row] / inch, (COLUMN_WIDTH - 0.08) / inch
        plane = VolumeSlice(space.planes.index(row), point, space, tile, light)
        erased = column.round.erased if column.round else last[0].erased_after if last else None
        _draw_slice(axes, plane, column, colors, erased)
        index = _source_voxel(run.source, point)[plane.axis]
        _draw_text(axes, 0.02, 0.015, f"{AXIS_NAMES[plane.axis][0]} {index}", "left", "bottom")

    def lead(column: FigureColumn) -> str:
        return _format_position(run.source, points[column.title]) if column.title in points else ""

    return draw_page(run, track, PictureRows(rows, show, last=len(rows), lead=lead, volume=True))


def peak_voxel(found: Round) -> Point:
    """The voxel of a round's strongest region where the saliency around it is largest; without a region, of the map."""
    if found.regions:
        region = found.regions[0]
        (values,) = (one.saliency for one in found.maps if one.target == region.target)
        inside = region.model_mask.to_array()
    else:
        values = max_saliency(found)
        inside = np.ones(values.shape, dtype=bool)
    around = box_mean(np.nan_to_num(values, posinf=0.0, neginf=0.0), PEAK_BOX_PX)
    index = np.unravel_index(int(np.argmax(np.where(inside, around, -np.inf))), values.shape)
    return tuple(int(one) for one in index)


def _draw_slice(
    axes: Axes, plane: VolumeSlice, column: FigureColumn, colors: dict[str, str], erased: Mask | None
) -> None:
    hide_axes(axes)
    axes.set_facecolor("black")
    pixels = _to_gray(plane.cut(column.image[0]), plane.light)
    if column.round:
        values = max_saliency(column.round)
        pixels = _overlay_saliency(pixels, plane.cut(values) / color_limit(values))
    down, right = plane.across
    mm = plane.space.mm
    axes.imshow(pixels, interpolation=SMOOTH, aspect=mm[down] / mm[right])
    if erased is not None:
        draw_contour(axes, plane.cut(erased.to_array()), "white", 0.5, 0.6)
    _draw_crosshair(axes, plane)
    insides = [plane.cut(one.region.model_mask.to_array()) for one in column.marked]
    radius = BADGE * plane.tile[1] / (COLUMN_WIDTH - 0.08)
    draw_marks(axes, column.marked, insides, colors, (radius / mm[right], radius / mm[down]))
    (top, bottom), (left, end) = plane.space.ends[down], plane.space.ends[right]
    _draw_text(axes, 0.5, 0.985, top, "center", "top")
    _draw_text(axes, 0.5, 0.015, bottom, "center", "bottom")
    _draw_text(axes, 0.02, 0.5, left, "left", "center")
    _draw_text(axes, 0.98, 0.5, end, "right", "center")
    # Every tile is as wide as the column, so that all slices have one scale; cross-hairs end with the tile.
    (y, x), (tall, wide) = (side / 2 - 0.5 for side in pixels.shape[:2]), plane.tile
    axes.set_xlim(x - wide / mm[right] / 2, x + wide / mm[right] / 2)
    axes.set_ylim(y + tall / mm[down] / 2, y - tall / mm[down] / 2)


def _to_gray(plane: UInt8[np.ndarray, "h w"], light: float) -> Float[np.ndarray, "h w 3"]:
    return np.repeat((plane[..., None] / light).clip(0, 1), 3, axis=2)


def _overlay_saliency(
    pixels: Float[np.ndarray, "h w 3"], values: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """Saliency in the colors of the flat figure, without the lightest: they would look like bright tissue."""
    share = np.nan_to_num(values).clip(0, 1)
    seen = MAX_OPACITY * np.sqrt(share)[..., None]
    return (1 - seen) * pixels + seen * mpl.colormaps["magma"](0.8 * share)[..., :3]


def _draw_crosshair(axes: Axes, plane: VolumeSlice) -> None:
    """Where the two other planes lie; open around the point itself."""
    down, right = plane.across
    y, x = plane.point[down], plane.point[right]
    near, far = 0.06 * plane.tile[1], 10.0 * sum(plane.tile)
    for start, stop in ((-far, -near), (near, far)):
        across = [x + start / plane.space.mm[right], x + stop / plane.space.mm[right]]
        upright = [y + start / plane.space.mm[down], y + stop / plane.space.mm[down]]
        axes.plot(across, [y, y], color="white", linewidth=0.45, alpha=0.6)
        axes.plot([x, x], upright, color="white", linewidth=0.45, alpha=0.6)


def _draw_text(axes: Axes, x: float, y: float, text: str, ha: str, va: str) -> None:
    drawn = axes.text(x, y, text, transform=axes.transAxes, ha=ha, va=va, fontsize=5.5, color="white")
    drawn.set_path_effects([patheffects.withStroke(linewidth=1.2, foreground="black")])


def _source_voxel(source: Source, point: Point) -> Point:
    """The source's voxel under the center of a voxel of the grid; the nearest one for padding."""
    at = np.floor(_source_center(source, point)).astype(int)
    return tuple(int(one) for one in np.clip(at, 0, np.asarray(source.geometry.source_shape) - 1))


def _format_position(source: Source, point: Point) -> str:
    """The center of a voxel of the grid as viewers say it: mm from the origin to the right or left, and so on."""
    if source.placement is None:
        return ""
    # Index i is the center of voxel i, whose coordinate is i + 0.5.
    right, front, up = (np.asarray(source.placement.affine) @ [*(_source_center(source, point) - 0.5), 1.0])[:3]
    pairs = ((right, "RL"), (front, "AP"), (up, "SI"))
    return " · ".join(f"{names[int(value < 0)]} {abs(value):.0f}" for value, names in pairs) + " mm"


def _source_center(source: Source, point: Point) -> Float[np.ndarray, "3"]:
    return source.geometry.to_source(np.asarray([point], dtype=np.float64) + 0.5)[0]
