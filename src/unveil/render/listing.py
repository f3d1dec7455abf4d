"""The regions of a round below its picture: numbers, drops as bars, verdicts, and what else there is to say of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unveil.records import TargetMap
from unveil.render.columns import FigureColumn
from unveil.render.marks import AGAINST, MarkedRegion, make_badge
from unveil.render.paper import Paper
from unveil.render.parts import FAINT, NEUTRAL
from unveil.render.style import INK

MAX_LISTED = 15
LINE, REMARK, FOOT = 0.155, 0.1, 0.06  # inches of a line, of a remark below it, and below all of them
SIZE, SMALL = 6.0, 5.6  # points
# Inches from the left of a column: badge, end of the number, bars, verdict, remark; from the top of a line: its base.
_BADGE, _VALUE, _BARS, _VERDICT, _REMARK, _BASE = 0.066, 0.49, 0.53, 1.03, 0.16, 0.105
_BAR_WIDTH, _BAR_HEIGHT = 0.44, 0.075

# A gray text, the name of a target, a region, or a target without one.
ListLine = str | MarkedRegion | tuple[TargetMap, bool]


@dataclass(frozen=True)
class DropScale:
    """One scale for the drops of all rounds, so that bars can be compared: from `least` (at most 0) to `most`."""

    least: float
    most: float

    @classmethod
    def of(cls, columns: Iterable[FigureColumn]) -> "DropScale":
        """The scale of all regions of the columns."""
        drops = [one.region.drop for column in columns for one in column.marked]
        return cls(min(drops, default=0.0), max(drops, default=0.0)).with_zero()

    def with_zero(self) -> "DropScale":
        """The same scale, with 0 on it."""
        return DropScale(min(0.0, self.least), max(0.0, self.most))

    def place(self, drop: float) -> float:
        """Where a drop lies, from 0 to 1."""
        return (drop - self.least) / ((self.most - self.least) or 1.0)


def list_lines(column: FigureColumn, lead: str = "") -> list[ListLine]:
    """What is listed below a column, line by line: `lead`, then each target (if there are several) with its regions.

    Of more than `MAX_LISTED` regions, the others are counted.
    """
    if column.round is None:
        return []
    lines: list[ListLine] = [lead] if lead else []
    maps = column.round.maps
    listed = column.marked if len(column.marked) <= MAX_LISTED else column.marked[: MAX_LISTED - 1]
    for one in maps:
        own = [item for item in listed if item.region.target_score == one.target_score]
        if len(maps) > 1 or not own:
            lines.append((one, bool(own)))
        lines += own
    more = len(column.marked) - len(listed)
    return [*lines, f"and {more} more"] if more else lines


def list_height(lines: Sequence[ListLine]) -> float:
    """Inches of a list."""
    return FOOT + sum(LINE + REMARK * bool(describe_region(line)) for line in lines) if lines else 0.0


def describe_region(line: ListLine) -> str:
    """What is remarked on a region: that it speaks against its label, what it shows in its place, that it is a rim."""
    if not isinstance(line, MarkedRegion):
        return ""
    other = line.region.other_label
    parts = [
        "speaks against its label" if line.opposes else "",
        "" if other is None else f"shows {other.name}",
        "rim" if line.region.is_rim else "",
    ]
    return " · ".join(part for part in parts if part)


def format_drop(drop: float) -> str:
    """A drop with its sign.

    >>> format_drop(8.291), format_drop(-0.5), format_drop(-0.001)
    ('+8.29', '−0.50', '+0.00')
    """
    return f"{drop:+z.2f}".replace("-", "−")


def draw_list(
    paper: Paper,
    place: tuple[float, float, float],
    lines: Sequence[ListLine],
    scale: DropScale,
    colors: dict[str, str],
) -> None:
    """Draw a list at `place`: left, top and width."""
    left, top, width = place
    for line in lines:
        base = top + _BASE
        if isinstance(line, MarkedRegion):
            _draw_region(paper, (left, base, width), line, scale, colors[line.region.target])
        elif isinstance(line, str):
            paper.label(left, base, line, SIZE, width, color=FAINT)
        else:
            _draw_target(paper, (left, base, width), *line, colors)
        remark = describe_region(line)
        if remark:
            against = isinstance(line, MarkedRegion) and line.opposes
            color = AGAINST if against else FAINT
            paper.label(left + _REMARK, base + REMARK, remark, SMALL, width - _REMARK, color=color)
        top += LINE + REMARK * bool(remark)


def _draw_region(
    paper: Paper, place: tuple[float, float, float], marked: MarkedRegion, scale: DropScale, color: str
) -> None:
    left, base, width = place
    region, number = marked.region, marked.number
    paper.add(*make_badge(left + _BADGE, base - 0.03, number, color))
    ink = AGAINST if marked.opposes else INK
    paper.text(left + _VALUE, base, format_drop(region.drop), SIZE, ink, ha="right", gid=f"drop-{number}")
    zero, end = (left + _BARS + _BAR_WIDTH * scale.place(value) for value in (0.0, region.drop))
    style = {"hatch": "/" * 7, "edgecolor": color, "fill": False} if marked.opposes else {}
    top = base - 0.03 - _BAR_HEIGHT / 2
    paper.bar(min(zero, end), top, abs(end - zero), _BAR_HEIGHT, color, gid=f"bar-{number}", **style)
    paper.bar(zero - 0.003, top - 0.02, 0.006, _BAR_HEIGHT + 0.04, NEUTRAL)
    if marked.verdict is not None:
        paper.verdict(left + _VERDICT, base, marked.verdict, SIZE, gid=f"verdict-{number}")
    elif region.stability is not None:
        paper.text(left + width, base, f"stability {region.stability:.2f}", SMALL, FAINT, ha="right")


def _draw_target(
    paper: Paper, place: tuple[float, float, float], found: TargetMap, has_regions: bool, colors: dict[str, str]
) -> None:
    """The name of a target above its regions; or why it has none."""
    left, base, width = place
    paper.bar(left, base - 0.07, 0.07, 0.07, colors[found.target])
    text = found.target if has_regions else f"{found.target}: no region"
    paper.label(left + 0.11, base, text, SIZE, width - 0.11, color=INK if has_regions else FAINT)
