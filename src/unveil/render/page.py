"""The page of a run's figure: columns side by side, in as many bands as they need, with head, keys and foot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unveil.records import Run, Verdict
from unveil.render.bars import bars_height, doubtful_labels, draw_bars
from unveil.render.columns import FigureColumn, make_columns
from unveil.render.fitting import fit_text, text_width
from unveil.render.key import KeyEntry, draw_key, draw_labels, key_entries, key_height, labels_height
from unveil.render.listing import DropScale, draw_list, list_height, list_lines
from unveil.render.marks import VERDICT_COLORS, mark_rounds
from unveil.render.paper import Paper
from unveil.render.parts import COLUMN_WIDTH, FAINT, drawable_text, format_percent, shorter_titles, target_colors
from unveil.render.style import INK, figure_style

MAX_COLUMNS = 7  # of a band
MAX_HEADS = 4  # targets that are named above a column
_LEFT, _RIGHT, _GAP, _WIDTH = 0.34, 0.06, 0.1, COLUMN_WIDTH - 0.08  # inches
_HEAD, _TITLE, _TARGET, _ROW_GAP, _BAND_GAP, _FOOT = 0.52, 0.18, 0.13, 0.07, 0.2, 0.3


@dataclass(frozen=True)
class PictureRows:
    """The rows of pictures of a figure.

    Attributes:
        heights: Inches of each row, by its name.
        show: Draws the picture of a row and a column.
        last: How many of the rows have a picture in the last column too; the key takes the place of the others.
        lead: What is written below the pictures of a column, before its regions.
        volume: Whether they are slices of a volume, which the key explains.
    """

    heights: dict[str, float]
    show: Callable[[Axes, str, FigureColumn], None]
    last: int
    lead: Callable[[FigureColumn], str] = lambda _: ""
    volume: bool = False


@dataclass(frozen=True, eq=False)
class _Plan:
    """All that is drawn, before its place is known."""

    run: Run
    track: str | None
    rows: PictureRows
    columns: list[FigureColumn]
    colors: dict[str, str]
    key: list[KeyEntry]

    @property
    def bands(self) -> list[list[FigureColumn]]:
        """The columns in bands of about the same length."""
        count = -(-len(self.columns) // MAX_COLUMNS)
        length = -(-len(self.columns) // count)
        return [self.columns[start : start + length] for start in range(0, len(self.columns), length)]

    @property
    def slots(self) -> int:
        """Columns that a band has room for; three at least, because head and foot need their width."""
        return max(3, *(len(band) for band in self.bands))

    def head_height(self, band: Sequence[FigureColumn]) -> float:
        """Inches of titles and targets."""
        counts = [min(len(column.round.maps), MAX_HEADS) for column in band if column.round]
        return _TITLE + _TARGET * max(counts, default=0)

    def list_height(self, band: Sequence[FigureColumn]) -> float:
        """Inches of the lists, and of the key if it doesn't fit beside them."""
        heights = [list_height(list_lines(column, self.rows.lead(column))) for column in band]
        free = sum(height + _ROW_GAP for height in list(self.rows.heights.values())[self.rows.last :])
        key = key_height(self.key, _WIDTH) - free if band[-1].round is None else 0.0
        return max(*heights, key, 0.0)

    def band_height(self, band: Sequence[FigureColumn]) -> float:
        """Inches of a band."""
        pictures = sum(self.rows.heights.values()) + _ROW_GAP * len(self.rows.heights)
        return self.head_height(band) + pictures + self.list_height(band) + bars_height(self.run)


def draw_page(run: Run, track: str | None, rows: PictureRows) -> Figure:
    """Draw a track of a run: the pictures of each round with its label, regions and prediction, and the keys."""
    columns = make_columns(run, track)
    with figure_style():
        key = key_entries(run, columns, volume=rows.volume)
        plan = _Plan(run, track, rows, columns, target_colors(run, track), key)
        width = _LEFT + plan.slots * (_WIDTH + _GAP) - _GAP + _RIGHT
        inner = width - _LEFT - _RIGHT
        labels = labels_height(run, inner)
        bands = plan.bands
        heights = [plan.band_height(band) for band in bands]
        gaps = _BAND_GAP * (len(bands) - 1)
        paper = Paper(width, _HEAD + sum(heights) + gaps + labels + (0.1 if labels else 0.0) + _FOOT)
        _draw_head(paper, run, track)
        top, scale = _HEAD, DropScale.of(columns)
        for band, height in zip(bands, heights, strict=True):
            _draw_band(paper, plan, band, top, scale)
            top += height + _BAND_GAP
        draw_labels(paper, (_LEFT, top - _BAND_GAP + 0.1, inner), run, plan.colors)
        _draw_foot(paper, run, track)
    return paper.figure


