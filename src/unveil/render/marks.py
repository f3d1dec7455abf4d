"""How regions are marked in all figures: the verdict by the style of the line, the number on a badge, and hatches where
a region speaks against its label. The web viewer marks them in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from unveil.records import Region, Run, Verdict
from unveil.render.contours import add_path, trace_contour

# The word, the line and the color of a verdict; without a card a region has a solid line and no word.
DASHES = {
    None: "solid",
    Verdict.SUPPORTED: "solid",
    Verdict.WEAK: (0, (2.6, 1.5)),
    Verdict.ARTIFACT: (0, (0.05, 1.9)),
}
VERDICT_COLORS = {Verdict.SUPPORTED: "#00654B", Verdict.WEAK: "#8A5A00", Verdict.ARTIFACT: "#A63B12"}
AGAINST = "#A63B12"
LINE, CASING, CASING_COLOR = 1.25, 2.4, "#0C0E12"  # points
HATCH = "/////"
BADGE = 0.062  # inches: the radius of the circle with a region's number


@dataclass(frozen=True, eq=False)
class MarkedRegion:
    """A region as figures mark it.

    Attributes:
        number: Its number in tables: all regions of the run count, from 1.
        region: The region.
        verdict: The verdict of its trust card; None without one.
    """

    number: int
    region: Region
    verdict: Verdict | None = None

    @property
    def opposes(self) -> bool:
        """Whether erasing the region raises the score: it speaks against its label."""
        return self.region.drop < 0


def mark_rounds(run: Run, track: str | None) -> list[tuple[MarkedRegion, ...]]:
    """The regions of each round of a track, with the numbers that they have among all regions of the run."""
    verdicts = run.verdicts if len(run.verdicts) == len(run.regions) else (None,) * len(run.regions)
    marked = iter(
        MarkedRegion(number, region, verdict)
        for number, (region, verdict) in enumerate(zip(run.regions, verdicts, strict=True), start=1)
    )
    rounds = [(round_, tuple(next(marked) for _ in round_.regions)) for round_ in run.rounds]
    return [regions for round_, regions in rounds if round_.track == track]


def draw_marks(
    axes: Axes,
    marked: Sequence[MarkedRegion],
    insides: Sequence[Bool[np.ndarray, "h w"]],
    colors: dict[str, str],
    badge_px: tuple[float, float] | None = None,
) -> None:
    """Draw the contours of regions, whose pixels in the picture are `insides`, and their numbers.

    `badge_px`: the radius of a badge in pixels across and down; without it there are no numbers.
    """
    for one, inside in zip(marked, insides, strict=True):
        if inside.any():
            draw_region_contour(axes, inside, one, colors[one.region.target])
    if badge_px is None:
        return
    shown = [(one, inside) for one, inside in zip(marked, insides, strict=True) if inside.any()]
    places = place_badges([inside for _, inside in shown], badge_px)
    for (one, _), (y, x) in zip(shown, places, strict=True):
        for artist in make_badge(x, y, one.number, colors[one.region.target]):
            axes.add_artist(artist)


def draw_region_contour(axes: Axes, inside: Bool[np.ndarray, "h w"], marked: MarkedRegion, color: str) -> None:
    """The contour of a region in the style of its verdict on a dark line, hatched where it speaks against its label."""
    path = trace_contour(inside)
    if marked.opposes:
        add_path(axes, path, edgecolor=color, linewidth=0, hatch=HATCH, gid=f"against-{marked.number}")
    add_path(axes, path, edgecolor=CASING_COLOR, linewidth=CASING, alpha=0.8)
    style = {"linestyle": DASHES[marked.verdict], "capstyle": cap_of(marked.verdict)}
    add_path(axes, path, edgecolor=color, linewidth=LINE, gid=f"contour-{marked.number}", **style)


def make_badge(x: float, y: float, number: int, color: str) -> tuple[Line2D, Text]:
    """The number of a region on a dark disk with a ring in the color of its label."""
    ring = {"markersize": 2 * 72 * BADGE, "markerfacecolor": CASING_COLOR, "markeredgecolor": color}
    disk = Line2D([x], [y], marker="o", markeredgewidth=1.0, clip_on=False, gid=f"badge-{number}", **ring)
    size = 6.2 if number < 10 else 5.2 if number < 100 else 3.9
    style = {"ha": "center", "va": "center_baseline", "fontsize": size, "fontweight": "bold", "color": "white"}
    return disk, Text(x, y, str(number), gid=f"number-{number}", clip_on=False, **style)


def cap_of(verdict: Verdict | None) -> str:
    """The ends of a verdict's dashes: dots are round."""
    return "round" if verdict is Verdict.ARTIFACT else "butt"


def place_badges(
    insides: Sequence[Bool[np.ndarray, "h w"]], radius_px: tuple[float, float]
) -> list[tuple[float, float]]:
    """Where the numbers of regions stand, as (y, x).

    A number is above its region if no other number or region is there, else below it, beside it, or in it. The whole
    badge lies in the picture if that is large enough.

    `radius_px`: the radius of a badge across and down, in pixels.
    """
    places: list[tuple[float, float]] = []
    across, down = radius_px
    covered = np.sum(insides, axis=0) if insides else np.zeros((1, 1))
    for inside in insides:
        height, width = inside.shape
        ends = np.array(_ends(inside, 0.8 * across, 0.8 * down))
        ys = np.clip(ends[:, 0], min(down, height / 2) - 0.5, max(height - down, height / 2) - 0.5)
        xs = np.clip(ends[:, 1], min(across, width / 2) - 0.5, max(width - across, width / 2) - 0.5)
        costs = []
        for order, (y, x) in enumerate(zip(ys, xs, strict=True)):
            distances = [np.hypot((y - b) / down, (x - a) / across) for b, a in places]
            hidden = sum(max(0.0, 2.2 - distance) for distance in distances)
            at = (int(np.clip(round(y), 0, height - 1)), int(np.clip(round(x), 0, width - 1)))
            costs.append(10 * hidden + 0.5 * (covered[at] > inside[at]) + 0.01 * order)
        best = int(np.argmin(costs))
        places.append((float(ys[best]), float(xs[best])))
    return places


def _ends(inside: Bool[np.ndarray, "h w"], across: float, down: float) -> list[tuple[float, float]]:
    """Points (y, x) beyond the top, bottom, left and right ends of a region, its middle, and points around that."""
    ys, xs = np.nonzero(inside)
    ends = []
    for values, side, step in (
        (ys, ys.min(), (-down, 0)),
        (ys, ys.max(), (down, 0)),
        (xs, xs.min(), (0, -across)),
        (xs, xs.max(), (0, across)),
    ):
        at = np.flatnonzero(values == side)
        middle = at[len(at) // 2]
        ends.append((ys[middle] + step[0], xs[middle] + step[1]))
    y, x = middle_pixel(inside)
    around = [(0, 0), *((sign * step, 0) for step in (3, 6, 9) for sign in (-1, 1))]
    around += [(0, sign * step) for step in (3, 6, 9) for sign in (-1, 1)]
    ends += [(y + dy * down, x + dx * across) for dy, dx in around]
    return [(float(y), float(x)) for y, x in ends]


def middle_pixel(inside: Bool[np.ndarray, "h w"]) -> tuple[int, int]:
    """The pixel (y, x) of a set that is nearest to its center of mass, so that a ring is marked on the ring.

    >>> middle_pixel(np.array([[True, True, True]]))
    (0, 1)
    """
    pixels = np.argwhere(inside)
    y, x = pixels[np.square(pixels - pixels.mean(axis=0)).sum(axis=1).argmin()]
    return int(y), int(x)
