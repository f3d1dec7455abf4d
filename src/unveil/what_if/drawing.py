"""Drawings: what a person paints on an image, as strokes in pixels of the source."""

import math
import numbers
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from unveil.errors import RecordError

MAX_STROKES, MAX_POINTS, MAX_POINTS_IN_ALL = 200, 5000, 100_000
# Beyond the sides of any image; numbers up to these are exact enough in float64.
MAX_COORDINATE_PX, MAX_WIDTH_PX = 1e6, 1e5
MAX_ID_CHARS = 60

Point = tuple[float, float]


class StrokeKind(StrEnum):
    """What a stroke does: add pixels, or take some away."""

    BRUSH = "brush"
    ERASER = "eraser"
    LASSO = "lasso"
    REGION = "region"


@dataclass(frozen=True)
class Stroke:
    """One stroke of a drawing.

    Attributes:
        kind: What the stroke does.
        points: Pairs (y, x) in pixels of the source; pixel i covers [i, i + 1). A path for a brush and an eraser, a
            polygon for a lasso, which is closed by itself; none for a region.
        width_px: The width of a brush or an eraser in pixels of the source; None for the others.
        region: The id of a region, such as "r2.1"; None for the others.

    Raises `RecordError` for a stroke that can't be drawn.

    >>> Stroke(StrokeKind.BRUSH, ((40, 60.5), (40, 90)), width_px=12).points
    ((40.0, 60.5), (40.0, 90.0))
    """

    kind: StrokeKind
    points: tuple[Point, ...] = ()
    width_px: float | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _kind(self.kind))
        has_width = self.kind in (StrokeKind.BRUSH, StrokeKind.ERASER)
        object.__setattr__(self, "points", _points(self.kind, self.points))
        if has_width != (self.width_px is not None):
            expected = f"a {self.kind} {'with' if has_width else 'without'} width_px"
            do = "12 is a usual width" if has_width else "leave it out"
            raise RecordError(expected, f"{self.width_px!r:.40}", do)
        if self.width_px is not None:
            object.__setattr__(self, "width_px", _width(self.width_px))
        if (self.kind is StrokeKind.REGION) != (self.region is not None):
            named = self.kind is StrokeKind.REGION
            expected = f"a stroke of kind {self.kind} {'with' if named else 'without'} the id of a region"
            raise RecordError(expected, f"{self.region!r:.40}", "such as r2.1" if named else "leave it out")
        if self.region is not None and not (isinstance(self.region, str) and len(self.region) <= MAX_ID_CHARS):
            raise RecordError("the id of a region, such as r2.1", f"{self.region!r:.40}", "take it from the view")


@dataclass(frozen=True)
class Drawing:
    """Strokes on an image, in the order in which they were drawn.

    Brushes, lassos and regions add pixels, and erasers take pixels away that were added before them.

    Attributes:
        strokes: The strokes, at most 200.

    Raises `RecordError` for a drawing without a stroke that adds pixels, and for too many strokes or points.
    """

    strokes: tuple[Stroke, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "strokes", tuple(self.strokes))
        for stroke in self.strokes:
            if not isinstance(stroke, Stroke):
                raise RecordError("strokes in a drawing", f"{stroke!r:.60}", "make each one a Stroke")
        if len(self.strokes) > MAX_STROKES:
            raise RecordError(f"at most {MAX_STROKES} strokes", str(len(self.strokes)), "draw fewer")
        count = sum(len(stroke.points) for stroke in self.strokes)
        if count > MAX_POINTS_IN_ALL:
            raise RecordError(f"at most {MAX_POINTS_IN_ALL} points in all strokes", str(count), "draw fewer")
        if all(stroke.kind is StrokeKind.ERASER for stroke in self.strokes):
            got = "only erasers" if self.strokes else "no stroke"
            raise RecordError("a drawing with a brush, a lasso or a region", got, "draw what to hide")

    @property
    def regions(self) -> tuple[str, ...]:
        """The ids of the regions that are named, each once."""
        return tuple(dict.fromkeys(stroke.region for stroke in self.strokes if stroke.region is not None))

    def as_dict(self) -> dict:
        """The drawing as plain values: the content of its file.

        >>> Drawing((Stroke(StrokeKind.REGION, region="r2.1"),)).as_dict()["strokes"]
        [{'kind': 'region', 'region': 'r2.1'}]
        """
        from unveil.what_if.encoding import encode_drawing  # noqa: PLC0415 (it is made of this class)

        return encode_drawing(self)

    @classmethod
    def from_dict(cls, values: Any) -> "Drawing":
        """The drawing of plain `values`; keys that don't apply to a stroke may be null. Raises `RecordError`."""
        from unveil.what_if.encoding import decode_drawing  # noqa: PLC0415

        return decode_drawing(values)


def _kind(kind: Any) -> StrokeKind:
    try:
        return StrokeKind(kind)
    except ValueError as error:
        names = ", ".join(StrokeKind)
        raise RecordError(f"a stroke of kind {names}", f"{kind!r:.40}", "choose one of these") from error


def _points(kind: StrokeKind, points: Any) -> tuple[Point, ...]:
    least = {StrokeKind.LASSO: 3, StrokeKind.REGION: 0}.get(kind, 1)
    try:
        count = len(points)
    except TypeError as error:
        raise RecordError("a list of points", f"{points!r:.40}", "give pairs [y, x]") from error
    if kind is StrokeKind.REGION and count:
        raise RecordError("a stroke of kind region without points", f"{count}", "leave them out")
    if not least <= count <= max(least, MAX_POINTS):
        raise RecordError(f"{least} to {MAX_POINTS} points in a {kind}", str(count), "split long strokes into several")
    return tuple(_point(point) for point in points)


def _point(point: Any) -> Point:
    try:
        y, x = point
    except (TypeError, ValueError) as error:
        raise RecordError("points as pairs [y, x]", f"{point!r:.60}", "give two numbers for each") from error
    return _coordinate(y), _coordinate(x)


def _coordinate(value: Any) -> float:
    if not _is_number(value) or not abs(value) <= MAX_COORDINATE_PX:
        expected = f"coordinates from {-MAX_COORDINATE_PX:.0f} to {MAX_COORDINATE_PX:.0f} px"
        raise RecordError(expected, f"{value!r:.40}", "give pixels of the source, (y, x)")
    return float(value)


def _width(value: Any) -> float:
    if not _is_number(value) or not 0 < value <= MAX_WIDTH_PX:
        raise RecordError(f"a width above 0 and up to {MAX_WIDTH_PX:.0f} px", f"{value!r:.40}", "12 is usual")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)