def _draw_band(paper: Paper, plan: _Plan, band: Sequence[FigureColumn], top: float, scale: DropScale) -> None:
    rows, y = plan.rows, top + plan.head_height(band)
    lefts = [_LEFT + number * (_WIDTH + _GAP) for number in range(len(band))]
    ends = []  # of each column's pictures
    for column, left in zip(band, lefts, strict=True):
        _draw_title(paper, plan, column, (left, top))
        ends.append(len(rows.heights) if column.round else rows.last)
    free = [y] * len(band)
    for row, (name, height) in enumerate(rows.heights.items()):
        _draw_row_name(paper, name, y + height / 2)
        for number, (column, left) in enumerate(zip(band, lefts, strict=True)):
            if row < ends[number]:
                rows.show(paper.picture(left, y, _WIDTH, height), name, column)
                free[number] = y + height + _ROW_GAP
        y += height + _ROW_GAP
    lists = plan.list_height(band)
    if any(column.round for column in band):
        _draw_row_name(paper, "drop", y + min(lists, 0.3) / 2)
    _draw_row_name(paper, "prediction", y + lists + bars_height(plan.run) / 2)
    for column, left, end in zip(band, lefts, free, strict=True):
        lines = list_lines(column, rows.lead(column))
        draw_list(paper, (left, y, _WIDTH), lines, scale, plan.colors)
        if column.round is None:
            draw_key(paper, left, end, _WIDTH, plan.key)
        draw_bars(paper, (left, y + lists, _WIDTH), plan.run, column, plan.colors)


def _draw_row_name(paper: Paper, name: str, y: float) -> None:
    paper.text(_LEFT - 0.1, y, name, 7, FAINT, rotation=90, ha="right", va="center", gid=f"row-{name}")


def _draw_title(paper: Paper, plan: _Plan, column: FigureColumn, place: tuple[float, float]) -> None:
    """The name of a column, what was erased before it, and the labels that its round explains, with their verdicts."""
    left, top = place
    paper.text(left, top + 0.1, column.title, 8, INK, fontweight="bold")
    if column.round is None:
        return
    if column.round.erased.area_px:
        share = column.round.erased.area_px / column.image[0].size
        paper.text(left + _WIDTH, top + 0.1, f"{share:.1%} erased", 6.5, FAINT, ha="right")
    doubts, maps = doubtful_labels(plan.run), column.round.maps
    base = top + _TITLE + 0.06
    for number, found in enumerate(maps[:MAX_HEADS]):
        if number == MAX_HEADS - 1 and len(maps) > MAX_HEADS:
            paper.text(left, base, f"and {len(maps) - number} more labels", 6.3, FAINT)
            break
        index = found.target_score.class_index
        card = None if index is None else doubts.get(index)
        word = str(card.verdict) if card else ""
        paper.bar(left, base - 0.075, 0.08, 0.08, plan.colors[found.target], gid=f"target-{column.title}-{number}")
        room = _WIDTH - 0.19 - text_width(word, 6.0)
        end = paper.label(left + 0.13, base, found.target, 6.6, room)
        if card:
            paper.text(end + 0.06, base, word, 6.0, VERDICT_COLORS[card.verdict])
        base += _TARGET


def _draw_head(paper: Paper, run: Run, track: str | None) -> None:
    """Image, classifier and recipe, and below them the answer in one line."""
    right = paper.width - _RIGHT
    settings = f"{drawable_text(run.classifier.name)} · recipe {run.recipe.get('name', 'custom')} · seed {run.seed}"
    paper.text(right, 0.19, settings, 7, FAINT, ha="right")
    room = right - text_width(settings, 7) - 0.12 - _LEFT
    name = drawable_text(Path(run.source.name).name or "image")
    titles = shorter_titles(name, "" if track is None else f" · {drawable_text(track)}")
    text = next((one for one in titles if text_width(one, 9, bold=True) <= room), "…")
    paper.text(_LEFT, 0.19, text, 9, INK, fontweight="bold")
    paper.label(_LEFT, 0.34, summarize_figure(run, track), 7, right - _LEFT, color=FAINT)


def summarize_figure(run: Run, track: str | None) -> str:
    """What is predicted for the whole image, and the regions of a track by their verdicts."""
    first = run.first
    shares = [(run.classifier.labels[index], float(first.probabilities[index])) for index in first.predicted()[:3]]
    names = ", ".join(f"{fit_text(name, 1.7, 7)} {format_percent(share)}" for name, share in shares)
    rounds = mark_rounds(run, track)
    found = [one.verdict for marked in rounds for one in marked]
    counts = [(verdict, sum(one is verdict for one in found)) for verdict in Verdict]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    regions = f"{len(found)} region{'s' * (len(found) != 1)} in {len(rounds)} round{'s' * (len(rounds) != 1)}"
    return f"predicted: {names or 'nothing'} · {regions}{': ' * bool(verdicts)}{verdicts}"


def _draw_foot(paper: Paper, run: Run, track: str | None) -> None:
    """Why the run ended, and what the signs beside labels mean."""
    right, base = paper.width - _RIGHT, paper.height - 0.1
    legend = "bold: predicted   + appeared   − no longer predicted"
    room = right - text_width(legend, 6.5) - 0.15 - _LEFT
    paper.label(_LEFT, base, f"ended: {run.stops[track].text}", 6.5, room, color=FAINT)
    paper.text(right, base, legend, 6.5, FAINT, ha="right")
